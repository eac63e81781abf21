from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from statuspage.domain import signing
from statuspage.domain.signing import (
    GENESIS,
    Broken,
    body_hash,
    canonical,
    entry,
    hash_of,
    key_id,
    public_key,
    sign,
    verify,
)
from statuspage.errors import InvalidInput

AT = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)
KEY, OTHER = bytes(range(32)), bytes(range(1, 33))
texts = st.text(st.characters(exclude_categories=["Cs"]))
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


@dataclass(frozen=True)
class Row:
    n: int
    payload: str
    prev_hash: str
    hash: str
    key_id: str
    signature: str


def row(n, prev, *, title="t", private=KEY, module=signing):
    payload = module.entry(n, prev, AT + timedelta(seconds=n), {"title": title}, {"en": body_hash(title)})
    return Row(n, payload, prev, hash_of(payload), key_id(public_key(private)), sign(private, payload))


def chain(length, module=signing):
    rows, prev = [], GENESIS
    for n in range(1, length + 1):
        rows.append(row(n, prev, title=f"t{n}", module=module))
        prev = rows[-1].hash
    return rows


KEYS = {key_id(public_key(KEY)): public_key(KEY)}


def test_the_example_of_the_rfc_comes_out_as_printed_there():
    value = {
        "\u20ac": "Euro Sign",
        "\r": "Carriage Return",
        "\ufb33": "Hebrew Letter Dalet With Dagesh",
        "1": "One",
        "\U0001f600": "Emoji: Grinning Face",
        "\u0080": "Control",
        "\u00f6": "Latin Small Letter O With Diaeresis",
    }

    assert list(json.loads(canonical(value)).values()) == [
        "Carriage Return", "One", "Control", "Latin Small Letter O With Diaeresis", "Euro Sign", "Emoji: Grinning Face",
        "Hebrew Letter Dalet With Dagesh",
    ]  # fmt: skip


def test_text_is_escaped_as_little_as_rfc_8785_asks():
    assert (
        canonical("\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/\x7f\u2028")
        == '"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/\x7f\u2028"'
    )


def test_literals_and_nesting_have_no_white_space():
    assert canonical({"b": [1, True, None, (-2, False)], "a": {}}) == '{"a":{},"b":[1,true,null,[-2,false]]}'


@given(values)
def test_what_is_signed_can_be_read_back_and_has_one_form(value):
    text = canonical(value)

    assert json.loads(text) == value
    assert canonical(json.loads(text)) == text
    assert text.encode().decode() == text


@given(st.dictionaries(texts, st.integers(0, 9), max_size=6), st.randoms())
def test_the_order_of_keys_does_not_matter(value, rng):
    items = list(value.items())
    rng.shuffle(items)

    assert canonical(dict(items)) == canonical(value)


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (1.0, ""),
        ({"a": [0, 0.5]}, "/a/1"),
        ({"eta": float("nan")}, "/eta"),
        (2**53, ""),
        (-(2**53), ""),
        ("\ud800", ""),
        ({"\udfff": 1}, ""),
        ({1: "x"}, ""),
        ({"at": AT}, "/at"),
        ({"b": b"x"}, "/b"),
        ({"s": {1, 2}}, "/s"),
    ],
)
def test_what_has_no_single_form_is_refused_with_its_place(value, path):
    with pytest.raises(InvalidInput, match="cannot be signed") as caught:
        canonical(value)

    assert caught.value.field == path


def test_an_entry_holds_number_predecessor_time_facts_and_body_hashes():
    payload = entry(7, "ab", AT, {"title": {"zh-Hans": "转账失败", "en": "Transfers fail"}}, {"en": body_hash("x")})

    assert payload == (
        '{"at":1772366400250,"bodies":{"en":"2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"},'
        '"n":7,"prev":"ab","snapshot":{"title":{"en":"Transfers fail","zh-Hans":"转账失败"}},"v":1}'
    )
    assert hash_of(payload) == hashlib.sha256(payload.encode()).hexdigest()


