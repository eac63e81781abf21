import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select
from stage import LIN, MEI, WEI, incident

from statuspage.actions import drafts, notices
from statuspage.domain import signing
from statuspage.errors import Conflict, InvalidInput, NotAllowed, NotFound
from statuspage.store import notices as store
from statuspage.store.schema import catalogue, delivery
from statuspage.store.schema import notices as tables

WORDS = {"en": "Fixed.", "zh-Hans": "已恢复。"}


def count(ctx, table):
    with ctx.db.read() as conn:
        return conn.execute(select(func.count()).select_from(table)).scalar_one()


def status_of(ctx, component):
    with ctx.db.read() as conn:
        return conn.execute(
            select(catalogue.components.c.status).where(catalogue.components.c.id == component)
        ).scalar_one()


def broken_row(ctx):
    public = signing.public_key(ctx.keys.signing)
    with ctx.db.read() as conn:
        return signing.verify_chain([Row(row) for row in store.log_rows(conn)], {signing.key_id(public): public})


class Row:
    def __init__(self, mapping):
        self.__dict__.update(mapping)


def test_declaring_writes_fact_proof_outbox_and_change_together(probe, wallet):
    ref = notices.declare(wallet, LIN, incident())

    assert ref.version == 1
    assert ref.number.startswith("N-")
    assert status_of(wallet, "transfers") == "partial_outage"
    assert count(wallet, tables.log) == count(wallet, delivery.outbox) == 1
    assert broken_row(wallet) is None


def test_a_failure_in_the_middle_leaves_nothing_behind(probe, wallet, monkeypatch):
    monkeypatch.setattr(notices.outbox, "enqueue", lambda *_a, **_k: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        notices.declare(wallet, LIN, incident())

    assert count(wallet, tables.notices) == count(wallet, tables.log) == 0
    assert status_of(wallet, "transfers") == "operational"


def test_the_same_key_and_draft_give_the_first_answer(probe, wallet):
    draft = replace(incident(), idempotency_key="k")
    first = notices.declare(wallet, LIN, draft)

    assert notices.declare(wallet, LIN, draft) == first
    assert count(wallet, tables.notices) == 1


def test_the_same_key_with_another_draft_is_a_conflict(probe, wallet):
    notices.declare(wallet, LIN, replace(incident(), idempotency_key="k"))

    with pytest.raises(Conflict):
        notices.declare(wallet, LIN, replace(incident(components={"login": "degraded"}), idempotency_key="k"))

    assert count(wallet, tables.notices) == 1


def test_parallel_declares_with_one_key_make_one_notice(probe, wallet):
    draft = replace(incident(), idempotency_key="k")
    answers = []

    def declare():
        while True:
            try:
                answers.append(notices.declare(wallet, LIN, draft))
            except Exception as error:  # noqa: BLE001 - PostgreSQL answers the loser of the race with an error: it tries again
                assert "idempotency" in str(error) or "unique" in str(error).lower()
            else:
                return

    threads = [threading.Thread(target=declare) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert len({answer.public_id for answer in answers}) == 1
    assert len(answers) == 6
    assert count(wallet, tables.notices) == 1
    assert broken_row(wallet) is None


def test_a_stale_form_is_refused_and_writes_nothing(probe, wallet):
    ref = notices.declare(wallet, LIN, incident())
    notices.update(wallet, WEI, ref.public_id, incident(status="identified"), ref.version)

    with pytest.raises(Conflict, match="someone else"):
        notices.update(wallet, LIN, ref.public_id, incident(status="monitoring"), ref.version)

    assert count(wallet, tables.notice_updates) == 2


def test_every_update_keeps_its_own_snapshot(probe, wallet):
    ref = notices.declare(wallet, LIN, incident())
    notices.update(wallet, LIN, ref.public_id, incident(status="identified", funds_safety="unaffected_verified"))

    with wallet.db.read() as conn:
        first, second = store.updates_of(conn, [1])[1]

    assert (first.facts.funds_safety, second.facts.funds_safety) == ("unknown_checking", "unaffected_verified")
    assert second.changes == {"transfers": ["partial_outage", "partial_outage"]}


def test_resolving_frees_the_component(probe, wallet):
    ref = notices.declare(wallet, LIN, incident())

    done = notices.resolve(wallet, LIN, ref.public_id, WORDS, ref.version)

    assert done.version == 2
    assert status_of(wallet, "transfers") == "operational"


def test_the_last_word_names_the_components_that_it_frees(probe, wallet):
    ref = notices.declare(wallet, LIN, incident())
    notices.resolve(wallet, LIN, ref.public_id, WORDS)

    with wallet.db.read() as conn:
        payload = conn.execute(select(delivery.outbox.c.payload).order_by(delivery.outbox.c.id.desc())).scalar()
    assert list(payload["components"]) == ["transfers"]
    assert payload["components"]["transfers"]["status"] == "operational"


def test_two_notices_on_one_component_hold_it_until_both_end(probe, wallet):
    one = notices.declare(wallet, LIN, incident())
    two = notices.declare(wallet, LIN, incident(components={"transfers": "degraded"}))

    notices.resolve(wallet, LIN, one.public_id, WORDS)

    assert status_of(wallet, "transfers") == "degraded"
    notices.resolve(wallet, LIN, two.public_id, WORDS)
    assert status_of(wallet, "transfers") == "operational"


def test_a_viewer_may_not_declare(wallet):
    with pytest.raises(NotAllowed):
        notices.declare(wallet, MEI, incident())


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"titles": {"en": "only English"}}, "titles.zh-Hans"),
        ({"components": {"nothing": "degraded"}}, "components"),
        ({"components": {"transfers": "operational"}}, "components.transfers"),
        ({"funds_safety": "funds are safe"}, "funds_safety"),
        ({"status": "scheduled"}, "status"),
        ({"kind": "maintenance", "status": "scheduled"}, "scheduled_for"),
    ],
)
def test_what_cannot_be_published_names_the_field(wallet, changes, field):
    with pytest.raises(InvalidInput) as refused:
        notices.declare(wallet, LIN, incident(**changes))

    assert refused.value.field == field


