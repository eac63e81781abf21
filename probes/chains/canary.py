"""The canary: a balance that never is zero. Own endpoints and references are asked for it, and their answers compared.

"My balance shows zero" is what a wallet's users fear most, and no head tells it: a node may follow the chain and serve no state.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple

from probes.chains import address, bitcoin, errors, rpc
from probes.chains.record import Endpoint, Record
from probes.chains.rpc import BAD_BODY, Call, Refusal
from probes.options import Option, Problem, a_text, an_int
from probes.options import problems as option_problems
from probes.result import Outcome
from probes.run import Run, explain

STATE = "BALANCES_WRONG"
_DECIMALS = {"evm": 18, "bitcoin": 8, "tron": 6, "solana": 9, "aptos": 8, "substrate": 10, "antelope": 4}
_TRANSFERS_OF = "0x70a08231"  # balanceOf(address)
# The hashes (twox128) of the words System, Account and Assets.
_SYSTEM_ACCOUNT = "0x26aa394eea5630e07c48ae0c9558cef7b99d880ec681799c0cf30e8886371da9"
_ASSETS_ACCOUNT = "0x682a59d51ab9e48a8c8cc418ff9708d2b99d880ec681799c0cf30e8886371da9"
_FREE_AT = 16  # of AccountInfo: after nonce, consumers, providers and sufficients
_MAX_AMOUNT = 2**256
_OUTPUT = re.compile(r"[0-9a-f]{64}:\d{1,5}")
_NODE_WORDS = (
    "a bitcoin node has no index of addresses, so own endpoint {number} cannot be asked for this balance: add `output: txid:n`, "
    "an unspent output of the address, or give an own endpoint of Esplora, whose address ends in /api"
)
_UNSUPPORTED = "unsupported"  # of docs/probes.md
# Errors that say the endpoint has no state to serve; others are a setting of ours, or a limit.
_NO_STATE = frozenset(("node_behind", "overloaded", "bad_body", "body_cap", "timeout", "reset"))


def _an_amount(value: object) -> list[Problem]:
    good = isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0
    return [] if good else [((), "must be an amount above 0, in whole coins")]


def _an_output(value: object) -> list[Problem]:
    good = isinstance(value, str) and _OUTPUT.fullmatch(value)
    return [] if good else [((), "must be txid:n, a transaction's 64 hexadecimal digits and the output's number, in quotes")]


OPTIONS = (
    Option("address", "an address that always holds funds", a_text),
    Option("token", "a token instead of the chain's own coin", a_text),
    Option("decimals", "how many decimals the token has", an_int(0, 36), "the family's"),
    Option("output", "on a bitcoin node, which knows no balances: an unspent output of the address, `txid:n`", _an_output),
    Option("min_balance", "down when its balance is below this, in whole coins", _an_amount, "any"),
)


def problems(canary: object, family: str) -> list[Problem]:
    """What is wrong with a canary for this family, at paths below `canary`."""
    if not isinstance(canary, Mapping):
        return [((), "must be a mapping with address")]
    found = option_problems(canary, OPTIONS)
    if found:
        return found
    if "address" not in canary:
        return [((), "address is missing")]
    read_token = address.TOKEN[family]
    if "output" in canary and family != "bitcoin":
        found.append((("output",), "is of bitcoin's nodes only"))
    if "token" in canary and read_token is None:
        found.append((("token",), f"{family} has no tokens that can be asked for"))
    for name, read in (("address", address.ADDRESS[family]), ("token", read_token)):
        if name in canary and read is not None:
            try:
                read(canary[name])
            except ValueError as error:
                found.append(((name,), str(error)))
    return found


def unasked(canary: Mapping[str, Any], urls: Sequence[str]) -> list[Problem]:
    """Which own bitcoin endpoints could never be asked for this canary. Addresses behind `${env:...}` are not known yet."""
    if "output" in canary:
        return []
    nodes = [number for number, url in enumerate(urls, 1) if not url.startswith("${") and not bitcoin.is_esplora(url)]
    return [((), _NODE_WORDS.format(number=number)) for number in nodes[:1]]


# --- asking ---


async def facts(endpoint: Endpoint, run: Run, family: str) -> dict[str, Any]:
    """What the endpoint's record says of the canary. Raises nothing but cancellation."""
    canary = endpoint.canary
    if canary is None:
        return {}
    try:
        return told(await _READERS[family](endpoint, run, canary), canary, family)
    except Refusal as refusal:
        return {"canary_error": refusal.error_class}
    except Exception as error:  # noqa: BLE001 - as the engine: whatever a transfer raises is a finding
        return {"canary_error": explain(error).error_class}


def told(raw: Any, canary: Mapping[str, Any], family: str) -> dict[str, Any]:  # noqa: ANN401 - a number or a Refusal
    """The record's facts of a balance in the smallest unit, or of the refusal in its place."""
    if isinstance(raw, Refusal):
        return {"canary_error": raw.error_class}
    return {"canary_balance": raw / 10 ** canary.get("decimals", _DECIMALS[family])}


