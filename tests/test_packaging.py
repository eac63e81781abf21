"""What is built is what is here: wheel, source archive, editable install and locks, each tried in an environment of its own."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import sysconfig
import tarfile
import time
import tomllib
import urllib.error
import urllib.request
import venv
import zipfile
from contextlib import contextmanager
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-build.lock", "requirements-agent.lock")
AGENT_MB = 60  # a small machine in a far place, perhaps on a slow line
# Below these, known holes: reliability notes of the libraries, checked when the lock is renewed.
AT_LEAST = {"flask": "3.1.3", "werkzeug": "3.1.5", "urllib3": "2.6.3", "jinja2": "3.1.6", "waitress": "3.0.2",
            "requests": "2.32.5"}  # fmt: skip


@pytest.fixture(scope="module")
def dist(tmp_path_factory):
    """Folder with the source archive and the wheel built from it, without isolation and so without any network."""
    out = tmp_path_factory.mktemp("dist")
    run([sys.executable, "-m", "build", "--no-isolation", "--outdir", out, ROOT], cwd=out)
    return out


@pytest.fixture(scope="module")
def wheel(dist):
    return next(dist.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """bin folder of an environment that has the wheel, and the dependencies as the lock names them, but not this checkout."""
    return install(tmp_path_factory.mktemp("wheel"), "--no-index", str(wheel))


@pytest.fixture(scope="module")
def editable(tmp_path_factory):
    """The same with an editable install of this checkout."""
    return install(tmp_path_factory.mktemp("editable"), "--no-build-isolation", "--no-index", "--editable", str(ROOT))


@pytest.fixture(scope="module")
def agent_only(wheel, tmp_path_factory):
    """bin folder of an environment that has the wheel and what the agent's lock names, copied from here, and nothing else."""
    folder = tmp_path_factory.mktemp("agent")
    venv.create(folder, with_pip=False, symlinks=True)
    site = next(folder.glob("lib/python*/site-packages"))
    for name, (version, _hashes) in locked("requirements-agent.lock").items():
        found = distribution(name)
        assert found.version == version, f"{name}: run scripts/setup requirements-dev.lock"
        for file in found.files:
            if ".." not in file.parts and "__pycache__" not in file.parts:
                (site / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(found.locate_file(file), site / file)
    run([sys.executable, "-m", "pip", "--python", folder / "bin" / "python", "install", "--quiet", "--no-deps", "--no-index",
         "--disable-pip-version-check", str(wheel)], cwd=folder)  # fmt: skip
    return folder / "bin"


def clean_environment():
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "STATUSPAGE", "COV"))}


def run(command, cwd, **environment):
    """Output of a command that must succeed, started outside the checkout in a clean environment."""
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=cwd, env=clean_environment() | environment
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def install(folder, *what):
    """A new environment with `what` installed; the dependencies are found through a path file, our own package is not."""
    venv.create(folder, with_pip=False, symlinks=True)
    site = next(folder.glob("lib/python*/site-packages"))
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    run([sys.executable, "-m", "pip", "--python", folder / "bin" / "python", "install", "--quiet", "--no-deps",
         "--disable-pip-version-check", *what], cwd=folder)  # fmt: skip
    return folder / "bin"


def sources(folder):
    return {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_wheel_holds_our_code_and_every_template_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        inside = {name for name in archive.namelist() if ".dist-info/" not in name}

    moved = {f"statuspage/{name}" for name in [*sources("templates"), "examples/demo-wallet.yaml"]}
    assert inside == sources("statuspage") | sources("probes") | moved


@pytest.mark.parametrize("folder", ["templates", "examples"])
def test_no_copy_of_what_moves_lies_in_the_package_of_the_checkout(folder):
    assert not (ROOT / "statuspage" / folder).exists()


def test_the_source_archive_can_do_what_the_repository_can(dist):
    with tarfile.open(next(dist.glob("*.tar.gz"))) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}

    wanted = {"Makefile", "README.md", "LICENSE", "CHANGELOG.md", "Dockerfile", "fly.toml", "scripts/setup", "scripts/test-setup",
              ".ci/run", "tests/conftest.py", *LOCKS}  # fmt: skip
    assert wanted - inside == set()


def test_the_wheel_finds_its_own_templates_from_anywhere(installed, tmp_path):
    found = run([installed / "python", "-c", "from statuspage.templating_root import root; print(root())"], cwd=tmp_path).strip()

    assert Path(found) == next(installed.parent.glob("lib/python*/site-packages")) / "statuspage" / "templates"
    assert {path.name for path in Path(found).iterdir()} == {path.name for path in (ROOT / "templates").iterdir()}


def test_an_editable_install_uses_the_checkout_itself(editable, tmp_path):
    script = "import statuspage, probes, statuspage.templating_root as t; print(statuspage.__file__, probes.__file__, t.root())"
    found = run([editable / "python", "-c", script], cwd=tmp_path).split()

    assert found == [str(ROOT / part) for part in ("statuspage/__init__.py", "probes/__init__.py", "templates")]
    assert not list(ROOT.glob("*.egg-info"))


def test_the_version_is_the_same_everywhere(wheel, installed, tmp_path):
    told = run([installed / "python", "-c", "import statuspage; print(statuspage.__version__)"], cwd=tmp_path).strip()

    assert told == PROJECT["version"]
    assert wheel.name.startswith(f"wallet_statuspage-{PROJECT['version']}-py3-none-any")


