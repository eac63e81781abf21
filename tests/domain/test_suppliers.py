import pytest

from statuspage.domain.suppliers import keys_of, registrable, shared


@pytest.mark.parametrize(
    ("supplier", "target", "dialled", "expected"),
    [
        ("", "https://mainnet.infura.io/v3/key", "", {"domain:infura.io"}),
        ("", "https://API.Wallet.co.uk:8443/x", "", {"domain:wallet.co.uk"}),
        ("", "https://pay.bank.com.hk/", "203.0.113.9", {"domain:bank.com.hk", "network:203.0.113.0/24"}),
        ("", "db.internal.example:5432", "2001:db8:1:2::3", {"domain:internal.example", "network:2001:db8:1::/48"}),
        ("", "http://10.1.2.3:80/", "", {"network:10.1.2.0/24"}),
        ("", "[2001:db8::1]:443", "", {"network:2001:db8::/48"}),
        ("", "https://[2001:db8::1]/", "", {"network:2001:db8::/48"}),
        ("", "localhost:80", "127.0.0.1", {"network:127.0.0.0/24"}),
        ("", "ethereum", "", set()),
        ("", "${env:RPC_URL}", "", set()),
        ("", "http://[broken", "", set()),
        ("Bank A", "https://pay.bank.com.hk/", "203.0.113.9", {"supplier:Bank A"}),
    ],
)
def test_what_a_monitor_shares(supplier, target, dialled, expected):
    assert keys_of(supplier, target, dialled) == expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [("a.b.example.com", "example.com"), ("example.com.", "example.com"), ("co.uk", "co.uk"), ("x.co.uk", "x.co.uk"),
     ("a.x.com.cn", "x.com.cn"), ("bank.ch", "bank.ch"), ("a.b.io", "b.io"), ("10.0.0.1", ""), ("host", ""), ("", ""),
     ("a..b", "")],
)  # fmt: skip
def test_the_part_of_a_name_that_was_registered(host, expected):
    assert registrable(host) == expected


NAMED, DOMAIN, NETWORK = frozenset({"supplier:a"}), frozenset({"domain:a.io"}), frozenset({"network:10.0.0.0/24"})


@pytest.mark.parametrize(
    ("failing", "everyone", "expected"),
    [
        ([NAMED], {"supplier:a": 1}, []),
        ([NAMED, NAMED], {"supplier:a": 10}, ["supplier:a"]),  # the operator has said that they belong together
        ([DOMAIN, DOMAIN], {"domain:a.io": 2}, ["domain:a.io"]),
        ([DOMAIN, DOMAIN], {"domain:a.io": 3}, ["domain:a.io"]),
        ([DOMAIN, DOMAIN], {"domain:a.io": 4}, []),  # a half of them works
        ([DOMAIN, NETWORK], {"domain:a.io": 1, "network:10.0.0.0/24": 1}, []),
        (
            [DOMAIN | NETWORK, DOMAIN, NETWORK],
            {"domain:a.io": 2, "network:10.0.0.0/24": 2},
            ["domain:a.io", "network:10.0.0.0/24"],
        ),
        ([frozenset({"domain:own.example"})] * 3, {"domain:own.example": 3}, []),
    ],
)  # fmt: skip
def test_failures_that_share_enough_are_one_finding(failing, everyone, expected):
    assert shared(failing, everyone, "own.example") == expected
