"""What a stored password costs whoever steals it."""

import runpy

from statuspage.actions import passwords


def test_a_stored_password_costs_64_mebibytes_and_three_passes():
    as_shipped = runpy.run_path(passwords.__file__)  # the tests themselves hash cheaply: tests/conftest.py

    stored = as_shipped["hash_password"]("four unrelated words")

    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert as_shipped["is_password"](stored, "four unrelated words")
    assert not as_shipped["is_password"](stored, "four unrelated word")
    assert not passwords.hash_password("four unrelated words").startswith("$argon2id$v=19$m=65536")