@contextmanager
def serving(programs, folder, port, console_port):
    """`statuspage init` and `statuspage serve` as a newcomer would, in an empty folder outside the checkout."""
    settings = {"STATUSPAGE_DATA": str(folder / "var"), "PORT": str(port), "CONSOLE_PORT": str(console_port)}
    run([programs / "statuspage", "init", "--url", f"http://127.0.0.1:{port}"], cwd=folder, **settings)
    command = [programs / "statuspage", "serve", "--config", "wallet.yaml"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, cwd=folder, env=clean_environment() | settings, stdout=log, stderr=log)
    try:
        yield server
    finally:
        server.terminate()
        server.wait(timeout=30)


def fetch(server, folder, url):
    """Body and headers of `url`, waiting for the server to listen."""
    give_up = time.monotonic() + 60
    while server.poll() is None and time.monotonic() < give_up:
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return answer.read().decode(), answer.headers
        except (ConnectionError, urllib.error.URLError):
            time.sleep(0.1)
    return pytest.fail((folder / "log").read_text(errors="replace"))


@pytest.mark.parametrize("kind", ["wheel", "editable"])
def test_an_installation_serves_the_page_from_outside_the_checkout(kind, request, tmp_path, free_port):
    programs = request.getfixturevalue("installed" if kind == "wheel" else "editable")
    port = free_port()

    with serving(programs, tmp_path, port, free_port()) as server:
        chinese, headers = fetch(server, tmp_path, f"http://127.0.0.1:{port}/zh-Hans/")
        english, _ = fetch(server, tmp_path, f"http://127.0.0.1:{port}/en/")
        live, _ = fetch(server, tmp_path, f"http://127.0.0.1:{port}/live.json")

    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert "我的钱包" in chinese
    assert "My Wallet" in english
    assert json.loads(live)
    assert server.returncode == 0, (tmp_path / "log").read_text()


def test_the_program_tells_a_newcomer_what_to_do(installed, tmp_path):
    told = run([installed / "statuspage", "--help"], cwd=tmp_path)

    assert "statuspage serve --demo" in told
    assert list(tmp_path.iterdir()) == []


def test_an_agent_needs_no_more_than_its_lock(agent_only, tmp_path, free_port):
    absent = ["flask", "sqlalchemy", "apscheduler", "twilio", "feedgen", "requests", "pydantic"]
    script = f"""
import importlib.util
from probes.registry import PROBES
for probe in PROBES.values():
    probe.load()
print([name for name in {absent} if importlib.util.find_spec(name)])
"""

    with socket.create_server(("127.0.0.1", port := free_port())):
        target = ["tcp", f"127.0.0.1:{port}", "--allow-network", "127.0.0.0/8"]
        probed = run([agent_only / "python", "-m", "probes", "run", *target], cwd=tmp_path)

    assert run([agent_only / "python", "-c", script], cwd=tmp_path).strip() == "[]"
    assert "--server URL" in run([agent_only / "python", "-m", "probes", "agent", "--help"], cwd=tmp_path)
    assert "up in" in probed


def test_an_agent_is_small(agent_only):
    site = next(agent_only.parent.glob("lib/python*/site-packages"))

    assert sum(path.stat().st_size for path in site.rglob("*") if path.is_file()) < AGENT_MB * 1_000_000


def test_the_agent_lock_has_what_the_project_asks_for_agents():
    pins = {name: version for name, (version, _hashes) in locked("requirements-agent.lock").items()}
    group = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]["agent"]

    asked = [Requirement(line) for line in group]
    assert [str(one) for one in asked if pins.get(canonicalize_name(one.name), "0") not in one.specifier] == []


def locked(name):
    """name -> (version, number of hashes) of a lock, every line accounted for."""
    found: dict[str, tuple[str, int]] = {}
    for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
        pin = re.fullmatch(r"([A-Za-z0-9._-]+)==(\S+)( ; .+)? \\", line)
        if pin:
            current = pin[1]
            found[current] = (pin[2], 0)
        else:
            assert re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}( \\)?", line), f"{name}: {line}"
            found[current] = (found[current][0], found[current][1] + 1)
    return found


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_is_versions_and_hashes_and_names_no_index(name):
    assert min(hashes for _version, hashes in locked(name).values()) >= 1
    assert len(locked(name)) > 5


def test_every_lock_agrees_with_the_one_for_development():
    everything = locked("requirements-dev.lock")

    differing = {(lock, name) for lock in LOCKS for name, pin in locked(lock).items() if everything.get(name, pin) != pin}
    assert differing == set()
    assert set(locked("requirements.lock")) - set(everything) == set()


def test_what_the_project_asks_for_is_locked_as_it_asks():
    pins = {name: version for name, (version, _hashes) in locked("requirements.lock").items()}
    asked = [Requirement(line) for line in PROJECT["dependencies"] + PROJECT["optional-dependencies"]["postgres"]]

    missing = [str(one) for one in asked if pins.get(canonicalize_name(one.name), "0") not in one.specifier]
    assert missing == []


@pytest.mark.parametrize(("name", "least"), AT_LEAST.items())
def test_no_library_with_a_known_hole_is_locked(name, least):
    assert Version(locked("requirements.lock")[name][0]) >= Version(least)
