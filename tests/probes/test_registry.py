"""Every kind and option is documented; probes/ stands alone; the command line shows one run whole."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from probes.registry import PROBES
from probes.result import ERROR_CLASSES, CheckResult

ROOT = Path(__file__).resolve().parents[2]
DOCS = (ROOT / "docs" / "probes.md").read_text(encoding="utf-8")


def names(options, prefix=""):
    for option in options:
        yield prefix + option.name
        yield from names(option.inner, f"{prefix}{option.name}.")


@pytest.mark.parametrize("kind", PROBES)
def test_every_kind_and_option_has_its_row(kind):
    section = DOCS.partition(f"\n## {kind}\n")[2].partition("\n## ")[0]
    documented = set(re.findall(r"^\| `([a-z_.0-9]+)` \|", section, re.MULTILINE))
    known = set(names(PROBES[kind].load().OPTIONS)) - {"expect"}

    assert re.search(rf"^\| `{kind}` \|", DOCS, re.MULTILINE)
    assert documented == known


def test_every_error_class_has_its_row():
    section = DOCS.partition("\n## Error classes\n")[2].partition("\n## ")[0]

    assert set(re.findall(r"^\| `([a-z_]+)` \|", section, re.MULTILINE)) == set(ERROR_CLASSES)


@pytest.mark.parametrize("kind", PROBES)
def test_every_option_says_what_it_is(kind):
    assert all(option.help for option in PROBES[kind].load().OPTIONS)


def test_the_registry_loads_no_kind_by_itself():
    code = (
        "import sys, probes.registry; print([m for m in sys.modules if m in ('probes.http', 'pycurl', 'dns', 're2')])"
    )

    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True).stdout
        == "[]\n"
    )


ABSENT = "flask,sqlalchemy,apscheduler,twilio,feedgen,statuspage,requests,pydantic"
ALONE = """
import runpy, sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in sys.argv[2].split(","):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Refuse())
import importlib, pkgutil, probes
for module in pkgutil.walk_packages(probes.__path__, "probes."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
sys.argv = ["probes", "run", "http", sys.argv[1], "--allow-network", "127.0.0.0/8"]
runpy.run_module("probes", run_name="__main__")
"""


def test_probes_import_and_run_without_the_site(serve, answer):
    server = serve(answer())

    done = subprocess.run(
        [sys.executable, "-c", ALONE, server.url, ABSENT], capture_output=True, text=True, cwd=ROOT, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1].startswith("up in ")


def command(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "probes", "run", *arguments, "--allow-network", "127.0.0.0/8"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )


def test_the_command_shows_addresses_heads_phases_assertions_and_verdict(serve, answer):
    server = serve(answer(b'{"status":"bad"}', "200 OK", "X-Version: 6"))

    done = command("http", server.url, "--option", "expect.json=status == 'ok'", "--option", "headers.X-Api-Key=hidden")

    assert done.returncode == 1
    for text in (
        "dialled            127.0.0.1",
        "phases ms",
        f"> GET {server.url}",
        "< X-Version: 6",
        "ok   status is 2xx: 200",
        "FAIL status == 'ok': false",
    ):
        assert text in done.stdout
    assert "down in " in done.stdout.splitlines()[-1]
    assert "hidden" not in done.stdout


def test_the_command_prints_json_that_reads_back(serve, answer):
    done = command("http", serve(answer()).url, "--json")

    assert done.returncode == 0
    assert CheckResult.from_json(json.loads(done.stdout)).outcome == "up"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("http", "nowhere"), 2, "url: "),
        (("http", "http://127.0.0.1/", "--option", "nope=1"), 2, "nope: unknown option"),
        (("http", "http://127.0.0.1/", "--option", "nope"), 2, "write name=value"),
        (("http", "http://127.0.0.1/", "--timeout", "soon"), 2, "no duration"),
        (("gopher", "x"), 2, "invalid choice"),
        (("tcp", "10.255.0.1:1"), 3, ""),
        (("tcp", "127.0.0.1:9"), 1, ""),
    ],
)
def test_exit_codes_tell_usage_from_verdicts(arguments, code, said):
    done = command(*arguments)

    assert done.returncode == code
    assert said in done.stderr
