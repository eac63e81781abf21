"""Nothing exists that the documentation does not name, and nothing it names is missing."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from probes.registry import PROBES
from statuspage import settings
from statuspage.channels.registry import CHANNELS
from statuspage.cli import main

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
DOCS = {path: path.read_text(encoding="utf-8") for path in PAGES}
COMMANDS = DOCS[ROOT / "docs" / "command-line.md"]


def commands(group, path=("statuspage",)):
    """Every command below `group` as it is typed, groups that only hold others left out."""
    for name, command in group.commands.items():
        here = (*path, name)
        if isinstance(command, click.Group):
            yield from commands(command, here)
        if not isinstance(command, click.Group) or command.invoke_without_command:
            yield " ".join(here)


def anchors(text):
    """The anchors that headings of a page have on a forge."""
    headings = [line.lstrip("# ").lower() for line in text.splitlines() if line.startswith("#")]
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in headings}


def test_the_settings_page_is_what_the_settings_table_says():
    assert DOCS[ROOT / "docs" / "settings.md"] == settings.reference()


@pytest.mark.parametrize("kind", list(PROBES))
def test_every_kind_of_probe_is_in_the_documentation(kind):
    assert re.search(rf"^(\| *|#+ )`{re.escape(kind)}`", DOCS[ROOT / "docs" / "probes.md"], re.MULTILINE)


@pytest.mark.parametrize("channel", list(CHANNELS))
def test_every_channel_and_its_settings_are_in_the_documentation(channel):
    text = DOCS[ROOT / "docs" / "configuration.md"]

    assert f"`{channel}" in text
    assert [row.key for row in CHANNELS[channel].settings if f"`{row.key}" not in text] == []


@pytest.mark.parametrize("command", list(commands(main)))
def test_every_command_is_in_the_documentation(command):
    assert f"| `{command}` |" in COMMANDS


def test_every_command_in_the_documentation_exists():
    written = set(re.findall(r"^\| `(statuspage [^`]+)` \|", COMMANDS, re.MULTILINE))

    assert written == set(commands(main))


def test_every_command_line_in_the_documentation_starts_with_a_command_that_exists():
    known = set(commands(main))
    lines = {line for text in DOCS.values() for line in command_lines(text)}

    assert len(lines) > 15
    assert [line for line in lines if not any(f"{line} ".startswith(f"{command} ") for command in known)] == []


def command_lines(text):
    """What stands in fenced blocks and code spans after `statuspage `, up to the end of the line."""
    found = re.findall(r"^```sh\n(.*?)^```|`([^`\n]+)`", text, re.MULTILINE | re.DOTALL)
    code = "\n".join(block or span for block, span in found)
    return re.findall(r"(?:^|[ /])(statuspage (?!COMMAND|--)[a-z][^#\n]*?)(?: *#.*)?$", code, re.MULTILINE)


def test_every_setting_named_anywhere_exists():
    known = {row.name for row in settings.SETTINGS} | {f"{row.name}_FILE" for row in settings.SETTINGS if row.secret}

    named = {name for text in DOCS.values() for name in re.findall(r"\bSTATUSPAGE_[A-Z_]+[A-Z]\b", text)}
    assert named - known == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page):
    broken = []
    for target in re.findall(r"\]\((?!https?:|mailto:)([^)\s]+)\)", DOCS[page]):
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        if not there.exists() or (anchor and anchor not in anchors(there.read_text(encoding="utf-8"))):
            broken.append(target)

    assert broken == []


def test_every_page_of_the_documentation_is_reached_from_the_readme():
    linked = set(re.findall(r"\]\((docs/[^)#]+)\)", DOCS[ROOT / "README.md"]))

    pages = {path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md")}
    assert pages - linked == set()


def test_make_help_names_the_commands_of_the_readme():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")

    named = set(re.findall(r"\bmake ([a-z]+)\b", DOCS[ROOT / "README.md"]))
    assert [name for name in named if not re.search(rf"^{name}:.*## ", makefile, re.MULTILINE)] == []


def test_the_readme_begins_in_both_languages():
    first = DOCS[ROOT / "README.md"].split("## ")[0]

    assert "A status page" in first
    assert "状态页" in first
