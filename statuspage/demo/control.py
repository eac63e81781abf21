"""`statuspage demo break` from another process: a loopback port whose number and token are in a file only its owner reads."""

from __future__ import annotations

import hmac
import json
import os
import secrets
import socket
import socketserver
import threading
from collections.abc import Callable
from pathlib import Path

FUNCTIONS: dict[str, dict[str, str]] = {
    "transfers": {"en": "The ledger refuses new transfers: 503", "zh-Hans": "账本拒绝写入转账并返回503"},
    "slow-transfers": {"en": "The standby confirms transfers after 2.5 s", "zh-Hans": "备用库确认变慢 转账需2.5秒"},
    "balances": {"en": "The displayed balances are no longer refreshed", "zh-Hans": "余额显示停止更新"},
    "login": {"en": "The customers' table is gone: 500 with a web page", "zh-Hans": "用户表丢失并返回500页面"},
    "payments": {"en": "The ledger refuses payments: 503", "zh-Hans": "账本拒绝付款并返回503"},
    "history": {"en": "Statements are cut off in the middle: garbled JSON", "zh-Hans": "交易记录文件被截断 JSON损坏"},
    "chain": {"en": "The Ethereum node's chain stops producing blocks", "zh-Hans": "以太坊停止出块"},
    "tls": {"en": "The TLS port serves a certificate that expired yesterday", "zh-Hans": "TLS端口证书已过期"},
    "everything": {"en": "The ports are closed and every chain stands still", "zh-Hans": "端口关闭且链停止出块"},
}
_FILE = "control.json"
_TIMEOUT_S = 30
_MOST_BYTES = 4096


class DemoError(Exception):
    """The demo wallet cannot do that. The message says what to change."""


def functions() -> dict[str, dict[str, str]]:
    """What can be broken: name -> what happens, by language."""
    return {name: dict(texts) for name, texts in FUNCTIONS.items()}


def check(function: str) -> None:
    """Raise DemoError unless `function` can be broken."""
    if function not in FUNCTIONS:
        message = f"{function} cannot be broken; possible: {', '.join(FUNCTIONS)}"
        raise DemoError(message)


def break_(data_dir: Path, function: str) -> list[str]:
    """Break a function of the demo wallet that runs on `data_dir`; returns all that are broken once the fault is in force."""
    check(function)
    return _ask(data_dir, {"do": "break", "function": function})


def heal(data_dir: Path, function: str | None = None) -> list[str]:
    """Mend one function, or all; returns those still broken."""
    if function is not None:
        check(function)
    return _ask(data_dir, {"do": "heal", "function": function})


def broken(data_dir: Path) -> list[str]:
    """What is broken now. Raises DemoError when no demo wallet runs on `data_dir`."""
    return _ask(data_dir, {"do": "list"})


def _ask(data_dir: Path, request: dict[str, str | None]) -> list[str]:
    try:
        found = json.loads((data_dir / _FILE).read_text(encoding="ascii"))
        with socket.create_connection(("127.0.0.1", found["port"]), timeout=_TIMEOUT_S) as connection:
            connection.sendall(json.dumps({**request, "token": found["token"]}).encode() + b"\n")
            with connection.makefile("rb") as stream:
                reply = json.loads(stream.readline(_MOST_BYTES))
    except (OSError, ValueError, KeyError) as error:
        message = f"no demo wallet answers on {data_dir}: start it with `statuspage demo`"
        raise DemoError(message) from error
    if "error" in reply:
        raise DemoError(reply["error"])
    return [str(name) for name in reply["broken"]]


class ControlServer:
    """The serving side. `act(what, function)` carries out break | heal | list and returns what is broken, or raises DemoError."""

    def __init__(self, data_dir: Path, act: Callable[[str, str | None], list[str]]) -> None:
        self._path = data_dir / _FILE
        token = secrets.token_urlsafe(24)

        class Handler(socketserver.StreamRequestHandler):
            timeout = _TIMEOUT_S

            def handle(self) -> None:
                reply = _reply(self.rfile.readline(_MOST_BYTES), token, act)
                self.wfile.write(json.dumps(reply).encode() + b"\n")

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="demo-control", daemon=True)
        self._thread.start()
        temporary = self._path.with_suffix(".new")
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
            json.dump({"port": self._server.server_address[1], "token": token}, file)
        temporary.replace(self._path)

    def close(self) -> None:
        """Stop to listen and take the file away."""
        self._path.unlink(missing_ok=True)
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


def _reply(line: bytes, token: str, act: Callable[[str, str | None], list[str]]) -> dict[str, object]:
    try:
        request = json.loads(line)
        given, what, function = str(request["token"]), str(request["do"]), request.get("function")
    except (ValueError, KeyError, TypeError):
        return {"error": "not understood"}
    if not hmac.compare_digest(given.encode(), token.encode()):
        return {"error": "wrong token"}
    try:
        return {"broken": act(what, function)}
    except DemoError as error:
        return {"error": str(error)}
