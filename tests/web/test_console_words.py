"""What an operator or a reader is refused with is said in their language, variables included."""

import ast
from itertools import pairwise
from pathlib import Path

import pytest
from console_desk import Desk, open_notices, send, written

from statuspage import i18n
from statuspage.errors import InvalidInput, Words

PACKAGE = Path(__file__).parents[2] / "statuspage"
# What people read who use the console or the subscribe form, with the actions that these call. The rest speaks to machines, to
# the command line or to whoever edits wallet.yaml.
FORMS = ("web/console/*.py", "web/subscribe.py", "web/visitors.py")
BELOW = ("domain/address.py", "domain/lifecycle.py", "domain/notice*.py", "domain/windows.py", "store/database.py")
NOT_SHOWN = {"checks.py", "services.py", "respond.py"}
ERRORS = {"InvalidInput", "NotAllowed", "NotFound", "Conflict", "Unavailable", "TooOften"}


def messages(path):
    """(line, source) of each message that this file raises; the source is None for one that cannot be translated."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for function in ast.walk(tree):
        body = getattr(function, "body", None)
        for here, later in pairwise(body) if isinstance(body, list) else ():
            if not (isinstance(here, ast.Assign) and isinstance(later, ast.Raise) and isinstance(later.exc, ast.Call)):
                continue
            if getattr(later.exc.func, "id", "") in ERRORS:
                yield here.lineno, source(here.value)


def shown():
    """The forms, the actions that they reach, and what those build on."""
    found = {path for pattern in (*FORMS, *BELOW) for path in PACKAGE.glob(pattern)}
    waiting = list(found)
    while waiting:
        for path in actions_of(waiting.pop()) - found:
            found.add(path)
            waiting.append(path)
    return sorted(path for path in found if path.name not in NOT_SHOWN)


def actions_of(path):
    """The files of statuspage.actions that this one imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "statuspage.actions":
            names |= {one.name for one in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("statuspage.actions."):
            names.add(node.module.rpartition(".")[2])
    return {PACKAGE / "actions" / f"{name}.py" for name in names}


def source(value):
    if isinstance(value, ast.Call) and getattr(value.func, "id", "") == "Words":
        value = value.args[0]
    return value.value if isinstance(value, ast.Constant) else None


def test_every_refusal_has_its_words_in_chinese():
    found = [(str(path.relative_to(PACKAGE)), line, text) for path in shown() for line, text in messages(path)]
    known = i18n.messages("zh-Hans")

    assert len(found) > 80
    assert [one for one in found if one[2] not in known] == []


def test_words_are_english_text_and_can_be_said_again():
    words = Words("no operator %(name)s", name="lin")

    assert str(InvalidInput(words)) == "no operator lin"
    assert i18n.said("zh-Hans", words) == "没有名为 lin 的操作员"
    assert i18n.said("zh-Hans", Words("100% of it")) == "100% of it"
    nested = Words("this needs the role %(role)s", role=Words("admin"))
    assert (str(nested), i18n.said("zh-Hans", nested)) == ("this needs the role admin", "此操作需要“管理员”权限")
    listed = Words("role must be one of %(roles)s", roles=(Words("viewer"), Words("admin")))
    assert str(listed) == "role must be one of viewer, admin"
    assert i18n.said("zh-Hans", listed) == "角色须为以下之一：只读、管理员"


@pytest.fixture
def desk(sqlite_database, free_port):
    found = Desk(sqlite_database, free_port())
    found.hire("wei", "admin", language="zh-Hans")
    yield found
    found.close()


@pytest.fixture
def wei(desk):
    return desk.signed_in("wei")


def test_a_chinese_operator_is_refused_in_chinese_with_what_was_typed_in_the_sentence(desk, wei):
    long = send(wei, "/declare", written(wei.get("/declare"), wei, component="transfers", titles__en="x" * 300))
    left = send(wei, "/declare", written(wei.get("/declare"), wei, component="transfers", bodies__en="About {count} fail."))
    nobody = wei.post("/operators/nobody", do="link")
    nowhere = wei.get("/notices/abcdefghijkl")
    short = wei.post("/account/password", password="short")

    assert "已有 300 个字符，最多" in long.text
    assert "请将 {count} 替换为实际内容" in left.text
    assert "没有名为 nobody 的操作员" in nobody.text
    assert "没有编号为 abcdefghijkl 的公告" in nowhere.text
    assert "至少 12 个字符" in short.text


def test_the_only_admin_and_a_colleague_who_was_faster_are_told_in_chinese(desk, wei):
    only = wei.post("/operators/wei", do="disable")
    send(wei, "/declare", written(wei.get("/declare"), wei, component="transfers"))
    (found,) = open_notices(desk)
    stale = wei.get(f"/notices/{found.public_id}/update")
    fields = wei.fields(stale).with_(bodies__en="First.", bodies__zh_Hans="先。")
    send(wei, f"/notices/{found.public_id}/update", fields)
    again = fields.with_(key="another", bodies__en="Late.", bodies__zh_Hans="后。")
    late = send(wei, f"/notices/{found.public_id}/update", again)

    assert "wei 是唯一的管理员" in only.text
    assert f"{found.number} 已被他人更新" in late.text
