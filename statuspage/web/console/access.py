"""Who may reach which route. A route without a row here is refused, and a test fails."""

from __future__ import annotations

ANYONE = "anyone"  # no session
SIGNED_IN = "signed in"  # a session, the second factor may be missing
VIEWER = "viewer"
RESPONDER = "responder"
ADMIN = "admin"

# endpoint -> what it needs. Actions check the role again: this table is the door, they are the lock.
ACCESS: dict[str, str] = {
    "static": ANYONE,
    "health": ANYONE,
    "metrics.show": ANYONE,  # has a door of its own: this machine, or a token
    "sign_in.form": ANYONE,
    "sign_in.with_password": ANYONE,
    "sign_in.link": ANYONE,
    "sign_in.with_link": ANYONE,
    "sign_in.language": ANYONE,
    "sign_in.code": SIGNED_IN,
    "sign_in.give_code": SIGNED_IN,
    "sign_in.sign_out": SIGNED_IN,
    "account.enrol": SIGNED_IN,
    "account.qr": SIGNED_IN,
    "account.confirm_enrolment": SIGNED_IN,
    "account.show": VIEWER,
    "account.set_password": VIEWER,
    "account.revoke_others": VIEWER,
    "now.show": VIEWER,
    "notices.index": VIEWER,
    "notices.show": VIEWER,
    "declare.form": RESPONDER,
    "declare.publish": RESPONDER,
    "declare.preview": RESPONDER,
    "updates.form": RESPONDER,
    "updates.publish": RESPONDER,
    "notices.publish_draft": RESPONDER,
    "notices.approve": RESPONDER,
    "notices.discard": RESPONDER,
    "maintenance.form": RESPONDER,
    "maintenance.schedule": RESPONDER,
    "maintenance.move": RESPONDER,
    "monitors.index": VIEWER,
    "monitors.show": VIEWER,
    "monitors.run": RESPONDER,
    "reports.index": VIEWER,
    "deliveries.index": VIEWER,
    "deliveries.subscriptions": VIEWER,
    "deliveries.add_webhook": ADMIN,
    "deliveries.change_webhook": ADMIN,
    "people.audit": ADMIN,
    "people.verify": ADMIN,
    "people.index": ADMIN,
    "people.create": ADMIN,
    "people.change": ADMIN,
}
