"""Headers of every public response, in one place: Flask's and the fast path's. Baseline: reliability.md 5.1."""

from __future__ import annotations

import re

# 'self' alone: no inline script or style, nothing from another host, no framing, no eval.
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; font-src 'self'; script-src 'self'; connect-src 'self'; "
    "worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'; "
    "require-trusted-types-for 'script'"
)
_SAFE = (
    ("X-Content-Type-Options", "nosniff"),
    # Not `no-referrer`: under that browsers send `Origin: null` with a form, which we refuse.
    ("Referrer-Policy", "same-origin"),
)
_PAGE = (
    ("Content-Security-Policy", POLICY),
    ("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=()"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    *_SAFE,
)
# JSON, feeds and badges are read by other sites' scripts; they say nothing that is not public.
_DATA = (
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Expose-Headers", "ETag"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; sandbox"),
    ("Cross-Origin-Resource-Policy", "cross-origin"),
    *_SAFE,
)
# The banner in a frame is the one page that may stand on others: it has no form and no script, so there is nothing to click away.
# `sandbox` would also forbid it to renew itself unless scripts are allowed, of which the policy then allows none.
_FRAME_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors *; "
    "sandbox allow-same-origin allow-scripts allow-popups allow-popups-to-escape-sandbox"
)
_FRAME = (
    ("Content-Security-Policy", _FRAME_POLICY),
    ("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=()"),
    ("Cross-Origin-Resource-Policy", "cross-origin"),
    *_SAFE,
)  # fmt: skip
# What a browser is told that asks before it sends If-None-Match from another site.
PREFLIGHT = (
    ("Access-Control-Allow-Methods", "GET, HEAD"), ("Access-Control-Allow-Headers", "If-None-Match, If-Modified-Since"),
    ("Access-Control-Max-Age", "86400"),
)  # fmt: skip
_HSTS = ("Strict-Transport-Security", "max-age=63072000; includeSubDomains")

# A cache may show an old page for at most 300 s when we are gone: longer, and a blind page would look green.
CACHE_PAGE = "public, max-age=10, stale-while-revalidate=30, stale-if-error=300"
CACHE_DATA = "public, max-age=10, stale-if-error=300"
CACHE_LIVE = "public, max-age=2, stale-if-error=30"
CACHE_ASSET = "public, max-age=31536000, immutable"
CACHE_NEVER = "no-store"


_CHECK = re.compile(r"(/[A-Za-z-]{2,10})?/check(/[a-z_]*)?")


def is_data(path: str) -> bool:
    """Whether `path` is for machines: JSON, feeds, the log."""
    return path.endswith((".json", ".rss", ".atom", ".ics", ".svg", ".txt", "/embed.js")) or path.startswith(("/api/", "/log/"))


def security(path: str, *, hsts: bool, may_ask: str = "") -> list[tuple[str, str]]:
    """The headers that depend on nothing but the kind of path. `may_ask`: the one address beside us that /check may ask."""
    chosen = list(_DATA if is_data(path) else _FRAME if path.endswith("/embed") else _PAGE)
    if may_ask and _CHECK.fullmatch(path):
        host = "/".join(may_ask.split("/", 3)[:3])
        chosen[0] = (chosen[0][0], POLICY.replace("connect-src 'self'", f"connect-src 'self' {host}"))
    return [*chosen, _HSTS] if hsts else chosen


def cache_control(path: str) -> str:
    """How long a published answer may be kept."""
    if path == "/live.json":
        return CACHE_LIVE
    if path.startswith("/static/"):
        return CACHE_ASSET
    return CACHE_DATA if is_data(path) else CACHE_PAGE
