"""The demo wallet works as a wallet: money moves once, sessions guard it, bad input is refused."""

import socket
import threading

import pytest

HEALTH = ("/login", "/balances", "/transfers", "/payments", "/cards", "/history", "/otp", "/support", "/account")


@pytest.mark.parametrize("function", HEALTH)
def test_every_function_of_a_fresh_wallet_reports_itself_healthy(client, function):
    answer = client.get(f"{function}/health")

    assert answer.status == 200
    assert answer.json.get("status", "ok") == "ok"


def test_a_transfer_moves_money_and_the_display_and_the_statement_follow(client, demo, until):
    client.sign_in("li")
    before = demo.ledger.balance("li")

    done = client.post("/transfers", {"to": "bob", "amount": "12.34"})

    assert done.status == 201
    spent = [entry["cents"] for entry in demo.ledger.entries("li") if entry["order"] == done.json["order"]]
    assert spent == [-1234]
    assert before > demo.ledger.balance("li")
    until(lambda: done.json["order"] in client.get("/history").body.decode())
    assert until(lambda: client.get("/balance").json["lag_s"] == 0)


def test_the_same_order_sent_twice_is_paid_once(client, demo):
    client.sign_in("li")
    order = {"to": "bob", "amount": 3, "order": "mine-1"}

    replies = [client.post("/transfers", order).json["order"] for _ in range(3)]

    assert replies == ["mine-1"] * 3
    assert [entry["cents"] for entry in demo.ledger.entries("li") if entry["order"] == "mine-1"] == [-300]


def test_a_dry_run_moves_nothing(client, demo):
    client.sign_in("li")
    orders = len(demo.ledger.entries("li", 10**6))

    answer = client.post("/transfers", {"dry_run": True})

    assert (answer.status, answer.json["status"]) == (200, "checked")
    assert not [entry for entry in demo.ledger.entries("li") if entry["order"] == answer.json["order"]]
    assert orders <= len(demo.ledger.entries("li", 10**6)) <= orders + 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"to": "bob", "amount": "999999999"}, 409),
        ({"to": "nobody", "amount": "1"}, 409),
        ({"to": "bob", "amount": "0"}, 409),
        ({"to": "bob", "amount": "-5"}, 400),
        ({"to": "bob", "amount": "1e3"}, 400),
        ({"to": "bob", "amount": "1.234"}, 400),
        ({"to": "bob"}, 400),
        ([1, 2], 400),
        (b"{", 400),
        (b"\xff\xfe", 400),
    ],
)
def test_an_order_that_makes_no_sense_is_refused_and_moves_nothing(client, demo, body, status):
    client.sign_in("li")

    answer = client.post("/transfers", body)

    assert answer.status == status
    assert answer.json["error"]
    assert not [entry for entry in demo.ledger.entries("li") if entry["cents"] < -500]


def test_money_is_neither_made_nor_lost_by_many_customers_at_once(client, demo):
    client.sign_in("li")
    total = sum(map(demo.ledger.balance, demo.ledger.accounts()))
    send = [threading.Thread(target=client.post, args=("/transfers", {"to": "bob", "amount": "1"})) for _ in range(12)]

    for thread in send:
        thread.start()
    for thread in send:
        thread.join()

    assert sum(map(demo.ledger.balance, demo.ledger.accounts())) == total
    assert len([entry for entry in demo.ledger.entries("li") if entry["cents"] == -100]) == 12


@pytest.mark.parametrize("path", ["/balance", "/history", "/account"])
def test_nothing_is_shown_without_a_session(client, path):
    anonymous = client.get(path)
    forged = client.get(path, headers={"Authorization": "Bearer made-up"})

    assert (anonymous.status, forged.status) == (401, 401)


def test_a_wrong_secret_and_an_unknown_name_are_refused_alike(client):
    wrong = client.post("/session", {"user": "li", "secret": "guess"})
    unknown = client.post("/session", {"user": "nobody", "secret": "demo"})

    assert (wrong.status, wrong.body) == (unknown.status, unknown.body) == (401, wrong.body)


def test_a_one_time_code_works_once(client):
    client.sign_in()
    code = client.post("/otp", {}).json["code"]

    tries = [client.post("/otp/verify", {"code": code}).status for _ in range(2)]

    assert tries == [200, 403]


def test_support_answers_in_the_customers_own_room(client):
    client.sign_in("chen")

    talk = client.post("/support/messages", {"text": "Where is my money?"}).json["messages"]

    assert [line["author"] for line in talk] == ["customer", "support"]
    assert talk[0]["text"] == "Where is my money?"


def test_payments_and_top_ups_are_booked(client, demo):
    client.sign_in("chen")

    paid = client.post("/payments", {"merchant": "Tea shop", "amount": "4.50"}).json["order"]
    added = client.post("/cards/topup", {"amount": "20"}).json["order"]

    booked = {entry["order"]: entry["cents"] for entry in demo.ledger.entries("chen")}
    assert (booked[paid], booked[added]) == (-450, 2000)


def test_unknown_paths_and_methods_say_so(client):
    assert client.get("/nothing").status == 404
    assert client.get("/transfers").status == 405
    assert client.ask("HEAD", "/login/health").body == b""
    assert "GET /transfers/health" in client.get("/").json["paths"]


def test_an_oversized_body_is_refused_unread(client):
    answer = client.ask("POST", "/session", headers={"Content-Length": "999999999"})

    assert answer.status == 413


def test_a_silent_client_on_the_tls_port_holds_nobody_up(client, demo):
    with socket.create_connection(("127.0.0.1", demo.tls_port)):
        link = client.secure()
        answer = client.get("/login/health", connection=link)
        link.close()

    assert answer.status == 200
    assert answer.seconds < 2
