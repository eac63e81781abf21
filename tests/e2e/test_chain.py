"""A wallet's own node beside two references, all real: what the page says while ours stands or forks, and while all stand."""

from __future__ import annotations

import pytest
from evm_nodes import CHAIN_ID, Network
from installation import Installation

WALLET = """
page: {{name: {{en: Node Wallet, zh-Hans: 节点钱包}}, url: "https://status.wallet.example", languages: [zh-Hans, en]}}
components:
  login: {{name: {{en: Sign-in, zh-Hans: 登录}}}}
chains:
  ours:
    name: {{en: Our Chain, zh-Hans: 我们的链}}
    family: evm
    id: {chain_id}
    interval: 1s
    timings: {{block_s: 1, lag_blocks: [3, 60], lag_s: [4, 60], halt_s: 4, confirm_s: 1}}
    endpoints:
      - {{url: "{own}", supplier: us}}
      - {{url: "{one}", role: reference, supplier: one}}
      - {{url: "{two}", role: reference, supplier: two}}
defaults: {{interval: 1s, retry: 500ms, confirm: {{failures: 2, successes: 1}}}}
allow_networks: [127.0.0.0/8]
"""


BEHIND = ("degraded_performance", "node_lag", "us", "our node is behind the network", "我方节点落后于网络")
FORKED = ("partial_outage", "node_lag", "us", "our node follows another branch than the network", "我方节点与网络主链分叉")
HALTED = ("major_outage", "chain_halt", "chain", "the network is not producing blocks", "区块链网络已停止出块")


def freeze(network):
    network.freeze("own")


def resume(network):
    network.resume("own")


def fork(network):
    network.fork("own", 20)


def heal(network):
    network.heal("own")


def halt(network):
    network.is_halted = True


def go_on(network):
    network.is_halted = False


@pytest.fixture(scope="module")
def network():
    found = Network()
    found.mine(*range(found.genesis_at + 1, found.genesis_at + 41))
    found.run()
    yield found
    found.close()


@pytest.fixture
def home(network, tmp_path):
    wallet = tmp_path / "wallet.yaml"
    urls = {name: network[name].url for name in ("own", "one", "two")}
    wallet.write_text(WALLET.format(chain_id=CHAIN_ID, **urls), encoding="utf-8")
    found = Installation(tmp_path, config=wallet)
    found.start(wait_s=90)
    yield found
    assert found.stop() == 0


def status(home):
    components = home.get("/api/v2/components.json").json()["components"]
    return next(each["status"] for each in components if each["name"] in {"Our Chain", "我们的链"})


def notices(home):
    return home.get("/api/v2/incidents/unresolved.json").json()["incidents"]


def calm(home):
    home.wait_for(lambda: status(home) == "operational" and not notices(home), within_s=30)


# Three installations: a monitor that breaks and mends twice within minutes is flapping, and rightly so.
@pytest.mark.timeout(150)
@pytest.mark.parametrize(
    ("break_it", "mend_it", "expected"), [(freeze, resume, BEHIND), (fork, heal, FORKED), (halt, go_on, HALTED)]
)
def test_the_page_tells_our_node_from_the_network_and_recovers(home, network, break_it, mend_it, expected):
    component_status, cause, attribution, english, chinese = expected
    calm(home)

    break_it(network)
    try:
        [notice] = home.wait_for(lambda: notices(home), within_s=30)
        assert status(home) == component_status
        wallet = notice["x_wallet"]
        assert (wallet["suspected"], wallet["cause"], wallet["attribution"]) == (True, cause, attribution)
        for language, title in (("en", f"Our Chain: {english}"), ("zh-Hans", f"我们的链：{chinese}")):
            assert wallet["titles"][language] == title
            for path in (f"/{language}/", f"/{language}/history.atom"):  # a file after the other
                home.wait_for(lambda path=path, title=title: title in home.get(path).text, within_s=5)
    finally:
        mend_it(network)
    calm(home)
