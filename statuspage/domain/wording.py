"""The wording linter: what is missing or vague in a draft, and what must never stand in a message.

It advises and never blocks: at three in the morning a clumsy notice beats none. Rules and words: wording.md C.2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from statuspage.domain import lifecycle
from statuspage.domain.notice import Draft


@dataclass(frozen=True, slots=True)
class Finding:
    """One remark. `message` is an English source with %(name)s placeholders for `values`; `where` names the form's field."""

    where: str
    quote: str
    message: str
    values: Mapping[str, str] = field(default_factory=dict)
    is_grave: bool = False


_HOW_MANY = "how many? Give a number or a share, or say that it is not known yet"
_VAGUE = {
    "en": (
        (r"some (users?|customers?|transfers?|payments?|people)|a (small )?(number|subset) of (users|customers)",
         _HOW_MANY),
        (r"shortly|as soon as possible|asap|in due course|\bsoon\b", "say when: a time, or that it cannot be foreseen"),
        (r"minor issues?|technical (difficulties|issues?|reasons?)|connectivity issues?|intermittent(ly)?|glitch(es)?",
         "say what fails, in the user's words"),
        (r"(please )?be patient|bear with us|apologi[sz]e for any inconvenience", "say what to do meanwhile, and until when"),
    ),
    "zh-Hans": (
        (r"部分(用户|客户)|个别(用户|客户)?|少量(用户|客户)", _HOW_MANY),
        (r"尽快|稍后|近期内?(恢复|修复|解决|完成)|马上恢复", "say when: a time, or that it cannot be foreseen"),
        (r"系统繁忙|技术原因|网络波动|系统异常|不稳定", "say what fails, in the user's words"),
        (r"敬请谅解|敬请期待|请耐心等待|带来不便", "say what to do meanwhile, and until when"),
    ),
}  # fmt: skip
_SAFE = {
    "en": (r"funds (are|remain) (safe|secure)|(money|assets) (is|are) safe|not (been )?(charged|deducted)"
           r"|no (funds|money) (was|were) lost"),
    "zh-Hans": r"资金(是|绝对)?安全|资产安全|不会扣款|没有扣款|未扣款|资金无损",
}  # fmt: skip
_NEVER = (
    (r"\bclick\b|点击", "never write this in a message: it is what fraudsters write"),
    (r"\b(bit\.ly|t\.cn|tinyurl\.com|t\.co|goo\.gl|is\.gd|url\.cn|dwz\.cn)\b",
     "no link shorteners: nobody can see where they lead"),
    (r"(call (us|back)|hotline|回拨|请致电|拨打)[^.。]{0,20}\d{5,}",
     "no number to call back: a copied notice would carry another one"),
    ((r"\b(enter|send|tell|give|provide|confirm|verify|share|reply with) (us )?(your|the) (verification |one-time |login )?"
      r"(code|password|pin|seed|recovery phrase|private key|id number)\b"
      r"|(输入|提供|发送|告知|验证|回复)您?的?(验证码|密码|助记词|私钥|身份证)"
      r"|(把|将)您?的?(验证码|密码|助记词|私钥|身份证)[^。.]{0,12}(发|给|告诉|交)"),
     "we never ask for codes, passwords, phrases or identity papers"),
    (r"(transfer|move) (your|all) (funds|assets|money) to|请?将?(您的)?(资金|资产)转(账|移)?(到|至)|安全账户",
     "we never ask for a transfer to an address"),
    ((r"within \d{1,3} ?(hours?|minutes?|days?) (or|otherwise)|(account|wallet) will be (closed|frozen|suspended|locked)"
      r"|\d{1,3} ?(小时|分钟|天)内(未|不)|(账户|账号|钱包)将被?(冻结|注销|关闭|停用)"),
     "no threats and no deadlines: this is how fraudsters hurry people"),
    ((r"\bscan (the|this|a) (qr )?code to (claim|verify|restore|receive|get)\b|\b(you (have )?won|claim your)\b"
      r"|(扫码|扫描二维码)(即可|后)?(领取|验证|恢复)|中奖|领取(奖励|空投)"),
     "no codes to scan and nothing to claim: this is what fraudsters promise"),
)  # fmt: skip
_PROMISES = {"unaffected_verified", "no_evidence_of_loss", "unavailable_temporarily", "will_be_corrected"}
_SHARE = re.compile(
    r"\d ?%|one in|half|a third|a quarter|every|[\d,]{1,12} (users|customers|people)|not known|not know"
    r"|分之|成用户|一半|全部|所有|\d ?(名|位|万)|不清楚|未知"
)
# "Never enter your recovery phrase" is the advice, not the fraud. Looks back within the sentence only.
_DENIED = re.compile(
    r"(\bnever\b|\bnot\b|n't\b|\bnobody\b|\bno one\b|勿|不要|不会|不需要|无需|绝不|从不)[^.!?;。！？；]*$",  # noqa: RUF001 - Chinese punctuation
    re.IGNORECASE,
)
_BEFORE = 60
_NUMBER = re.compile(r"\d+(?:[:.]\d+)?")


