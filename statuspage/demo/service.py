"""The running demo wallet: its ports, its daily business, and which of its functions are broken at the moment."""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import random
import signal
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO

from statuspage.demo import control, tls
from statuspage.demo.chain import Chain
from statuspage.demo.control import FUNCTIONS, ControlServer, DemoError
from statuspage.demo.ledger import PROBE, Ledger, Refused, StorageFault
from statuspage.demo.listener import Listener
from statuspage.demo.wallet import Wallet

_LOG = logging.getLogger(__name__)
_COPY_S = 0.5
_BUSINESS_S = 2.0
_TRIM_S = 600.0
_STALL_MS = 2500
_FIRST = "ethereum"
_CHAINS = {_FIRST: 1, "bsc": 56, "polygon": 137}  # EIP-155 chain ids


class Demo:
    """One demo wallet on one data folder. `broken` survives a restart; a fault is in force when `break_` returns."""

    def __init__(self, host: str, port: int, data_dir: Path, tls_port: int, *, block_s: float = 3.0) -> None:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.data_dir = data_dir
        self.host = host
        self._memory = data_dir / "faults.json"
        self._statements = data_dir / "statements"
        self._statements.mkdir(exist_ok=True)
        self._lock_file = _claim(data_dir)
        self._change = threading.Lock()  # one break or heal at a time
        self._copying = threading.Lock()  # a copy under way ends before its fault is in force
        self._stopping = threading.Event()
        self._broken = self._remembered()
        self._expired: bool | None = None
        self.ledger = Ledger(data_dir / "ledger.db")
        self._chains = {
            name: Chain(data_dir / f"{name}.json", chain_id=chain_id, block_s=block_s, frozen=name in _frozen(self._broken))
            for name, chain_id in _CHAINS.items()
        }
        nodes = {"/rpc" if name == _FIRST else f"/rpc/{name}": node for name, node in self._chains.items()}
        wallet = Wallet(self.ledger, nodes, self._statements)
        self._http = Listener(wallet, host, port)
        self._https = Listener(wallet, host, tls_port)
        self._threads: list[threading.Thread] = []
        self._control: ControlServer | None = None

    @property
    def chain(self) -> Chain:
        """The chain that `break chain` halts."""
        return self._chains[_FIRST]

    @property
    def port(self) -> int:
        """The plain HTTP port."""
        return self._http.port

    @property
    def tls_port(self) -> int:
        """The TLS port."""
        return self._https.port

    @property
    def url(self) -> str:
        """Where the wallet's API answers."""
        return f"http://{self.host}:{self.port}"

    @property
    def tls_url(self) -> str:
        """The same API over TLS; the certificate is signed by `ca_path`."""
        return f"https://{self.host}:{self.tls_port}"

    @property
    def ca_path(self) -> Path:
        """The authority to trust for the TLS port."""
        return tls.ca_path(self.data_dir)

    @property
    def broken(self) -> list[str]:
        """The functions that are broken."""
        return sorted(self._broken)

    def start(self) -> Demo:
        """Open the ports and begin business. Raises OSError when a port is taken; nothing is left open then."""
        try:
            self._copy()
            self._enforce(self._broken)
            self._control = ControlServer(self.data_dir, self._act)
        except BaseException:
            self.stop()
            raise
        tasks: list[tuple[float, Callable[[], None]]] = [
            (self.chain.block_s, self._produce), (_COPY_S, self._copy), (_BUSINESS_S, self._business),
            (_TRIM_S, self.ledger.trim),
        ]  # fmt: skip
        for seconds, task in tasks:
            thread = threading.Thread(target=self._repeat, args=(seconds, task), name=f"demo-{task.__name__}", daemon=True)
            thread.start()
            self._threads.append(thread)
        return self

    def stop(self) -> None:
        """Close everything; what is broken stays remembered. Harmless when called twice."""
        self._stopping.set()
        if self._control is not None:
            self._control.close()
            self._control = None
        self._http.close()
        self._https.close()
        for thread in self._threads:
            thread.join(5)
        self._lock_file.close()

    def break_(self, function: str) -> list[str]:
        """Break `function`; it is broken when this returns. Raises DemoError."""
        control.check(function)
        return self._set(self._broken | {function})

    def heal(self, function: str | None = None) -> list[str]:
        """Mend `function`, or everything that is broken; returns what still is. Raises DemoError."""
        if function is not None:
            control.check(function)
        return self._set(self._broken - {function} if function else frozenset())

    def _act(self, what: str, function: str | None) -> list[str]:
        if what == "break":
            return self.break_(str(function))
        return self.heal(function) if what == "heal" else self.broken

    def _set(self, wanted: frozenset[str]) -> list[str]:
        with self._change:
            before = self._broken
            try:
                self._broken = wanted
                self._enforce(wanted)
                if "balances" in wanted - before:
                    # Something must happen on the account before its display is wrong.
                    self.ledger.credit(PROBE, 1)
            except (OSError, sqlite3.Error, StorageFault) as error:
                self._broken = before
                with contextlib.suppress(OSError, sqlite3.Error):
                    self._enforce(before)
                message = f"could not change what is broken: {error}"
                raise DemoError(message) from error
            temporary = self._memory.with_suffix(".new")
            temporary.write_text(json.dumps(sorted(wanted)), encoding="ascii")
            temporary.replace(self._memory)
        return self.broken

    def _remembered(self) -> frozenset[str]:
        try:
            return frozenset(json.loads(self._memory.read_text(encoding="ascii"))) & frozenset(FUNCTIONS)
        except (OSError, ValueError, TypeError):
            return frozenset()

    def _enforce(self, broken: frozenset[str]) -> None:
        """Bring every part into the state that `broken` asks for; repeating it changes nothing."""
        self.ledger.refuse_writes("transfers", refuse="transfers" in broken)
        self.ledger.refuse_writes("payments", refuse="payments" in broken)
        self.ledger.slow_standby(_STALL_MS if "slow-transfers" in broken else 0)
        self.ledger.lose_users(lost="login" in broken)
        for name, node in self._chains.items():
            node.freeze(frozen=name in _frozen(broken))
        if "history" in broken:
            self._cut_statements()
        self._copy()
        if self._expired != ("tls" in broken):
            self._expired = "tls" in broken
            self._https.use(tls.context(self.data_dir, expired=self._expired))
        for listener in (self._http, self._https):
            if "everything" in broken:
                listener.close()
            else:
                listener.open()

    # Daily business

    def _repeat(self, seconds: float, task: Callable[[], None]) -> None:
        while not self._stopping.wait(seconds):
            try:
                task()
            except Exception:  # noqa: BLE001 - logged; the next round may succeed
                _LOG.exception("demo wallet: %s failed", task.__name__)

    def _produce(self) -> None:
        for node in self._chains.values():
            node.produce()

    def _copy(self) -> None:
        """What a replication job does: displayed balances and ready-made statements, from the books."""
        with self._copying:
            if "balances" not in self._broken:
                self.ledger.refresh_display()
            if "history" not in self._broken:
                for account in self.ledger.accounts():
                    self._write_statement(account, json.dumps({"account": account, "entries": self.ledger.entries(account)}))

    def _write_statement(self, account: str, text: str) -> None:
        temporary = self._statements / f"{account}.new"
        temporary.write_text(text, encoding="ascii")
        temporary.replace(self._statements / f"{account}.json")

    def _cut_statements(self) -> None:
        """Leave the first half of each statement, as a job that died while writing does."""
        with self._copying:
            for account in self.ledger.accounts():
                whole = json.dumps({"account": account, "entries": self.ledger.entries(account)})
                self._write_statement(account, whole[: len(whole) // 2])

    def _business(self) -> None:
        """A customer sends a small amount, mostly from who has much, so that the probe's account moves and nobody runs dry."""
        accounts = self.ledger.accounts()
        richest = max(accounts, key=self.ledger.balance)
        source, target = (PROBE, random.choice(accounts[:-1])) if richest == PROBE else (richest, PROBE)
        if source != target:
            with contextlib.suppress(Refused, StorageFault):
                self.ledger.transfer(source, target, random.randint(1, 500))


def _frozen(broken: frozenset[str]) -> set[str]:
    """The chains that stand still."""
    return set(_CHAINS) if "everything" in broken else {_FIRST} if "chain" in broken else set()


def _claim(data_dir: Path) -> IO[str]:
    file = (data_dir / "lock").open("w", encoding="ascii")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        message = f"a demo wallet runs on {data_dir} already"
        raise DemoError(message) from error
    return file


def start_in_thread(
    host: str = "127.0.0.1", port: int = 8001, data_dir: Path = Path("var/demo"), tls_port: int = 8443, *, block_s: float = 3.0
) -> Demo:
    """Start a demo wallet on threads of its own; port 0 takes a free one. Raises OSError (port taken), DemoError."""
    return Demo(host, port, data_dir, tls_port, block_s=block_s).start()


def serve(
    host: str = "127.0.0.1", port: int = 8001, data_dir: Path = Path("var/demo"), tls_port: int = 8443,
    *, block_s: float = 3.0, ready: Callable[[Demo], None] | None = None,
) -> None:  # fmt: skip
    """Run a demo wallet until SIGTERM or SIGINT. `ready` is called once the ports answer. Call it from the main thread."""
    ended = threading.Event()
    previous = {number: signal.signal(number, lambda *_: ended.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        demo = start_in_thread(host, port, data_dir, tls_port, block_s=block_s)
        try:
            if ready:
                ready(demo)
            ended.wait()
        finally:
            demo.stop()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
