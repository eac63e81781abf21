"""The tree of "is it us or you?": whole, in both languages, and without a question that a thief would ask."""

import re

import pytest

from statuspage.scenarios import catalogue
from statuspage.symptoms import BLOCKS, tree

LANGUAGES = {"en", "zh-Hans"}


def texts():
    """(where, texts by language) of everything a reader may see."""
    found = tree()
    yield from ((f"group {key}", name) for key, name, _ in found.groups)
    yield from ((f"verdict {key}", name) for key, name in found.verdicts.items())
    yield "network", found.network
    yield from ((f"emergency {key}", value) for key, value in found.emergency.items())
    for question in found.questions.values():
        for part in ("ask", "say", "do", "dont", "self_custody"):
            if value := getattr(question, part):
                yield f"{question.id}.{part}", value


def test_the_tree_has_every_symptom_of_the_catalogue_and_shows_each_once():
    listed = [key for _, _, keys in tree().groups for key in keys]

    assert len(listed) == 17
    assert sorted(listed) == sorted(catalogue().symptoms) == sorted(tree().symptoms)


@pytest.mark.parametrize("symptom", tree().symptoms.values(), ids=lambda symptom: symptom.id)
def test_every_symptom_ends_in_an_answer(symptom):
    asked = tree().asked(symptom)

    assert symptom.components <= set(catalogue().components)
    assert {question.verdict for question in asked} <= set(tree().verdicts)
    assert set().union(*(question.shows for question in asked)) <= BLOCKS
    assert symptom.urgent or "contact" in asked[-1].shows


def test_no_question_is_left_that_no_symptom_asks():
    asked = {question.id for symptom in tree().symptoms.values() for question in tree().asked(symptom)}

    assert asked == set(tree().questions)


@pytest.mark.parametrize(("where", "found"), list(texts()), ids=lambda value: value if isinstance(value, str) else "")
def test_every_text_is_there_in_both_languages(where, found):
    assert set(found) == LANGUAGES, where
    shapes = {language: len(value) if isinstance(value, list) else 0 for language, value in found.items()}
    assert len(set(shapes.values())) == 1, where
    assert all(found.values()), where
    assert re.search(r"[\u4e00-\u9fff]", str(found["zh-Hans"])), where
    assert not re.search(r"[\u4e00-\u9fff]", str(found["en"])), where


def test_the_networks_of_the_explorers_are_asked_over_https():
    assert all(tree().explorer(chain).startswith("https://") or not tree().explorer(chain) for chain in tree().networks)
    assert tree().short("ethereum", "Ethereum") == "ETH"
    assert (tree().short("new", "New"), tree().explorer("new")) == ("New", "")