def findings(draft: Draft, languages: Sequence[str]) -> list[Finding]:
    """Everything worth a second look, the grave first; an empty list means the text may go."""
    found = [*_never(draft), *_unfounded(draft), *_vague(draft), *_missing(draft), *_apart(draft, languages)]
    return sorted(found, key=lambda one: not one.is_grave)


def _said(draft: Draft) -> Iterator[tuple[str, str, str]]:
    """(field, language, text) of what is sent to people."""
    for name, texts in (("titles", draft.facts.titles), ("bodies", draft.bodies), ("scope", draft.facts.scope)):
        for language, text in texts.items():
            yield f"{name}.{language}", language, text


def _vague(draft: Draft) -> Iterator[Finding]:
    for where, language, text in _said(draft):
        for pattern, message in _VAGUE.get(language, ()):
            hit = re.search(pattern, text, re.IGNORECASE)
            is_scope = message == _HOW_MANY
            if hit and not (is_scope and _tells_share(draft, language)):
                yield Finding(where, hit.group(), message)


def _tells_share(draft: Draft, language: str) -> bool:
    """Whether somewhere in this language it is said how many are affected, or that it is not known."""
    said = (draft.bodies, draft.facts.titles, draft.facts.scope)
    return bool(draft.facts.scope.get(language)) or any(_SHARE.search(texts.get(language, "")) for texts in said)


def _unfounded(draft: Draft) -> Iterator[Finding]:
    """Words about money that go beyond what was checked."""
    for where, language, text in _said(draft):
        hit = re.search(_SAFE[language], text, re.IGNORECASE) if language in _SAFE else None
        if hit and draft.facts.funds_safety == "unknown_checking":
            yield Finding(
                where, hit.group(), "the text speaks about money, but money is still being checked", is_grave=True
            )
    if draft.facts.funds_safety in _PROMISES and not draft.facts.funds_basis and draft.facts.kind != "maintenance":
        yield Finding(
            "funds_basis", "", "say on what the word about money rests: what was compared, and when", is_grave=True
        )


def _never(draft: Draft) -> Iterator[Finding]:
    for where, _language, text in _said(draft):
        for pattern, message in _NEVER:
            for hit in re.finditer(pattern, text, re.IGNORECASE):
                if not _DENIED.search(text[max(0, hit.start() - _BEFORE) : hit.start()]):
                    yield Finding(where, hit.group(), message, is_grave=True)
                    break


def _missing(draft: Draft) -> Iterator[Finding]:
    facts = draft.facts
    if facts.kind not in {"incident", "security"} or lifecycle.is_final(facts.kind, facts.status):
        return
    wanted = (
        ("components", facts.components or facts.kind == "security", "choose what fails"),
        (
            "scope",
            any(_tells_share(draft, language) for language in draft.bodies),
            "how many are affected? A share, or that it is not known yet",
        ),
        ("not_affected", facts.not_affected, "say what still works"),
        ("advice_do", facts.advice_do or facts.advice_dont, "say what to do, and what not to do"),
        ("next", facts.next_update_by, "promise the next update: readers miss it most of all"),
    )
    for where, is_there, message in wanted:
        if not is_there:
            yield Finding(where, "", message)


def _numbers(text: str) -> set[str]:
    """Times and numbers a reader would compare. Small counts are words in one language, and months are."""
    plain = re.sub(r"(?<=\d),(?=\d{3})|\d{1,2}(?=月)", "", text)
    return {number for number in _NUMBER.findall(plain) if len(number) > 1}


def _apart(draft: Draft, languages: Sequence[str]) -> Iterator[Finding]:
    """Texts that name other times or numbers in the one language than in the other."""
    if len(languages) < 2:
        return
    first, *others = languages
    for language in others:
        mine, theirs = (_numbers(draft.bodies.get(tag, "")) for tag in (first, language))
        differing = sorted(mine ^ theirs)
        if mine and theirs and differing:
            values = {"numbers": ", ".join(differing)}
            yield Finding(
                f"bodies.{language}", values["numbers"], "the two languages name different times or numbers", values
            )