def evm_call(canary: Mapping[str, Any]) -> Call:
    """The call for a balance, so that it can go along in a batch."""
    if "token" not in canary:
        return Call("eth_getBalance", (canary["address"], "latest"))
    data = _TRANSFERS_OF + canary["address"][2:].lower().rjust(64, "0")
    return Call("eth_call", ({"to": canary["token"], "data": data}, "latest"))


def evm_amount(result: Any) -> Any:  # noqa: ANN401 - JSON
    """The amount of a result of `evm_call`, or a Refusal. `0x` is what a node says of a contract it does not have."""
    if isinstance(result, Refusal):
        return result
    if result == "0x":
        return 0
    try:
        return _amount(result, hexadecimal=True)
    except Refusal as refusal:
        return refusal


async def _bitcoin(endpoint: Endpoint, run: Run, canary: Mapping[str, Any]) -> int:
    """Esplora's sums. A node has no index of addresses: it is asked for an output, which is null once spent or unknown."""
    if not bitcoin.is_esplora(run.vault.resolve(endpoint.url)):
        if "output" not in canary:
            raise Refusal(_UNSUPPORTED, "a node knows no balance of an address: name an output")
        txid, _, number = canary["output"].partition(":")
        [found] = await rpc.call_all(endpoint, run, [Call("gettxout", (txid, int(number)))], "bitcoin", version="1.0")
        unspent = rpc.demanded(found)
        return 0 if unspent is None else _satoshis(rpc.a_mapping(unspent, "output").get("value"))
    found = rpc.a_mapping(await rpc.ask(endpoint, run, f"/address/{canary['address']}"), "address")
    sums = rpc.a_mapping(found.get("chain_stats"), "sums of the address")
    return _amount(sums.get("funded_txo_sum")) - _amount(sums.get("spent_txo_sum"))


async def _tron(endpoint: Endpoint, run: Run, canary: Mapping[str, Any]) -> int:
    """An account that the node does not know is `{}`; a token's balance is a call of its contract."""
    if "token" not in canary:
        account = await _tron_ask(endpoint, run, "/wallet/getaccount", {"address": canary["address"], "visible": True})
        return _amount(account.get("balance", 0))
    answer = await _tron_ask(endpoint, run, "/wallet/triggerconstantcontract", {
        "owner_address": canary["address"], "contract_address": canary["token"], "visible": True,
        "function_selector": "balanceOf(address)", "parameter": address.tron(canary["address"]).hex().rjust(64, "0"),
    })  # fmt: skip
    results = answer.get("constant_result")
    if isinstance(results, list) and results and isinstance(results[0], str):
        return _amount("0x" + results[0], hexadecimal=True) if results[0] else 0
    said = answer.get("result")
    raise Refusal(BAD_BODY, f"the contract did not answer: {str(said)[:100]}")


async def _tron_ask(endpoint: Endpoint, run: Run, path: str, payload: dict[str, Any]) -> dict[str, Any]:
    value = rpc.a_mapping(await rpc.ask(endpoint, run, path, payload), "answer")
    if value.get("Error"):
        raise Refusal(errors.of_text(str(value["Error"])) or "overloaded", str(value["Error"])[:200])
    return value


async def _solana(endpoint: Endpoint, run: Run, canary: Mapping[str, Any]) -> int:
    """Lamports, or the sum over the owner's accounts of a mint."""
    how: dict[str, Any] = {"commitment": "confirmed"}
    if "token" not in canary:
        call = Call("getBalance", (canary["address"], how))
        found = rpc.a_mapping(rpc.demanded((await rpc.call_all(endpoint, run, [call], "solana"))[0]), "balance")
        return _amount(found.get("value"))
    call = Call("getTokenAccountsByOwner", (canary["address"], {"mint": canary["token"]}, {**how, "encoding": "jsonParsed"}))
    found = rpc.a_mapping(rpc.demanded((await rpc.call_all(endpoint, run, [call], "solana"))[0]), "token accounts")
    accounts = found.get("value")
    if not isinstance(accounts, list):
        raise Refusal(BAD_BODY, "there are no token accounts")
    try:
        return sum(_amount(each["account"]["data"]["parsed"]["info"]["tokenAmount"]["amount"]) for each in accounts)
    except (LookupError, TypeError) as error:
        raise Refusal(BAD_BODY, "a token account has no amount") from error


async def _aptos(endpoint: Endpoint, run: Run, canary: Mapping[str, Any]) -> int:
    """A bare number, of a coin or of a fungible asset alike."""
    asset = canary.get("token", "0x1::aptos_coin::AptosCoin").replace("<", "%3C").replace(">", "%3E").replace(" ", "")
    status, body, capped = await rpc.fetch(endpoint, run, f"/v1/accounts/{canary['address']}/balance/{asset}", without="/v1")
    text = body[:100].decode("ascii", "replace").strip().strip('"')
    if status == 200 and text.isdecimal() and text.isascii():
        return _amount(text)
    raise rpc.unreadable(run, status, body, capped=capped)