def test_a_signature_holds_for_its_text_and_key_only():
    signature = sign(KEY, "payload")

    assert verify(public_key(KEY), "payload", signature)
    assert not verify(public_key(KEY), "Payload", signature)
    assert not verify(public_key(OTHER), "payload", signature)
    assert not verify(public_key(KEY), "payload", sign(OTHER, "payload"))


def test_the_first_vector_of_rfc_8032_verifies():
    private = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")

    assert public_key(private) == "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
    assert sign(private, "") == (
        "5VZDAMNgrHKQhuLMgG6CioSHfx645dl02HPgZSJJAVVfuIIVkKM7rMYeOXAc+bRr0lv18FlbviRlUUFDjnoQCw=="
    )
    assert key_id(public_key(private)) == "21fe31dfa154a261"


@pytest.mark.parametrize("damage", ["", "!", "AAAA", "é"])
def test_damaged_keys_and_signatures_verify_as_false(damage):
    assert not verify(public_key(KEY), "p", damage)
    assert not verify(damage, "p", sign(KEY, "p"))


def test_a_whole_chain_holds():
    rows = chain(5)

    assert signing.verify_chain(rows, KEYS) is None
    assert signing.verify_chain([], KEYS) is None
    assert signing.verify_chain(rows[2:], KEYS, after=(2, rows[1].hash)) is None
    assert signing.verify_chain(rows, KEYS, head=(5, rows[4].hash)) is None
    assert signing.verify_chain(rows, KEYS, head=(3, rows[2].hash)) is None


def test_a_chain_signed_by_two_keys_in_turn_holds():
    first = row(1, GENESIS)
    second = row(2, first.hash, private=OTHER)

    both = KEYS | {key_id(public_key(OTHER)): public_key(OTHER)}
    assert signing.verify_chain([first, second], both) is None
    assert signing.verify_chain([first, second], KEYS) == Broken(2, "key")


def resealed(rows, index, payload):
    """An attacker with write access but without the key: everything made to fit, only the signatures are old."""
    rows[index] = replace(rows[index], payload=payload, hash=hash_of(payload))
    for later in range(index + 1, len(rows)):
        prev = rows[later - 1].hash
        text = canonical(json.loads(rows[later].payload) | {"prev": prev})
        rows[later] = replace(rows[later], payload=text, prev_hash=prev, hash=hash_of(text))
    return rows


ATTACKS = {
    "altered payload": (lambda r: [*r[:2], replace(r[2], payload=r[2].payload.replace("t3", "xx")), *r[3:]], Broken(3, "hash")),
    "altered and hashed again": (
        lambda r: [*r[:2], replace(r[2], payload=(p := r[2].payload.replace("t3", "xx")), hash=hash_of(p)), *r[3:]],
        Broken(3, "signature"),
    ),
    "altered and everything after it fitted": (
        lambda r: resealed(list(r), 2, r[2].payload.replace("t3", "xx")), Broken(3, "signature"),
    ),
    "dropped first": (lambda r: r[1:], Broken(1, "number")),
    "dropped in the middle": (lambda r: [*r[:2], *r[3:]], Broken(3, "number")),
    "dropped and renumbered": (
        lambda r: [*r[:2], *(replace(x, n=x.n - 1) for x in r[3:])], Broken(3, "previous"),
    ),
    "dropped last": (lambda r: r[:-1], Broken(5, "end")),
    "dropped all": (lambda _: [], Broken(5, "end")),
    "swapped": (lambda r: [r[0], r[2], r[1], *r[3:]], Broken(2, "number")),
    "swapped and renumbered": (lambda r: [r[0], replace(r[2], n=2), replace(r[1], n=3), *r[3:]], Broken(2, "previous")),
    "doubled": (lambda r: [*r[:3], r[2], *r[3:]], Broken(4, "number")),
    "payload of another row": (lambda r: [r[0], replace(r[1], payload=r[0].payload), *r[2:]], Broken(2, "payload")),
    "payload with white space": (lambda r: [r[0], replace(r[1], payload=r[1].payload + " "), *r[2:]], Broken(2, "payload")),
    "payload that is not JSON": (lambda r: [r[0], replace(r[1], payload="{"), *r[2:]], Broken(2, "payload")),
    "payload that nests without end": (lambda r: [r[0], replace(r[1], payload="[" * 100_000), *r[2:]], Broken(2, "payload")),
    "other key": (lambda r: [r[0], replace(r[1], key_id="0" * 16), *r[2:]], Broken(2, "key")),
    "signed by a stranger": (
        lambda r: [r[0], replace(r[1], signature=sign(OTHER, r[1].payload)), *r[2:]], Broken(2, "signature"),
    ),
    "no signature": (lambda r: [*r[:4], replace(r[4], signature="")], Broken(5, "signature")),
}  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_first_broken_row_is_named_after_an_attack(attack):
    make, expected = ATTACKS[attack]
    rows = chain(5)

    assert signing.verify_chain(make(rows), KEYS, head=(5, rows[-1].hash)) == expected


