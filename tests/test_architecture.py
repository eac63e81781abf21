"""The rules of the house, read from the source itself; each proven by a violation planted in a tree of its own."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ("statuspage", "probes", "bench")

LEAVES = {"errors", "clock", "loading", "settings", "keys", "logs", "i18n", "templating", "templating_root", "scenarios",
          "symptoms", "demo_files"}  # fmt: skip
ROOTS = {"app", "wsgi", "worker.main", "__main__"}  # the composition roots may import every part: wiring is their work

# part -> what of ours it may import beside itself and the leaves. A part is a folder or module of statuspage, or probes.
MAY_IMPORT: dict[str, set[str]] = {
    # domain: it hands actions what they take, as a form does. probes.__main__: `statuspage agent` is that program.
    "cli": {"app", "installation", "worker", "config", "actions", "store", "demo", "domain", "probes.__main__"},
    "web": {"actions", "store", "domain", "publish", "channels.registry", "channels.message"},
    "worker": {"actions", "store", "channels", "publish", "probes"},
    "config": {"actions", "store", "domain", "probes.registry"},
    # A batch of results is what actions.checks records, specs are what actions.agents hands out.
    "actions": {"store", "domain", "probes.result", "probes.spec"},
    "channels": {"domain", "probes.guard", "probes.resolve.NoAnswer"},  # what the guard raises
    "store": {"domain"},
    "publish": {"store", "domain", "probes.guard", "probes.resolve.NoAnswer"},
    "domain": {"probes.result"},
    "probes": set(),
    "demo": set(),
    **{leaf: set() for leaf in LEAVES},
    "installation": {"actions", "store"},
    "symptoms": {"domain"},
    "scenarios": {"domain"},  # the catalogue speaks the domain's words
}
# Leaves that are no business of a part: what the domain knows of time and settings comes in as an argument.
NOT_FOR = {"domain": {"settings", "keys", "logs", "templating", "templating_root", "scenarios", "symptoms"}, "probes": LEAVES}

# Third-party library (or one name of it) -> where it lives. A path ending in / is a folder, else the start of file names.
LIBRARIES: dict[str, tuple[str, ...]] = {
    "alembic": ("statuspage/store/",),
    "apscheduler": ("statuspage/worker/scheduler",),
    "argon2": ("statuspage/actions/",),
    "babel": ("statuspage/i18n",),
    "brotli": ("statuspage/publish/",),
    "click": ("statuspage/cli/",),
    "cronsim": ("probes/heartbeat",),
    "cryptography": ("statuspage/domain/", "statuspage/keys", "statuspage/channels/webpush", "statuspage/demo/", "probes/"),
    "dateutil": ("statuspage/domain/", "statuspage/config/", "statuspage/actions/configured_windows"),
    "dns": ("probes/",),
    "feedgen": ("statuspage/publish/feeds",),
    "flask": ("statuspage/web/", "statuspage/app"),
    "granian": ("statuspage/app", "statuspage/web/"),
    "icalendar": ("statuspage/publish/",),
    "jinja2": ("statuspage/templating",),
    "jmespath": ("probes/",),
    "lxml": ("statuspage/publish/feeds",),
    "markdown_it": ("statuspage/templating",),
    "markupsafe": ("statuspage/templating", "statuspage/web/", "statuspage/publish/"),
    "mnemonic": ("statuspage/domain/secret_shapes",),
    "nh3": ("statuspage/templating",),
    "phonenumbers": ("statuspage/domain/", "statuspage/channels/sms"),
    "prometheus_client": ("statuspage/web/", "statuspage/worker/"),
    "psycopg": ("statuspage/store/",),
    "py_vapid": ("statuspage/channels/webpush", "statuspage/keys"),
    "pycurl": ("probes/",),
    "pydantic": ("statuspage/config/",),
    "pydantic_core": ("statuspage/config/",),
    "pyotp": ("statuspage/actions/",),
    "pywebpush": ("statuspage/channels/webpush",),
    "re2": ("probes/",),
    "requests": ("statuspage/channels/safehttp", "statuspage/publish/websub"),
    "segno": ("statuspage/web/console/account",),
    "sqlalchemy": ("statuspage/store/", "statuspage/actions/", "statuspage/config/"),
    "sqlalchemy.Connection": ("statuspage/",),  # what a reader of the store is handed
    "twilio": ("statuspage/channels/sms",),
    "urllib3": ("statuspage/channels/safehttp",),
    "waitress": ("statuspage/app", "statuspage/web/"),
    "werkzeug": ("statuspage/web/", "statuspage/app"),
    "yaml": ("statuspage/config/", "statuspage/scenarios", "statuspage/symptoms"),
}
# A handler that dials out would hold a web thread and reach what the reader cannot.
NEVER_IN = {
    "statuspage/web/": {"urllib.request", "http.client", "socket", "smtplib", "subprocess"},
    "statuspage/domain/": {"socket", "subprocess", "sqlite3", "threading", "urllib.request", "http.client"},
}
# Dotted paths become modules here and nowhere else: kinds and channels, heavy libraries with their channel.
DYNAMIC_IMPORTS = ("statuspage/channels/registry", "statuspage/channels/sms", "statuspage/channels/webpush", "probes/registry",
                   "statuspage/cli", "statuspage/app", "statuspage/store/on_demand")  # fmt: skip

EMPTY_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "misc"}
BANNED_MODULES = {"pickle", "marshal", "shelve", "dill", "cloudpickle"}
BANNED_CALLS = {"eval", "exec", "os.system", "os.popen", "yaml.full_load", "yaml.unsafe_load", "yaml.load_all",
                "render_template_string", "flask.render_template_string"}  # fmt: skip
BANNED_METHODS = {"from_string": "a template made from a string runs what people write"}
WALL_CLOCK = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "time.time_ns"}
MAX_FILE, MAX_FUNCTION = 400, 60


def violations(root: Path) -> list[str]:
    """Every breach below `root` as `path:line: what`."""
    misplaced = {"no code below templates/": ("templates", "*.py"), "no __init__.py under tests": ("tests", "__init__.py")}
    found = [
        f"{path.relative_to(root)}:1: {what}"
        for what, (folder, pattern) in misplaced.items()
        for path in sorted((root / folder).rglob(pattern))
    ]
    for source in SOURCES:
        for path in sorted((root / source).rglob("*.py")):
            name = path.relative_to(root).as_posix()
            text = path.read_text(encoding="utf-8")
            tree = ast.parse(text, name)
            breaches = [*_sizes(name, text, tree), *_names(name), *_calls(name, tree), *_inner_imports(tree)]
            if source != "bench":
                breaches += [*_directions(name, tree), *_homes(name, tree), *_writes(name, tree), *_now(name, tree)]
            found += [f"{name}:{line}: {what}" for line, what in breaches]
    return found


@lru_cache(maxsize=1)
def _nodes(tree: ast.AST) -> tuple[ast.AST, ...]:
    """All nodes: every rule looks at them, one file after the other."""
    return tuple(ast.walk(tree))


def _part(module: str) -> str:
    """`statuspage.store.schema.people` -> store; `probes.guard` -> probes."""
    parts = module.split(".")
    return parts[0] if parts[0] == "probes" else ".".join(parts[1:2])


def _module(name: str) -> str:
    return name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _imports(name: str, tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, dotted path) of everything imported, `from a import b` as a.b, import_module("a.b") as a.b."""
    package = _module(name).split(".")
    if not name.endswith("__init__.py"):
        package = package[:-1]
    for node in _nodes(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            base = ".".join(part for part in (above, node.module) if part)
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and _dotted(node.func).endswith("import_module"):
            yield from ((node.lineno, str(path.value)) for path in node.args[:1] if isinstance(path, ast.Constant))


def _dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def _directions(name: str, tree: ast.AST) -> Iterator[tuple[int, str]]:
    module = _module(name)
    part = _part(module)
    if module.removeprefix("statuspage.") in ROOTS or module == "statuspage":
        return
    if part not in MAY_IMPORT:
        yield 1, f"{part} has no row in MAY_IMPORT"
        return
    for line, target in _imports(name, tree):
        if target.split(".")[0] not in {"statuspage", "probes"} or target == "statuspage.__version__":
            continue
        inner = target.removeprefix("statuspage.")
        allowed = MAY_IMPORT[part] | ((LEAVES - NOT_FOR.get(part, set())) if part != "probes" else set())
        if _part(target) != part and not any(inner == may or inner.startswith(may + ".") for may in allowed):
            yield line, f"{part} must not import {target}"


def _homes(name: str, tree: ast.AST) -> Iterator[tuple[int, str]]:
    for line, target in _imports(name, tree):
        top = target.split(".")[0]
        banned = {ban for place, bans in NEVER_IN.items() if name.startswith(place) for ban in bans}
        if any(f"{target}.".startswith(f"{ban}.") for ban in banned):
            yield line, f"{target} has no business in {name}"
        if top in {"statuspage", "probes"} or top in sys.stdlib_module_names:
            continue
        homes = LIBRARIES.get(top, ()) + LIBRARIES.get(target, ())
        if not homes:
            yield line, f"{top} has no home: give it one row in LIBRARIES"
        elif not name.startswith(homes):
            yield line, f"{top} lives in {', '.join(LIBRARIES[top])}"


def _inner_imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for function in _nodes(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.Import | ast.ImportFrom):
                    yield node.lineno, f"import inside {function.name}()"


def _sizes(name: str, text: str, tree: ast.AST) -> Iterator[tuple[int, str]]:
    if "/migrations/" in name:  # written by Alembic, read as a list
        return
    if (lines := text.count("\n")) > MAX_FILE:
        yield 1, f"{lines} lines, at most {MAX_FILE}"
    for node in _nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > MAX_FUNCTION:
                yield node.lineno, f"{node.name}() has {lines} lines, at most {MAX_FUNCTION}"


def _names(name: str) -> Iterator[tuple[int, str]]:
    for part in Path(name).with_suffix("").parts:
        if EMPTY_NAMES & set(part.split("_")):
            yield 1, f"{part} says nothing about what is in it"


def _calls(name: str, tree: ast.AST) -> Iterator[tuple[int, str]]:
    yield from ((line, f"{target} is banned") for line, target in _imports(name, tree) if target.split(".")[0] in BANNED_MODULES)
    for node in _nodes(tree):
        if not isinstance(node, ast.Call):
            continue
        called = _dotted(node.func)
        if called in BANNED_CALLS:
            yield node.lineno, f"{called} is banned"
        if called == "yaml.load" and "SafeLoader" not in ast.unparse(node):
            yield node.lineno, "yaml.load without a SafeLoader makes objects of the writer's choice"
        if isinstance(node.func, ast.Attribute) and node.func.attr in BANNED_METHODS:
            yield node.lineno, f"{node.func.attr}: {BANNED_METHODS[node.func.attr]}"
        if any(keyword.arg == "shell" and getattr(keyword.value, "value", True) for keyword in node.keywords):
            yield node.lineno, "shell=True is banned"
        if called.endswith("import_module") and not name.startswith(DYNAMIC_IMPORTS):
            yield node.lineno, f"dynamic imports live in {', '.join(DYNAMIC_IMPORTS)}"


def _writes(name: str, tree: ast.AST) -> Iterator[tuple[int, str]]:
    """`with database.write()` and the statements that write belong to actions (and to the store's own queries)."""
    if name.startswith(("statuspage/actions/", "statuspage/store/")):
        return
    for node in _nodes(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "write" and not node.args:
            yield node.lineno, "only actions write"


def _now(name: str, tree: ast.AST) -> Iterator[tuple[int, str]]:
    """clock.now() is the one source of now; domain and store are told."""
    if not name.startswith("statuspage/") or name.startswith(("statuspage/clock.py", "statuspage/demo/")):
        return
    told = name.startswith(("statuspage/domain/", "statuspage/store/"))
    banned = WALL_CLOCK | ({"clock.now"} if told else set())
    for node in _nodes(tree):
        if isinstance(node, ast.Call) and _dotted(node.func) in banned:
            yield node.lineno, f"{_dotted(node.func)}() is not for here: take the time as an argument, or clock.now()"
    if told and any(target == "statuspage.clock.now" for _line, target in _imports(name, tree)):
        yield 1, "statuspage.clock.now is not for here: take the time as an argument"


def test_the_house_keeps_its_rules():
    found = violations(ROOT)

    assert not found, "\n" + "\n".join(found)


def test_every_part_has_a_row_and_every_row_a_part():
    parts = {_part(_module(path.relative_to(ROOT).as_posix())) for path in (ROOT / "statuspage").rglob("*.py")} - {""}

    assert parts - set(MAY_IMPORT) - ROOTS == set()


LONG_FUNCTION = "def long():\n" + "    print()\n" * 60
PLANTED = [
    ("statuspage/web/bad.py", "from statuspage.worker import checker\n", "web must not import statuspage.worker.checker"),
    ("statuspage/web/bad.py", "from statuspage.channels.sms import send\n", "web must not import statuspage.channels.sms.send"),
    ("statuspage/actions/bad.py", "from statuspage import publish\n", "actions must not import statuspage.publish"),
    ("statuspage/store/bad.py", "import statuspage.actions.notices\n", "store must not import statuspage.actions.notices"),
    ("statuspage/store/bad.py", "from ..actions import notices\n", "store must not import statuspage.actions.notices"),
    ("statuspage/domain/bad.py", "from statuspage.settings import load\n", "domain must not import statuspage.settings.load"),
    ("statuspage/domain/bad.py", "from probes import engine\n", "domain must not import probes.engine"),
    ("statuspage/config/bad.py", "from probes import engine\n", "config must not import probes.engine"),
    ("statuspage/demo/bad.py", "from statuspage.store import database\n", "demo must not import statuspage.store.database"),
    ("statuspage/cli/bad.py", "from statuspage.publish import files\n", "cli must not import statuspage.publish.files"),
    ("statuspage/errors.py", "from statuspage.store import database\n", "errors must not import statuspage.store.database"),
    ("probes/bad.py", "from statuspage import errors\n", "probes must not import statuspage.errors"),
    ("statuspage/novelty/bad.py", "\n", "novelty has no row"),
    ("statuspage/worker/bad.py", "import requests\n", "requests lives in statuspage/channels/safehttp"),
    ("statuspage/worker/bad.py", "import pycurl\n", "pycurl lives in probes/"),
    ("statuspage/publish/bad.py", "from feedgen.feed import FeedGenerator\n", "feedgen lives in statuspage/publish/feeds"),
    ("statuspage/channels/registry.py", 'm = importlib.import_module("twilio.rest")\n', "twilio lives in statuspage/"),
    ("statuspage/web/bad.py", "from sqlalchemy import select\n", "sqlalchemy lives in statuspage/store/"),
    ("statuspage/web/bad.py", "import httpx\n", "httpx has no home"),
    ("statuspage/web/bad.py", "import urllib.request\n", "urllib.request has no business"),
    ("statuspage/web/bad.py", "m = importlib.import_module(x)\n", "dynamic imports live in"),
    ("probes/bad.py", "def f():\n    import json\n", "import inside f()"),
    ("probes/bad.py", "async def f():\n    from json import loads\n", "import inside f()"),
    ("statuspage/web/bad.py", "\n" * 401, "401 lines, at most 400"),
    ("statuspage/web/bad.py", LONG_FUNCTION, "long() has 61 lines, at most 60"),
    ("statuspage/web/utils.py", "\n", "utils says nothing"),
    ("statuspage/web/page_helpers.py", "\n", "page_helpers says nothing"),
    ("statuspage/web/bad.py", "import pickle\n", "pickle is banned"),
    ("statuspage/web/bad.py", 'os.system("ls")\n', "os.system is banned"),
    ("statuspage/cli.py", "subprocess.run(x, shell=True)\n", "shell=True is banned"),
    ("statuspage/config/bad.py", "yaml.load(x)\n", "yaml.load without a SafeLoader"),
    ("statuspage/config/bad.py", "eval(x)\n", "eval is banned"),
    ("statuspage/web/bad.py", "render_template_string(x)\n", "render_template_string is banned"),
    ("statuspage/web/bad.py", "environment.from_string(x)\n", "from_string: a template made from a string"),
    ("statuspage/web/bad.py", "with database.write() as c:\n    ...\n", "only actions write"),
    ("statuspage/web/bad.py", "at = datetime.now(UTC)\n", "datetime.now() is not for here"),
    ("statuspage/store/bad.py", "at = clock.now()\n", "clock.now() is not for here"),
    ("statuspage/domain/bad.py", "from statuspage.clock import now\n", "statuspage.clock.now is not for here"),
    ("templates/site/bad.py", "\n", "no code below templates/"),
    ("tests/web/__init__.py", "\n", "no __init__.py under tests"),
]
KEPT = [
    ("statuspage/web/good.py", "from statuspage.actions import notices\nfrom statuspage import clock\nat = clock.now()\n"),
    ("statuspage/web/good.py", "from sqlalchemy import Connection\nfrom statuspage.channels.registry import CHANNELS\n"),
    ("statuspage/web/good.py", "from statuspage import __version__\nopen(path).write(text)\n"),
    ("statuspage/app.py", "from statuspage.worker import checker\nfrom statuspage.web import site\nimport probes.engine\n"),
    ("statuspage/worker/main.py", "from statuspage.web import site\n"),
    ("statuspage/config/good.py", "yaml.load(x, Loader=yaml.CSafeLoader)\n"),
    ("statuspage/actions/good.py", "from statuspage.store import notices\nwith database.write() as c:\n    ...\n"),
    ("statuspage/domain/good.py", "from probes.result import CheckResult\nfrom statuspage.errors import Conflict\n"),
    ("statuspage/channels/sms.py", 'from probes.guard import check\nm = importlib.import_module("twilio.rest")\n'),
    ("probes/good.py", "from probes.spec import ProbeSpec\nfrom . import guard\nimport pycurl, time\nat = time.time()\n"),
    ("statuspage/web/good.py", "\n" * 400 + "start(shell=False)"),
    ("statuspage/web/good.py", LONG_FUNCTION.replace("    print()\n", "", 1)),
]


@pytest.mark.parametrize(("path", "source", "breach"), PLANTED)
def test_a_planted_violation_is_found(path, source, breach, tmp_path):
    _plant(tmp_path, path, source)

    found = violations(tmp_path)

    assert len(found) == 1, found
    assert found[0].startswith(f"{path}:")
    assert breach in found[0]


@pytest.mark.parametrize(("path", "source"), KEPT)
def test_what_the_rules_allow_is_not_reported(path, source, tmp_path):
    _plant(tmp_path, path, source)

    assert violations(tmp_path) == []


def _plant(root: Path, path: str, source: str) -> None:
    (root / path).parent.mkdir(parents=True)
    (root / path).write_text(source, encoding="utf-8")
