"""The words of machines: texts of the catalogue with names, times and evidence filled in, in every language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection

from statuspage import i18n, scenarios
from statuspage.domain import suppliers
from statuspage.domain.notice import Text
from statuspage.store import components, pages

_NAMED = 2  # components named in a title before it counts the rest


def text(conn: Connection, name: str, part: str, component_ids: Iterable[str], at: datetime, next_by: datetime, *,
         checks: int = 1) -> Text:  # fmt: skip
    """A machine text in every language of the catalogue. `checks`: how many in a row are its evidence."""
    page = pages.load_page(conn)
    rows = components.load(conn, list(component_ids))
    variables = {}
    for language in i18n.LOCALES:
        names = [i18n.pick(row.names, language) for row in rows.values()]
        times = (("start", at), ("end", at), ("next", next_by))
        clocks = {key: i18n.moment_words(moment, page.time_zone, language) for key, moment in times}
        evidence = f"连续 {checks} 次检测" if language == "zh-Hans" else f"{checks} checks in a row"
        variables[language] = {**clocks, "component": joined(names, language), "evidence": evidence}
    return scenarios.catalogue().machine(name, part, variables)


def shared(keys: Sequence[str]) -> Text:
    """What the public may know of something shared: a supplier by the name that the operator gave it, nothing that we inferred.

    A host or a network behind a wallet is nobody's business but the on-call's.
    """
    if not keys:
        return {}
    kind, _, name = keys[0].partition(":")
    if kind != suppliers.NAMED:
        return scenarios.catalogue().machine("shared_origin", "body", {})
    variables = {language: {"supplier": name} for language in i18n.LOCALES}
    return scenarios.catalogue().machine("shared_supplier", "body", variables)


def paragraphs(parts: Iterable[Mapping[str, str]]) -> Text:
    """Texts below one another; what is empty is left out."""
    told = [part for part in parts if part]
    return {language: "\n\n".join(part[language] for part in told) for language in (told[0] if told else {})}


def joined(names: Sequence[str], language: str) -> str:
    """`Transfers`, `Transfers and Balances`, `Transfers, Balances and 5 more`, and the same in Chinese."""
    if len(names) <= _NAMED:
        return ("和" if language == "zh-Hans" else " and ").join(names)
    shown, rest = names[:_NAMED], len(names) - _NAMED
    if language == "zh-Hans":
        return f"{'、'.join(shown)}等{len(names)}项功能"
    return f"{', '.join(shown)} and {rest} more"
