"""What an RPC endpoint's refusal means. Codes differ between families: -32005 is a limit on EVM, a sick node on Solana.

The classes and their signs are those of docs/probes.md; texts are the ones providers were seen to send.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from probes.result import Outcome


class RpcError(NamedTuple):
    """Code and words of a JSON-RPC error object."""

    code: int
    message: str


_STATUS = {
    400: "client_error",
    401: "auth",
    402: "billing",
    403: "auth",
    404: "client_error",
    405: "unsupported",
    429: "rate_limited",
    502: "overloaded",
    503: "overloaded",
    504: "overloaded",
}
_EVM_CODE = {
    -32005: "rate_limited",
    -32016: "auth",
    -32601: "unsupported",
    -32602: "client_error",
    -32700: "client_error",
}
# The same numbers mean other things elsewhere: -32005 is a sick node on Solana, -32016 a slot it has not reached.
_FAMILY_CODE = {
    "evm": _EVM_CODE,
    "solana": {-32005: "node_behind", -32016: "node_behind", -32004: "node_behind"},
    "bitcoin": {-28: "node_behind", -8: "client_error", -5: "client_error"},
    "substrate": {1010: "client_error", 1016: "overloaded"},
    # CPU, net and RAM that an account has used up, and a transaction that expired: the sender's matter, no outage.
    "antelope": dict.fromkeys((3080001, 3080002, 3080004, 3040005), "client_error"),
}
# -32603 carries what a node thinks of a transaction as well: nothing is wrong with the node.
_POOL_VERDICT = re.compile(r"nonce too (low|high)|insufficient funds|already known|underpriced|intrinsic gas too low")
_JSON_RPC_CODE = {-32601: "unsupported", -32602: "client_error", -32700: "client_error"}
# In order: a text about money often names a limit as well.
_TEXTS = (
    (
        "billing",
        re.compile(r"monthly capacity limit|reached the free tier|limit for your current plan|payment required"),
    ),
    (
        "rate_limited",
        re.compile(
            r"too many requests|rate.?limit|has exceeded|request limit reached|upgrade your tier|lack of computing"
        ),
    ),
    ("node_behind", re.compile(r"header not found|missing trie node|node is behind|unknown block|catching.up")),
    (
        "overloaded",
        re.compile(r"under too much load|no server available|timed? ?out|temporarily unavailable|overloaded"),
    ),
    ("unsupported", re.compile(r"method not (available|found|supported)|does not exist/is not available")),
    ("auth", re.compile(r"unauthori[sz]ed|invalid api key|must be authenticated|forbidden")),
)
# What a class says about an endpoint of the wallet's own; classes that are not here are unknown: our setting, not their fault.
_OWN: dict[str, Outcome] = {"rate_limited": "down", "overloaded": "down", "node_behind": "down", "bad_body": "down"}
_REFERENCE: dict[str, Outcome] = {"overloaded": "down", "bad_body": "down"}


def of_text(text: str) -> str | None:
    """The class of an error text, None when it says nothing known."""
    lower = text[:2000].lower()
    return next((name for name, pattern in _TEXTS if pattern.search(lower)), None)


def of_evm(error: RpcError) -> str:
    """The class of a JSON-RPC error on an EVM chain. The words go before the code: gateways reuse codes."""
    if _POOL_VERDICT.search(error.message[:2000].lower()):
        return "client_error"
    return of_text(error.message) or _EVM_CODE.get(error.code, "overloaded" if error.code == -32603 else "bad_body")


def of_family(family: str, error: RpcError) -> str:
    """The class of a JSON-RPC error. Where a family gives a code a meaning of its own, only words about limits go first."""
    if family == "evm":
        return of_evm(error)
    words = of_text(error.message)
    code = _FAMILY_CODE.get(family, {}).get(error.code) or _JSON_RPC_CODE.get(error.code)
    if words in ("billing", "rate_limited"):
        return words
    return code or words or ("overloaded" if error.code == -32603 else "bad_body")


def of_status(status: int, body: str) -> str | None:
    """The class of an HTTP status without a readable JSON error, None for a good one."""
    if 200 <= status < 300:
        return None
    return of_text(body) if status in (400, 401, 403, 500) and of_text(body) else _STATUS.get(status, "overloaded")


def outcome_of(error_class: str, *, is_own: bool) -> tuple[Outcome, str]:
    """Outcome and class to report: a limit on our own key is an overloaded endpoint to the wallet's users."""
    outcome = (_OWN if is_own else _REFERENCE).get(error_class, "unknown")
    return outcome, "overloaded" if is_own and error_class == "rate_limited" else error_class
