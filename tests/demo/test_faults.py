"""Every fault shows on the wire, ends when healed, and survives a restart."""

import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

import pytest

from statuspage.demo import control
from statuspage.demo.control import DemoError

ROOT = Path(__file__).parents[2]
RUN = "import sys; from pathlib import Path; from statuspage.demo.service import serve; serve(port=int(sys.argv[2]), data_dir=Path(sys.argv[1]), tls_port=0, ready=lambda demo: print(demo.port, flush=True))"  # fmt: skip  # noqa: E501
HEALTHS = ("/login", "/balances", "/transfers", "/payments", "/cards", "/history", "/otp", "/support", "/account")


def is_json(body):
    try:
        return bool(json.loads(body))
    except ValueError:
        return False


@pytest.mark.parametrize("function", ["transfers", "payments"])
def test_refused_writes_are_503_and_heal(client, demo, function):
    client.sign_in()
    order = {"to": "alice", "amount": "0.05", "merchant": "shop"}

    demo.break_(function)

    assert client.get(f"/{function}/health").status == 503
    assert client.post(f"/{function}", order).status == 503
    assert [path for path in HEALTHS if client.get(f"{path}/health").status != 200] == [f"/{function}"]
    demo.heal(function)
    assert client.get(f"/{function}/health").status == 200
    assert client.post(f"/{function}", order).status == 201


def test_slow_transfers_stall_while_everything_else_is_quick(client, demo):
    demo.break_("slow-transfers")

    slow, quick = client.get("/transfers/health"), client.get("/payments/health")

    assert (slow.status, quick.status) == (200, 200)
    assert slow.seconds >= 2.4
    assert quick.seconds < 1.5
    demo.heal("slow-transfers")
    assert client.get("/transfers/health").seconds < 1.5


def test_stale_balances_are_wrong_from_the_first_moment_and_fall_behind(client, demo, until):
    demo.break_("balances")

    first = client.get("/balances/health")

    assert first.status == 200
    assert first.json["displayed"] != first.json["ledger"]
    until(lambda: client.get("/balances/health").json["lag_s"] > 1.5)
    demo.heal("balances")
    healed = client.get("/balances/health").json
    assert healed["lag_s"] < 1.5


def test_sign_in_answers_with_a_web_page_and_500(client, demo):
    demo.break_("login")

    health, real = client.get("/login/health"), client.post("/session", {"user": "li", "secret": "demo"})

    assert (health.status, real.status) == (500, 500)
    assert health.body.startswith(b"<html>")
    demo.heal("login")
    assert client.post("/session", {"user": "li", "secret": "demo"}).status == 200


def test_history_is_200_with_half_a_document(client, demo):
    demo.break_("history")

    broken = client.get("/history/health")

    assert broken.status == 200
    assert not is_json(broken.body)
    time.sleep(0.7)  # longer than the copying job's interval: it must not repair what it was told to leave
    assert not is_json(client.get("/history/health").body)
    demo.heal("history")
    assert is_json(client.get("/history/health").body)


def test_the_head_stands_still_and_goes_on_from_where_it_stopped(client, demo, until):
    demo.break_("chain")

    number, at = client.head()

    time.sleep(1)
    assert client.head() == (number, at)
    assert client.get("/transfers/health").status == 200
    demo.heal("chain")
    assert until(lambda: client.head()[0] > number)


def test_the_tls_port_serves_an_expired_certificate(client, demo):
    healthy = client.secure()
    assert client.get("/login/health", connection=healthy).status == 200

    demo.break_("tls")

    with pytest.raises((http.client.HTTPException, OSError)):
        client.get("/login/health", connection=healthy)
    broken = client.secure()
    with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
        client.get("/login/health", connection=broken)
    assert client.get("/login/health").status == 200
    demo.heal("tls")
    link = client.secure()
    assert client.get("/login/health", connection=link).status == 200
    for one in (healthy, broken, link):
        one.close()


def test_everything_refuses_connections_breaks_open_ones_and_comes_back_on_the_same_ports(client, demo, until):
    kept = http.client.HTTPConnection("127.0.0.1", demo.port, timeout=5)
    assert client.get("/login/health", connection=kept).status == 200
    number, ports = client.head()[0], (demo.port, demo.tls_port)

    demo.break_("everything")

    for port in ports:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=2).close()
    assert until(lambda: _is_cut(kept.sock))
    kept.close()
    stopped = demo.chain.head()
    time.sleep(0.6)
    assert demo.chain.head() == stopped
    assert demo.heal() == []
    assert (demo.port, demo.tls_port) == ports
    assert client.get("/transfers/health").status == 200
    assert until(lambda: client.head()[0] > number)


