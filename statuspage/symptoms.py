"""The tree of "is it us or you?" in templates/notices/check.yaml: symptoms, questions and answers, texts by language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import yaml

from statuspage.domain.notice import Lines, Text
from statuspage.templating_root import root

SUPPORT = ("support_chat", "support_hotline")  # components of the built-in catalogue that stand for ways to reach people
LAST = "side"  # asked after all others: the tree always ends in an answer
BLOCKS = frozenset({"contact", "versions", "chains", "report", "verify", "emergency"})


@dataclass(frozen=True, slots=True)
class Question:
    """What a reader may say of himself, and the answer to it. `shows`: names of BLOCKS that stand below the answer."""

    id: str
    verdict: str
    ask: Text
    say: Text
    do: Lines = field(default_factory=dict)
    dont: Lines = field(default_factory=dict)
    self_custody: Text = field(default_factory=dict)
    shows: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Symptom:
    """Where a symptom may come from and what to ask when nothing of ours is known to fail.

    `components`: ids of the built-in catalogue; `chains`: every network too; `urgent`: the emergency card comes first.
    """

    id: str
    components: frozenset[str]
    questions: tuple[str, ...]
    chains: bool = False
    urgent: bool = False

    def concerns(self, component_id: str, named: Iterable[str], *, is_chain: bool) -> bool:
        """Whether a component counts. `named`: the symptoms that wallet.yaml gives it."""
        return component_id in self.components or self.id in named or (self.chains and is_chain)


@dataclass(frozen=True, slots=True)
class Tree:
    """The whole file. `groups` is (id, name, symptom ids) in the order of the page."""

    groups: tuple[tuple[str, Text, tuple[str, ...]], ...]
    symptoms: Mapping[str, Symptom]
    questions: Mapping[str, Question]
    verdicts: Mapping[str, Text]
    network: Text
    emergency: Mapping[str, Any]
    networks: Mapping[str, Mapping[str, str]]

    def short(self, chain: str, name: str) -> str:
        """What to call a network where there is little room; `name` where it has no short form."""
        return self.networks.get(chain, {}).get("short", name)

    def explorer(self, chain: str) -> str:
        """Where a reader may look up a transaction of a network, '' where no place is known."""
        return self.networks.get(chain, {}).get("explorer", "")

    def asked(self, symptom: Symptom) -> tuple[Question, ...]:
        """Its questions in order, the last one always being `side`, unless the symptom is urgent."""
        ids = symptom.questions if symptom.urgent else (*symptom.questions, LAST)
        return tuple(self.questions[key] for key in ids)


@cache
def tree() -> Tree:
    """The file, read once. Raises OSError or KeyError for a damaged installation."""
    with (root() / "notices" / "check.yaml").open(encoding="utf-8") as file:
        data = yaml.load(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are the safe one
    return Tree(
        groups=tuple((each["id"], _text(each), tuple(each["symptoms"])) for each in data["groups"]),
        symptoms={key: _symptom(key, each) for key, each in data["symptoms"].items()},
        questions={key: _question(key, each) for key, each in data["questions"].items()},
        verdicts=data["verdicts"],
        network=data["network"],
        emergency=data["emergency"],
        networks=data["networks"],
    )


def _text(item: Mapping[str, Any]) -> Text:
    return {language: text for language, text in item.items() if language not in {"id", "symptoms"}}


def _symptom(key: str, item: Mapping[str, Any]) -> Symptom:
    return Symptom(
        key, frozenset(item["components"]), tuple(item["questions"]), item.get("chains", False), item.get("urgent", False)
    )


def _question(key: str, item: Mapping[str, Any]) -> Question:
    return Question(**{"id": key, **item, "shows": tuple(item.get("shows", ()))})
