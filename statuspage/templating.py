"""Jinja environments, one per language, for pages, messages and feeds alike. Templates are ours; what people write is data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from types import CodeType
from typing import Any
from urllib.parse import urlsplit

import nh3
from jinja2 import BytecodeCache, Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.bccache import Bucket
from jinja2.runtime import Context
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup, escape

from statuspage import i18n
from statuspage.settings import LOCAL, shown_region
from statuspage.templating_root import root

_TAGS = {"p", "a", "em", "strong", "ul", "ol", "li", "code", "pre", "br", "blockquote"}


def _link_with_host(_tokens: Sequence[Token], _index: int, _options: object, env: dict[str, list[str]]) -> str:
    """Close a link by saying where it leads: `[wallet.example](https://evil.example)` on our page would be a phishing kit."""
    host = env["hosts"].pop() if env.get("hosts") else ""
    return f"</a> ({escape(host)})" if host else "</a>"


def _remember_host(tokens: Sequence[Token], index: int, _options: object, env: dict[str, list[str]]) -> str:
    target = str(tokens[index].attrGet("href") or "")
    shown = tokens[index + 1].content if index + 1 < len(tokens) else ""
    host = urlsplit(target).hostname or ""
    env.setdefault("hosts", []).append("" if shown in {target, host} else host)
    # A link without a scheme goes wherever the page is shown: ours, a mirror, a mail.
    return f'<a href="{escape(target)}">' if "://" in target or target.startswith("mailto:") else "<a>"


def _markdown() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}).disable(["image", "html_block", "html_inline"])
    parser.add_render_rule("link_open", lambda _self, *given: _remember_host(*given))
    parser.add_render_rule("link_close", lambda _self, *given: _link_with_host(*given))
    return parser


_MARKDOWN = _markdown()


def markdown(text: str) -> Markup:
    """An update's body as safe HTML: no raw HTML, no images, links only to http(s) and mailto, each with the host it leads to."""
    html = nh3.clean(
        _MARKDOWN.render(text), tags=_TAGS, attributes={"a": {"href"}}, url_schemes={"http", "https", "mailto"},
        link_rel="nofollow noopener noreferrer",
    )  # fmt: skip
    return Markup(html)  # noqa: S704 - cleaned on the line above


def filters(language: str) -> dict[str, Any]:
    """The filters every template may use, bound to `language`. Zones come from the template (`page.time_zone`)."""
    bound: dict[str, Callable[..., Any]] = {
        "pick": lambda texts: i18n.pick(texts or {}, language),
        "has_text": lambda texts: i18n.has(texts or {}, language),
        "day": lambda at, zone: i18n.day_words(at, zone, language),
        "moment": lambda at, zone: i18n.moment_words(at, zone, language),
        "weekday": lambda at, zone: i18n.weekday_words(at, zone, language),
        "zone": lambda at, zone: i18n.zone_label(at, zone, language),
        "about_block": lambda time, height: i18n.about_block(time, height, language),
        "duration": partial(i18n.duration_words, language=language),
    }
    return {
        "markdown": markdown,
        "region": _region,
        "clock": i18n.time_words,
        "iso": lambda at: at.isoformat(timespec="seconds").replace("+00:00", "Z"),
        **{name: _never_folded(words) for name, words in bound.items()},
    }


@pass_context
def _region(context: Context, region: str) -> str:
    """A region's name; '' for the server's own where it was given none. Templates that use it are given `own_region`."""
    name = shown_region(region, context["own_region"])
    return "" if name == LOCAL else name


def _never_folded(words: Callable[..., Any]) -> Callable[..., Any]:
    """`words` as a filter. Without the context Jinja writes a constant's result into the code, which all languages share."""
    return pass_context(lambda _context, *given, **named: words(*given, **named))


def _escapes(name: str | None) -> bool:
    """Markup is escaped; SMS and plain texts are not, or a shop named R&D would read R&amp;D."""
    return name is None or not name.endswith(".txt")


class _Compiled(BytecodeCache):
    """Compiled templates, shared by the languages, which differ in values only: compiling is half of a first page."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[str, CodeType]] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Fill `bucket` if its very source was compiled before."""
        checksum, code = self._found.get(bucket.key, ("", None))
        if checksum == bucket.checksum:
            bucket.code = code

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep what was compiled."""
        if bucket.code is not None:
            self._found[bucket.key] = bucket.checksum, bucket.code


_COMPILED = _Compiled()


@cache
def environment(language: str) -> Environment:
    """The environment of one language: autoescape on, unknown names are errors, `_` translates."""
    jinja = Environment(
        autoescape=_escapes,  # noqa: S701 - off for .txt only
        loader=FileSystemLoader(root()), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"], auto_reload=False,
        bytecode_cache=_COMPILED,
    )  # fmt: skip
    translate = partial(i18n.gettext, language)
    install: Callable[..., None] = vars(jinja)["install_gettext_callables"]  # put there by the i18n extension
    install(translate, lambda one, many, count: translate(one if count == 1 else many), newstyle=True)
    jinja.filters.update(filters(language))
    jinja.globals["lang"] = language
    return jinja


def render(language: str, name: str, **context: Any) -> str:  # noqa: ANN401 - what the template needs
    """The template `name` in `language`."""
    return environment(language).get_template(name).render(**context)