def test_healing_one_fault_leaves_the_others(client, demo):
    demo.break_("everything")
    demo.break_("chain")
    demo.break_("payments")

    left = demo.heal("everything")

    assert left == ["chain", "payments"]
    assert client.get("/payments/health").status == 503
    head = client.head()
    time.sleep(0.6)
    assert client.head() == head


@pytest.mark.parametrize("function", control.FUNCTIONS)
def test_a_fault_survives_a_restart_and_can_be_healed_after_it(begin, function):
    first = begin()
    first.break_(function)
    first.stop()

    second = begin()

    assert second.broken == [function]
    assert second.heal() == []
    assert second.ledger.displayed("probe")[1] < 1.5


def test_what_was_broken_before_a_restart_still_shows_after_it(begin):
    first = begin()
    ports = first.port
    for function in ("transfers", "login", "history", "balances"):
        first.break_(function)
    first.stop()
    second = begin()
    link = http.client.HTTPConnection("127.0.0.1", ports, timeout=5)

    seen = {}
    for path in ("/transfers", "/login", "/history", "/balances"):
        link.request("GET", f"{path}/health")
        reply = link.getresponse()
        seen[path] = (reply.status, reply.read())
    link.close()

    assert second.broken == ["balances", "history", "login", "transfers"]
    assert (seen["/transfers"][0], seen["/login"][0]) == (503, 500)
    assert not is_json(seen["/history"][1])
    assert json.loads(seen["/balances"][1])["lag_s"] > 0


def test_an_unknown_function_is_refused_with_the_list_of_possible_ones(demo):
    with pytest.raises(DemoError, match="slow-transfers"):
        demo.break_("transfer")


def test_a_fault_that_cannot_be_brought_about_is_not_remembered(client, demo):
    demo.break_("everything")
    with socket.socket() as thief:
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        thief.bind(("127.0.0.1", demo.port))
        thief.listen()

        with pytest.raises(DemoError, match="could not"):
            demo.heal()

        assert demo.broken == ["everything"]
    assert demo.heal() == []
    assert client.get("/login/health").status == 200


def test_another_process_breaks_and_heals_and_its_answer_means_in_force(tmp_path, free_port):
    folder, port = tmp_path / "demo", free_port()
    process = _serve(folder, port)

    try:
        assert control.break_(folder, "transfers") == ["transfers"]
        link = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        link.request("GET", "/transfers/health")
        status = link.getresponse().status
        link.close()
        assert status == 503
        assert control.break_(folder, "everything") == ["everything", "transfers"]
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=2).close()
        assert control.broken(folder) == ["everything", "transfers"]
        assert control.heal(folder) == []
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        process.stdout.close()


def test_a_killed_wallet_starts_again_with_its_faults(tmp_path, free_port):
    folder, port = tmp_path / "demo", free_port()
    process = _serve(folder, port)
    control.break_(folder, "payments")
    process.kill()
    process.wait(10)
    process.stdout.close()

    with pytest.raises(DemoError, match="start it"):
        control.broken(folder)

    process = _serve(folder, port)
    try:
        assert control.broken(folder) == ["payments"]
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


def _is_cut(link):
    try:
        link.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        return not link.recv(1)
    except OSError:
        return True


def _serve(folder, port):
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, folder, str(port)], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert int(process.stdout.readline()) == port
    return process


def test_a_caller_without_the_token_changes_nothing(demo):
    found = json.loads((demo.data_dir / "control.json").read_text())
    replies = []
    for line in (b'{"token": "guess", "do": "break", "function": "login"}\n', b"nonsense\n", b"[]\n"):
        with socket.create_connection(("127.0.0.1", found["port"]), timeout=5) as link:
            link.sendall(line)
            replies.append(json.loads(link.makefile("rb").readline()))

    assert [reply["error"] for reply in replies] == ["wrong token", "not understood", "not understood"]
    assert demo.broken == []
    assert (demo.data_dir / "control.json").stat().st_mode & 0o077 == 0


def test_a_second_wallet_on_the_same_folder_is_refused(demo, tmp_path):
    with pytest.raises(DemoError, match="already"):
        type(demo)("127.0.0.1", 0, tmp_path / "demo", 0)


def test_every_function_is_described_in_both_languages():
    assert all(set(texts) == {"en", "zh-Hans"} and all(texts.values()) for texts in control.functions().values())
