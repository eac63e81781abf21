"""What SMS cost, before and after: on the form, on the notice, on the page of deliveries."""

import pytest
from console_desk import Desk, open_notices, send, written
from sqlalchemy import delete, insert, select, update

from statuspage.actions import deliveries as actions
from statuspage.actions import subscribe_limits
from statuspage.store.schema.delivery import deliveries, subscribers, subscriptions
from statuspage.store.schema.runtime import meta

SMS = {
    "countries": ["HK", "SG"], "prices": {"HK": "0.05", "SG": "0.04"}, "spend": {"per_hour": 50, "per_month": 60},
    "twilio": {"account_sid": "AC", "auth_token": "t", "number": "+85251230000"},
}  # fmt: skip


@pytest.fixture
def desk(any_database, free_port):
    found = Desk(any_database, free_port())
    found.hire("lin", "admin")
    found.hire("wei", "admin", language="zh-Hans")
    settle(found, SMS)
    yield found
    found.close()


def settle(desk, sms):
    with desk.ctx.db.write() as connection:
        connection.execute(delete(meta).where(meta.c.name == "channels"))
        connection.execute(insert(meta).values(name="channels", value={"sms": sms}))


def people(desk, number, label, language="en"):
    with desk.ctx.db.write() as connection:
        for index in range(number):
            person = insert(subscribers).values(language=language, time_zone="UTC", created_at=desk.clock.at)
            name = f"{label}-{language}-{index}"
            connection.execute(insert(subscriptions).values(
                public_id=name, subscriber_id=connection.execute(person.returning(subscribers.c.id)).scalar_one(), channel="sms",
                audience="public", address_sealed=b"sealed", address_hash=name, label=label, components=[], kinds=[],
                language=language, state="active", attempts=0, created_at=desk.clock.at, meta={},
            ))  # fmt: skip


def reach_of(answer):
    return answer.json()["reach"]


def looked_at(desk, browser):
    return send(browser, "/preview", written(browser.get("/declare"), browser, component="transfers"), do="")


def accepted(desk):
    """What the deliverer and the supplier would do with what was declared."""
    while actions.expand(desk.ctx):
        pass
    with desk.ctx.db.write() as connection:
        connection.execute(update(deliveries).values(state="sent", sent_at=desk.clock.at))


def test_the_form_says_what_it_will_cost_by_country_and_language(desk):
    people(desk, 3, "+852 ••• 1234")
    people(desk, 2, "+65 ••• 1234", "zh-Hans")
    lin, wei = desk.signed_in("lin"), desk.signed_in("wei")

    english, chinese = looked_at(desk, lin), looked_at(desk, wei)

    texts = {one["language"]: one["segments"] for one in english.json()["texts"]}
    segments = 3 * texts["en"] + 2 * texts["zh-Hans"]
    cents = 3 * texts["en"] * 5 + 2 * texts["zh-Hans"] * 4
    assert reach_of(english) == f"5 SMS ({segments} segments, ~US$0.{cents:02d}) · page and feeds"
    assert reach_of(chinese).startswith(f"5 条短信（共 {segments} 段，~US$0.{cents:02d}）")
    assert "US$" not in str(english.json()["findings"]) + str(chinese.json()["findings"])


def test_what_the_ceilings_do_not_leave_and_countries_without_a_price_are_said_before_the_button_is_pressed(desk):
    people(desk, 30, "+852 ••• 1234")
    people(desk, 1, "+81 ••• 1234")
    settle(desk, {**SMS, "spend": {"per_hour": 1, "per_month": 60}})
    lin, wei = desk.signed_in("lin"), desk.signed_in("wei")

    said = [one["text"] for one in looked_at(desk, lin).json()["findings"]]
    page = send(lin, "/declare", written(lin.get("/declare"), lin, component="transfers"), do="preview").text
    chinese = [one["text"] for one in looked_at(desk, wei).json()["findings"]]

    assert "the spend ceilings leave US$1.00 now" in said[0]
    assert said[1].startswith("1 of the numbers are in countries without a price")
    assert "the spend ceilings leave US$1.00 now" in page
    assert "目前只剩 US$1.00" in chinese[0]


def test_without_an_account_texts_are_printed_and_cost_nothing(desk):
    people(desk, 2, "+852 ••• 1234")
    settle(desk, {name: value for name, value in SMS.items() if name != "twilio"})
    lin = desk.signed_in("lin")

    assert "printed, free of charge" in reach_of(looked_at(desk, lin))


def test_afterwards_the_notice_shows_what_was_accepted_and_no_more(desk):
    people(desk, 4, "+852 ••• 1234")
    lin = desk.signed_in("lin")
    send(lin, "/declare", written(lin.get("/declare"), lin, component="transfers"))
    accepted(desk)
    with desk.ctx.db.write() as connection:
        one = connection.scalar(select(deliveries.c.id).limit(1))
        connection.execute(update(deliveries).where(deliveries.c.id == one).values(state="dead"))
    (found,) = open_notices(desk)

    page = lin.get(f"/notices/{found.public_id}").text

    # One segment each at five cents: three were accepted, the fourth was given up.
    assert "3 SMS (3 segments, ~US$0.15)" in page


def test_deliveries_shows_the_purse_of_the_hour_and_the_month(desk):
    lin, wei = desk.signed_in("lin"), desk.signed_in("wei")
    assert subscribe_limits.reserve(desk.ctx, [12_345, 37_655]) == 2

    english, chinese = lin.get("/deliveries").text, wei.get("/deliveries").text

    assert "SMS this hour: US$50.00 of US$50.00" in english
    assert "this month: US$50.00 of US$60.00" in english
    assert "The spend ceiling is reached" in english
    assert "已达费用上限" in chinese
    assert subscribe_limits.reserve(desk.ctx, [1]) == 0
