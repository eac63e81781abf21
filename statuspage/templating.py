"""Jinja environments, one per language, for pages, messages and feeds alike. Templates are ours; what people write is data."""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import nh3
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup

from statuspage import i18n
from statuspage.templating_root import root

_MARKDOWN = MarkdownIt("commonmark", {"html": False}).disable(["image", "html_block", "html_inline"])
_TAGS = {"p", "a", "em", "strong", "ul", "ol", "li", "code", "pre", "br", "blockquote"}


def markdown(text: str) -> Markup:
    """An update's body as safe HTML: no raw HTML, no images, links only to http(s) and mailto.

    External links show the host they lead to: `[wallet.example](https://evil.example)` on our page would be a phishing kit.
    """
    html = nh3.clean(
        _MARKDOWN.render(text), tags=_TAGS, attributes={"a": {"href"}}, url_schemes={"http", "https", "mailto"},
        link_rel="nofollow noopener noreferrer",
    )  # fmt: skip
    return Markup(html)  # noqa: S704 - cleaned on the line above


def filters(language: str) -> dict[str, Any]:
    """The filters every template may use, bound to `language`. Zones come from the template (`page.time_zone`)."""
    return {
        "markdown": markdown,
        "pick": lambda texts: i18n.pick(texts or {}, language),
        "has_text": lambda texts: i18n.has(texts or {}, language),
        "day": lambda at, zone: i18n.day_words(at, zone, language),
        "clock": lambda at, zone: i18n.time_words(at, zone),
        "moment": lambda at, zone: i18n.moment_words(at, zone, language),
        "weekday": lambda at, zone: i18n.weekday_words(at, zone, language),
        "zone": lambda at, zone: i18n.zone_label(at, zone, language),
        "duration": lambda seconds: i18n.duration_words(seconds, language),
        "iso": lambda at: at.isoformat().replace("+00:00", "Z"),
    }


def _escapes(name: str | None) -> bool:
    """Markup is escaped; SMS and plain texts are not, or a shop named R&D would read R&amp;D."""
    return name is None or not name.endswith(".txt")


@cache
def environment(language: str) -> Environment:
    """The environment of one language: autoescape on, unknown names are errors, `_` translates."""
    jinja = Environment(
        loader=FileSystemLoader(root()), autoescape=_escapes,  # noqa: S701 - off for .txt only undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"], auto_reload=False,
    )  # fmt: skip
    translate = partial(i18n.gettext, language)
    jinja.install_gettext_callables(  # type: ignore[attr-defined] - added by the i18n extension
        translate, lambda one, many, count: translate(one if count == 1 else many), newstyle=True
    )
    jinja.filters.update(filters(language))
    jinja.globals["lang"] = language
    return jinja


def render(language: str, name: str, **context: Any) -> str:  # noqa: ANN401 - what the template needs
    """The template `name` in `language`."""
    return environment(language).get_template(name).render(**context)
