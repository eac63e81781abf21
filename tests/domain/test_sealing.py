from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statuspage.domain.sealing import SealBroken, is_same, keyed_hash, new_key, new_token, seal, token_hash, unseal

KEY = bytes(range(32))


@given(st.binary(max_size=300), st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_what_was_sealed_opens_with_the_same_key_and_context(data, context):
    sealed = seal(KEY, data, context)

    assert unseal(KEY, sealed, context) == data
    assert len(sealed) == len(data) + 29


def test_the_same_bytes_never_seal_to_the_same_value():
    assert len({seal(KEY, b"+85291234567", "a") for _ in range(50)}) == 50


def test_nothing_of_the_content_shows():
    assert b"+85291234567" not in seal(KEY, b"+85291234567", "a")


@pytest.mark.parametrize("place", range(29 + 5))
def test_one_changed_bit_anywhere_is_noticed(place):
    sealed = bytearray(seal(KEY, b"hello", "a"))
    sealed[place] ^= 1

    with pytest.raises(SealBroken):
        unseal(KEY, bytes(sealed), "a")


@pytest.mark.parametrize("cut", [0, 1, 12, 28, 33])
def test_a_cut_value_does_not_open(cut):
    with pytest.raises(SealBroken):
        unseal(KEY, seal(KEY, b"hello", "a")[:cut], "a")


def test_another_key_or_context_does_not_open_it_and_the_error_tells_no_content():
    sealed = seal(KEY, b"+85291234567", "subscriptions.address")

    with pytest.raises(SealBroken, match="does not open"):
        unseal(new_key(), sealed, "subscriptions.address")
    with pytest.raises(SealBroken, match="of operators") as caught:
        unseal(KEY, sealed, "operators.totp")
    assert "852" not in str(caught.value)


def test_a_keyed_hash_is_hmac_sha256():
    assert keyed_hash(KEY, "+852 电话") == hmac.new(KEY, "+852 电话".encode(), hashlib.sha256).hexdigest()
    assert keyed_hash(KEY, "a") != keyed_hash(new_key(), "a")


def test_tokens_are_long_and_never_repeat_and_are_kept_as_a_hash():
    tokens = {new_token() for _ in range(200)}

    assert len(tokens) == 200
    assert {len(token) for token in tokens} == {43}
    assert token_hash("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [("a", "a", True), ("a", "b", False), ("", "a", False), ("é", "é", True), ("\ud800", "x", False)],
)
def test_secrets_are_compared_whatever_their_characters(one, other, same):
    assert is_same(one, other) is same