def test_invisible_and_control_characters_are_stripped(probe, wallet):
    ref = notices.declare(
        wallet, LIN, incident(titles={"en": "Tr\u202ean\x00s\u200bfers\n fail", "zh-Hans": "转\ufeff账"})
    )

    with wallet.db.read() as conn:
        titles = store.by_public_id(conn, ref.public_id).facts.titles

    assert titles == {"en": "Transfers fail", "zh-Hans": "转账"}


def test_telling_the_past_changes_nothing_now(probe, wallet, clock):
    notices.declare(wallet, LIN, replace(incident(), occurred_at=clock() - timedelta(days=3)))
    probe.restart()
    probe.sees("up", "transfers-api")

    assert status_of(wallet, "transfers") == "operational"
    assert count(wallet, delivery.outbox) == 0


def test_a_draft_is_neither_signed_nor_said_nor_seen(probe, wallet):
    notices.declare(wallet, LIN, replace(incident(), visibility="draft"))

    assert count(wallet, tables.log) == count(wallet, delivery.outbox) == 0
    assert status_of(wallet, "transfers") == "operational"


def test_publishing_a_draft_signs_all_it_said(probe, wallet):
    ref = notices.declare(wallet, LIN, replace(incident(), visibility="draft"))
    notices.update(wallet, LIN, ref.public_id, incident(status="identified"))

    drafts.publish(wallet, LIN, ref.public_id)

    assert count(wallet, tables.log) == 2
    assert count(wallet, delivery.outbox) == 1
    assert status_of(wallet, "transfers") == "partial_outage"
    assert broken_row(wallet) is None


def test_a_security_notice_waits_for_a_second_person(probe, wallet):
    ref = notices.declare(wallet, LIN, incident(kind="security"))

    assert ref.visibility == "draft"
    with pytest.raises(NotAllowed):
        drafts.publish(wallet, LIN, ref.public_id)
    with pytest.raises(NotAllowed):
        drafts.approve(wallet, LIN, ref.public_id)
    assert drafts.approve(wallet, WEI, ref.public_id).visibility == "public"


def test_breaking_the_glass_needs_a_reason(probe, wallet):
    ref = notices.declare(wallet, LIN, incident(kind="security"))

    assert drafts.approve(wallet, LIN, ref.public_id, break_glass="nobody else is awake").visibility == "public"


def test_a_public_notice_cannot_be_thrown_away(probe, wallet):
    ref = notices.declare(wallet, LIN, incident())

    with pytest.raises(Conflict):
        drafts.discard(wallet, LIN, ref.public_id)


def test_an_unknown_notice_is_not_found(wallet):
    with pytest.raises(NotFound):
        notices.update(wallet, LIN, "nothing", incident())
