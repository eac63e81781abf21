"""Three real EVM nodes (anvil) of one chain, mined block by block: frozen, forked and resumed as a test wishes.

The same genesis and the same times of blocks make the same hashes on every node, so nodes that were given the same blocks are
one chain, as if they had heard of them from each other.
"""

from __future__ import annotations

import atexit
import json
import shutil
import socket
import subprocess
import threading
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

CHAIN_ID = 31337
_INSTALLED = Path(__file__).resolve().parent.parent / ".venv" / "test-nodes" / "node_modules"
_OTHER_MINER = "0x" + "11" * 20


def anvil():
    """The program; scripts/test-setup installs it."""
    found = shutil.which("anvil") or next((str(path) for path in _INSTALLED.glob("@foundry-rs/anvil-*/bin/anvil")), None)
    assert found, "no anvil: run scripts/test-setup"
    return found


class Node:
    """One anvil process that mines only when told."""

    def __init__(self, genesis_at):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.genesis_at = genesis_at
        self.is_frozen = False
        self.start()
        atexit.register(self.stop)

    def start(self):
        self.count = 0  # blocks of the chain that it was given
        self.process = subprocess.Popen(
            [anvil(), "--port", str(self.port), "--no-mining", "--silent", "--chain-id", str(CHAIN_ID),
             "--timestamp", str(self.genesis_at)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def wait(self, within_s=20):
        until = time.monotonic() + within_s
        while time.monotonic() < until:
            with suppress(OSError):
                return self.call("eth_chainId")
            assert self.process.poll() is None, "anvil ended"
            time.sleep(0.02)
        raise AssertionError("anvil did not answer")

    def call(self, method, *params):
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        request = urllib.request.Request(self.url, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            reply = json.load(answer)
        assert "error" not in reply, reply
        return reply["result"]

    def head(self):
        block = self.call("eth_getBlockByNumber", "latest", False)  # noqa: FBT003 - the order of the specification
        return int(block["number"], 16), block["hash"]

    def stop(self):
        self.process.kill()
        self.process.wait(20)


class Network:
    """The chain: `times` are its blocks' seconds since the epoch. A lock keeps the miner's thread and the test apart."""

    def __init__(self, names=("own", "one", "two"), genesis_at=None):
        self.genesis_at = genesis_at or int(time.time()) - 60
        self.times = []
        self.nodes = {name: Node(self.genesis_at) for name in names}
        self.lock = threading.RLock()
        self._stop = threading.Event()
        self._miner = None
        for node in self.nodes.values():
            node.wait()

    def __getitem__(self, name):
        return self.nodes[name]

    def mine(self, *times):
        """Blocks of these seconds, on every node that is not frozen."""
        with self.lock:
            self.times += times
            self._spread()

    def _spread(self):
        for node in self.nodes.values():
            if not node.is_frozen:
                for at in self.times[node.count :]:
                    node.call("evm_mine", at)
                node.count = len(self.times)

    def freeze(self, name):
        with self.lock:
            self.nodes[name].is_frozen = True

    def resume(self, name):
        """It hears of all blocks that it missed."""
        with self.lock:
            self.nodes[name].is_frozen = False
            self._spread()

    def fork(self, name, depth):
        """Other blocks in place of the newest `depth`, with the same numbers and times."""
        with self.lock:
            node = self.nodes[name]
            node.call("anvil_rollback", depth)
            node.call("anvil_setCoinbase", _OTHER_MINER)
            for at in self.times[node.count - depth : node.count]:
                node.call("evm_mine", at)

    def heal(self, name):
        """Start anew with the chain of all: nothing of the fork is left."""
        with self.lock:
            node = self.nodes[name]
            node.stop()
            node.start()
            node.wait()
            self._spread()

    def run(self, every_s=1.0):
        """Mine in the background from now on, a block each second of the clock."""

        def work():
            while not self._stop.wait(every_s / 10):
                now = int(time.time())
                with self.lock:
                    if not self.is_halted and now > (self.times or [self.genesis_at])[-1]:
                        self.mine(now)

        self.is_halted = False
        self._miner = threading.Thread(target=work, daemon=True)
        self._miner.start()

    def close(self):
        self._stop.set()
        if self._miner:
            self._miner.join(10)
        for node in self.nodes.values():
            node.stop()