def test_a_key_list_that_names_a_strangers_key_by_our_id_is_not_believed():
    ours = next(iter(KEYS))
    forged = [replace(row(1, GENESIS, private=OTHER), key_id=ours)]

    assert signing.verify_chain(forged, {ours: public_key(OTHER)}) == Broken(1, "key")


def after_every_attack(module):
    for attack, (make, expected) in ATTACKS.items():
        rows = chain(5)
        found = module.verify_chain(make(rows), KEYS, head=(5, rows[-1].hash))
        assert found is not None, attack
        assert (found.n, found.reason) == (expected.n, expected.reason), attack


def with_a_forged_key_list(module):
    ours = next(iter(KEYS))
    forged = [replace(row(1, GENESIS, private=OTHER), key_id=ours)]
    assert module.verify_chain(forged, {ours: public_key(OTHER)}) is not None


def with_the_rfcs_text(module):
    assert module.canonical({"\U0001f600": 1, "\ufb33": 2, "ö": "\n"}) == '{"ö":"\\n","\U0001f600":1,"\ufb33":2}'


PLANTED = [
    ("code_point_order", with_the_rfcs_text, 'text.encode("utf-16-be")', 'text.encode("utf-32-be")'),
    ("ascii_only", with_the_rfcs_text, "ensure_ascii=False", "ensure_ascii=True"),
    ("numbers_not_compared", after_every_attack, "if row.n != n:", "if False:"),
    ("predecessor_not_compared", after_every_attack, "if row.prev_hash != previous:", "if False:"),
    ("payload_not_compared", after_every_attack, "if not _is_payload_of(row):", "if False:"),
    ("hash_not_compared", after_every_attack, "if row.hash != hash_of(row.payload):", "if False:"),
    ("signature_not_compared", after_every_attack, 'return "" if verify(', 'return "" if True or verify('),
    ("key_id_not_compared", with_a_forged_key_list, "public is None or key_id(public) != row.key_id", "public is None"),
    ("end_not_compared", after_every_attack, "if head is not None and", "if False and"),
]


@pytest.mark.parametrize(("check", "old", "new"), [bug[1:] for bug in PLANTED], ids=[bug[0] for bug in PLANTED])
def test_a_planted_bug_is_found(planted, check, old, new):
    check(signing)
    module = planted(signing, old, new)

    with pytest.raises(AssertionError):
        check(module)


@given(st.integers(2, 6), st.data())
@settings(max_examples=60, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
def test_any_one_changed_character_of_any_row_is_found(length, data):
    rows = chain(length)
    index = data.draw(st.integers(0, length - 1))
    field = data.draw(st.sampled_from(["payload", "prev_hash", "hash", "key_id", "signature"]))
    text = getattr(rows[index], field)
    place = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.characters(codec="ascii").filter(lambda c: c != text[place]))
    rows[index] = replace(rows[index], **{field: text[:place] + letter + text[place + 1 :]})

    broken = signing.verify_chain(rows, KEYS)

    assert broken is not None
    assert broken.n == index + 1