async def _substrate(endpoint: Endpoint, run: Run, canary: Mapping[str, Any]) -> int:
    """An account's entry in storage; one that is not there holds nothing."""
    account = address.substrate(canary["address"])
    at = 0
    if "token" in canary:
        key, kind = _ASSETS_ACCOUNT + _concat(int(canary["token"]).to_bytes(4, "little")) + _concat(account), "asset account"
    else:
        key, kind, at = _SYSTEM_ACCOUNT + _concat(account), "account", _FREE_AT
    [found] = await rpc.call_all(endpoint, run, [Call("state_getStorage", (key,))], "substrate")
    value = rpc.demanded(found)
    if value is None:
        return 0
    try:
        raw = bytes.fromhex(value.removeprefix("0x"))
    except (ValueError, AttributeError) as error:
        raise Refusal(BAD_BODY, f"the {kind} in storage is {str(value)[:40]!r}") from error
    if len(raw) < at + 16:
        raise Refusal(BAD_BODY, f"the {kind} in storage is too short")
    return int.from_bytes(raw[at : at + 16], "little")


def _concat(part: bytes) -> str:
    """A storage key's part: its hash (blake2_128), and itself."""
    return (hashlib.blake2b(part, digest_size=16).digest() + part).hex()


async def _antelope(endpoint: Endpoint, run: Run, canary: Mapping[str, Any]) -> int:
    """`["12.3456 EOS"]`, with as many decimals as the token has; an empty list for nothing."""
    code, _, symbol = canary.get("token", "eosio.token:EOS").partition(":")
    payload = {"code": code, "account": canary["address"], "symbol": symbol}
    value = await rpc.ask(endpoint, run, "/v1/chain/get_currency_balance", payload)
    if not isinstance(value, list):
        raise Refusal(BAD_BODY, f"the balance is {str(value)[:60]!r}")
    whole, _, part = str(value[0]).partition(" ")[0].partition(".") if value else ("0", "", "")
    decimals = canary.get("decimals", _DECIMALS["antelope"])
    return _amount(whole + part[:decimals].ljust(decimals, "0"))


def _satoshis(coins: Any) -> int:  # noqa: ANN401 - JSON
    """A node's number of whole coins in the smallest unit. Raises Refusal."""
    if isinstance(coins, int | float) and not isinstance(coins, bool) and 0 <= coins <= 21e6:
        return round(coins * 10**8)
    raise Refusal(BAD_BODY, f"value is {str(coins)[:60]!r}, not a number")


def _amount(value: Any, *, hexadecimal: bool = False) -> int:  # noqa: ANN401 - JSON
    """An amount in the smallest unit, below 2^256: a JSON number, or a text of digits. Raises Refusal."""
    number = -1
    if isinstance(value, int) and not isinstance(value, bool):
        number = value
    elif isinstance(value, str) and value.isascii() and 0 < len(value) <= 80:
        try:
            number = int(value, 16) if hexadecimal and value.startswith("0x") else int(value)
        except ValueError:
            number = -1
    if 0 <= number < _MAX_AMOUNT:
        return number
    raise Refusal(BAD_BODY, f"balance is {str(value)[:60]!r}, not a number")


_READERS: dict[str, Callable[[Endpoint, Run, Mapping[str, Any]], Awaitable[int]]] = {
    "bitcoin": _bitcoin,
    "tron": _tron,
    "solana": _solana,
    "aptos": _aptos,
    "substrate": _substrate,
    "antelope": _antelope,
}


# --- judging ---


class Finding(NamedTuple):
    """What the balances mean. `is_told_by_others`: references show funds where an own endpoint does not."""

    outcome: Outcome
    error_class: str
    words: str
    is_told_by_others: bool


def judge(records: Sequence[Record], canary: Mapping[str, Any] | None) -> Finding | None:
    """An own endpoint that shows too little, or nothing at all; None when all is well or nobody can tell."""
    if canary is None:
        return None

    def is_low(coins: float) -> bool:
        return coins == 0 or coins < canary.get("min_balance", 0)

    known = [each.canary_balance for each in records if each.role == "reference" and each.canary_balance is not None]
    funds = [coins for coins in known if not is_low(coins)]
    best: Finding | None = None
    for record in records:
        coins = record.canary_balance
        if record.role != "own":
            continue
        if coins is not None and is_low(coins) and (funds or not known):
            others = f", {max(funds):g} by the references" if funds else ""
            words = f"{record.endpoint}: the canary's balance shows {coins:g}{others}: balances may show too little"
            return Finding("down", "node_behind" if funds else "assertion", words, bool(funds))
        if record.canary_error in _NO_STATE:
            words = f"{record.endpoint}: the canary's balance cannot be read ({record.canary_error})"
            best = best or Finding("degraded", record.canary_error, words, bool(funds))
    return best
