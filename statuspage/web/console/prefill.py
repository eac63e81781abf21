"""What the form of a new notice is filled with before anybody types: from a scenario, a failing monitor, a suspected notice."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from urllib.parse import urlsplit

from statuspage import i18n, scenarios
from statuspage.domain import lifecycle, status
from statuspage.domain.notice import Facts, Text
from statuspage.scenarios import Scenario
from statuspage.store.components import Component
from statuspage.store.console import Watch
from statuspage.store.pages import Page
from statuspage.web.console import local_times
from statuspage.web.console.notice_form import LINES, SEVERITIES, Form


def blank(kind: str, page: Page) -> Form:
    """An empty form of that kind. An advisory promises no next update by itself."""
    return Form(
        kind=kind, status=lifecycle.first_status(kind), next="none" if kind in {"advisory", "maintenance"} else "30",
        texts={"titles": dict.fromkeys(page.languages, ""), "bodies": dict.fromkeys(page.languages, "")},
    )  # fmt: skip


def from_scenario(form: Form, scenario_id: str, page: Page, known: dict[str, Component]) -> Form:
    """`form` with a scenario's words, cause and symptoms; what the operator chose by hand stays.

    The scenario's word on money is not taken over: nobody has checked it in this incident. The same for the repair time.
    """
    scenario = scenarios.catalogue().scenario(scenario_id)
    values = brand_values(page)
    step = scenario.steps[0]
    texts: dict[str, Text] = {"bodies": scenarios.fill_all(step.bodies, values)}
    for name in ("titles", "not_affected"):
        texts[name] = scenarios.fill_all(getattr(scenario, name), values)
    for name in LINES:
        lines = getattr(scenario, name)
        texts[name] = {tag: scenarios.fill("\n".join(found), values.get(tag, {})) for tag, found in lines.items()}
    own = {key: claim for key, claim in scenario.components.items() if key in known and claim != status.OPERATIONAL}
    chosen = dict(form.components) or own
    severities = [claim for claim in (chosen if form.components else own).values() if claim in SEVERITIES]
    return replace(
        form, kind=scenario.kind, status=step.status, template=scenario.id, cause=scenario.cause,
        attribution=scenario.attribution, symptoms=scenario.symptoms, components=chosen, texts=texts,
        severity=status.worst(severities, default=form.severity),
        next=_nearest(scenario, form.next),
    )  # fmt: skip


def from_watch(form: Form, watch: Watch, page: Page) -> Form:
    """`form` for a monitor that fails: its component, how bad, since when."""
    claim = status.DEGRADED if watch.state == "degraded" else _claim(watch)
    return replace(
        form, monitor=watch.id, components={watch.component_id: claim}, severity=claim,
        started_at=local_times.show(watch.since_at, page.time_zone),
    )  # fmt: skip


def from_suspected(form: Form, facts: Facts, page: Page) -> Form:
    """`form` for the confirmation of what machines opened: their components and start, no words of theirs."""
    claims = [claim for claim in facts.components.values() if claim in SEVERITIES]
    return replace(
        form, components=dict(facts.components), severity=status.worst(claims, default=status.PARTIAL),
        started_at=local_times.show(facts.started_at, page.time_zone), symptoms=facts.symptoms,
    )  # fmt: skip


def plain_words(form: Form, names: dict[str, dict[str, str]]) -> Form:
    """Neutral words for a failure that no scenario describes; only where nothing is written yet."""
    if form.text("titles", "en") or not names:
        return form
    texts = dict(form.texts)
    listed = {tag: _list([i18n.pick(name, tag) for name in names.values()], tag) for tag in i18n.LOCALES}
    sources = {
        "titles": "Problems with %(component)s",
        "bodies": "Since {start} we see problems with %(component)s. We are looking for the cause. Next update by {next}.",
    }
    for name, source in sources.items():
        texts[name] = {tag: i18n.gettext(tag, source, component=listed[tag]) for tag in i18n.LOCALES}
    return replace(form, texts=texts)


def template_for(component_ids: list[str], known: dict[str, Component]) -> str:
    """The scenario that the first of these components names, '' when none does."""
    found = (known[one].template for one in component_ids if one in known)
    return next((template for template in found if template in scenarios.catalogue().scenarios), "")


def window(form: Form, page: Page, now: datetime) -> Form:
    """A maintenance form whose window starts at the next full hour and lasts two."""
    start = now.replace(minute=0, second=0, microsecond=0).timestamp() + 25 * 3600
    begin = datetime.fromtimestamp(start, now.tzinfo)
    end = datetime.fromtimestamp(start + 7200, now.tzinfo)
    zone = page.time_zone
    return replace(form, scheduled_for=local_times.show(begin, zone), scheduled_until=local_times.show(end, zone))


def brand_values(page: Page) -> dict[str, dict[str, str]]:
    """Values of the placeholders that are the same for every notice."""
    host = urlsplit(page.url).netloc
    return {tag: {"brand": i18n.pick(page.name, tag), "host": host} for tag in i18n.LOCALES}


def _claim(watch: Watch) -> str:
    return status.MAJOR if watch.state == "down" else status.PARTIAL


def _nearest(scenario: Scenario, default: str) -> str:
    minutes = str(scenario.next_update_min)
    return minutes if minutes in {"15", "30", "60", "240"} else default


def _list(words: list[str], tag: str) -> str:
    return ("、" if tag.startswith("zh") else ", ").join(words)
