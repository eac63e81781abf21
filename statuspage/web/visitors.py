"""Who asks: the reader's network, and whether a form was sent from our own pages."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Request

from statuspage.domain import address
from statuspage.errors import NotAllowed


def ip_prefix(request: Request, trusted_hops: int) -> str:
    """The /24 or /48 of the reader. X-Forwarded-For counts only as far as our own proxies wrote it, from the right."""
    peer = request.remote_addr or ""
    if trusted_hops > 0:
        told = [part.strip() for part in ",".join(request.headers.getlist("X-Forwarded-For")).split(",") if part.strip()]
        peer = told[-trusted_hops] if len(told) >= trusted_hops else peer
    return address.ip_prefix(peer)


def check_origin(request: Request, page_url: str) -> None:
    """Raise NotAllowed for a form that another site sent. There is no session to ride on; this keeps others from asking for us.

    Browsers name the origin; `null` is refused. A program that names none is limited as everybody.
    """
    origin = request.headers.get("Origin")
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
        _refuse()
    if origin is not None and origin not in {_origin(page_url), f"{request.scheme}://{request.host}", f"https://{request.host}"}:
        _refuse()


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _refuse() -> None:
    message = "this form was not sent from this page; open the page itself and try again"
    raise NotAllowed(message)
