"""The Dockerfile's steps, run one by one as a shell script in an empty directory: there is no container engine in a test.

/opt, /data and the like become folders below that directory, and the Python of the tests stands in for the image's.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
PLACES = re.compile(r"(?<![\w.:/-])/(?=(?:opt|src|wheels|data)\b)")
# Every dependency is fetched and installed anew.
pytestmark = pytest.mark.timeout(600)
FLY = tomllib.loads((ROOT / "fly.toml").read_text(encoding="utf-8"))


class Step(NamedTuple):
    instruction: str
    text: str


def parse(text):
    """The steps of a Dockerfile, comments gone and continued lines joined."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines()
    return [Step(*line.split(None, 1)) for line in joined]


STEPS = parse((ROOT / "Dockerfile").read_text(encoding="utf-8"))
FINAL = STEPS[max(index for index, step in enumerate(STEPS) if step.instruction == "FROM") :]


def one(instruction):
    """The only step of the final stage with that instruction."""
    (found,) = [step.text for step in FINAL if step.instruction == instruction]
    return found


class Image(NamedTuple):
    root: Path
    environment: dict[str, str]
    user: int


@pytest.fixture(scope="module")
def image():
    """Every step done below a new directory that any user may enter."""
    root = Path(tempfile.mkdtemp(prefix="statuspage-image-")).resolve()
    root.chmod(0o755)
    python = root / "usr" / "local" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys._base_executable)
    ours = ("PYTHON", "STATUSPAGE", "COV", "VIRTUAL")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    environment = inherited | {"PATH": f"{python.parent}:/usr/bin:/bin", "TMPDIR": tempfile.gettempdir()}
    try:
        yield Image(root, carry_out(root, environment), int(one("USER").partition(":")[0]))
    finally:
        shutil.rmtree(root, ignore_errors=True)


def carry_out(root, environment):
    """Do all steps; the environment of the final stage."""
    place = root
    for step in STEPS:
        text = PLACES.sub(f"{root}/", step.text)
        match step.instruction:
            case "FROM":
                place = root
            case "WORKDIR":
                place = Path(text)
                place.mkdir(parents=True, exist_ok=True)
            case "COPY":
                copy(text.split(), place)
            case "RUN":
                if os.geteuid() != 0:  # only root may give files away
                    text = re.sub(r"-o 10001 -g 10001", "", text)
                done = subprocess.run(
                    ["sh", "-euc", text], capture_output=True, text=True, check=False, cwd=place, env=environment
                )
                assert done.returncode == 0, f"RUN {step.text}\n{done.stdout}\n{done.stderr}"
            case "ENV":
                variables = dict(assignment.split("=", 1) for assignment in shlex.split(text))
                variables["PATH"] = variables["PATH"].replace("/usr/local/bin", str(root / "usr/local/bin"))
                environment = environment | variables
            case "USER" | "VOLUME" | "EXPOSE" | "STOPSIGNAL" | "HEALTHCHECK" | "CMD":
                pass
            case other:
                pytest.fail(f"this test does not know {other}: teach it")
    return environment


def copy(words, place):
    if words[0].startswith("--from="):
        assert words[1] == words[2], "scripts carry their own path: copy an environment only to where it was made"
        return
    *sources, target = words
    for source in sources:
        destination = place / target
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, destination, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            if target.endswith("/"):
                destination.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / source, destination)


def as_the_user(image, command, **options):
    """Run as the image's user. It may read what this machine hides from others (the tests' own Python), but write nothing."""
    return subprocess.run(prefixed(image, command), capture_output=True, text=True, check=False, env=image.environment,
                          cwd=image.root / "data", **options)  # fmt: skip


def start_as_the_user(image, command):
    return subprocess.Popen(prefixed(image, command), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            env=image.environment, cwd=image.root / "data")  # fmt: skip


def prefixed(image, command):
    drop = ["setpriv", f"--reuid={image.user}", f"--regid={image.user}", "--clear-groups", "--inh-caps=-all,+dac_read_search",
            "--ambient-caps=-all,+dac_read_search", "--bounding-set=-all,+dac_read_search"]  # fmt: skip
    # Without root there is nobody else to become, and the tests run as a user without rights anyway.
    return [*(drop if os.geteuid() == 0 else []), *command]


def test_the_command_serves_and_the_health_check_sees_it(image, free_port):
    ports = {"PORT": str(free_port()), "CONSOLE_PORT": str(free_port()), "HOST": "127.0.0.1", "CONSOLE_HOST": "127.0.0.1"}
    here = image._replace(environment=image.environment | ports)
    check = ["sh", "-c", one("HEALTHCHECK").partition(" CMD ")[2]]

    assert as_the_user(here, check).returncode != 0
    with start_as_the_user(here, json.loads(one("CMD"))) as server:
        give_up = time.monotonic() + 60
        while (checked := as_the_user(here, check)).returncode != 0 and time.monotonic() < give_up:
            assert server.poll() is None, server.communicate()
            time.sleep(0.5)
        server.terminate()
        _out, log = server.communicate(timeout=30)

    assert checked.returncode == 0, f"{checked.stderr}\n{log}"
    assert server.returncode == 0, log
    assert (image.root / "data" / "statuspage.db").stat().st_uid == (image.user if os.geteuid() == 0 else os.geteuid())


TRY_TO_WRITE = """
import os, sys
root, refused, written = sys.argv[1], 0, []
for folder, _folders, files in os.walk(root):
    for path in [os.path.join(folder, "planted"), *(os.path.join(folder, name) for name in files[:5])]:
        try:
            with open(path, "ab"):
                written.append(os.path.relpath(path, root))
        except OSError:
            refused += 1
print(refused, *written)
"""


def test_the_user_can_write_to_the_data_folder_and_nowhere_else(image):
    if os.geteuid() == 0:
        tried = as_the_user(image, ["python", "-c", TRY_TO_WRITE, str(image.root)])

        assert tried.returncode == 0, tried.stderr
        refused, *written = tried.stdout.split()
        assert "data/planted" in written
        assert [path for path in written if not path.startswith("data/")] == []
        assert int(refused) > 500

    program = [path for path in (image.root / "opt").rglob("*") if not path.is_symlink()]
    assert not [path for path in program if path.stat().st_mode & (stat.S_IWOTH | stat.S_IWGRP)]


def test_the_environment_holds_what_runs_and_nothing_that_builds(image):
    told = as_the_user(image, ["python", "-c", "import statuspage, probes, psycopg; print(statuspage.__file__)"])

    assert told.stdout.startswith(f"{image.root}/opt/statuspage/lib/"), told.stderr
    for name in ("pip", "setuptools", "hatchling"):
        assert f"No module named '{name}'" in as_the_user(image, ["python", "-c", f"import {name}"]).stderr


def test_the_user_is_a_number_other_than_root():
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", one("USER"))


def test_every_instruction_of_the_build_is_guarded_by_hashes_or_fetches_nothing():
    installs = [step.text for step in STEPS if step.instruction == "RUN" and " pip" in step.text]

    assert len(installs) == 4
    assert not [text for text in installs if "--require-hashes" not in text and "--no-deps" not in text]
    assert not [text for text in installs if "wheel " in text and "--no-build-isolation" not in text]


def test_the_build_sees_what_it_copies_and_nothing_else():
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    copied = {source.rstrip("/") for step in STEPS if step.instruction == "COPY" and "--from" not in step.text
              for source in step.text.split()[:-1]}  # fmt: skip

    assert rules[0] == "*"
    assert {rule[1:] for rule in rules if rule.startswith("!")} == copied


def test_fly_keeps_one_awake_machine_with_its_volume_where_the_image_keeps_its_data():
    service = FLY["http_service"]
    ports = dict(pair.split("=", 1) for pair in shlex.split(one("ENV")))

    assert [mount["destination"] for mount in FLY["mounts"]] == [one("VOLUME")] == [ports["STATUSPAGE_DATA"]]
    assert service["auto_stop_machines"] == "off"
    assert service["min_machines_running"] == 1
    assert str(service["internal_port"]) == ports["PORT"]
    assert service["checks"][0]["path"] in one("HEALTHCHECK")
    assert FLY["env"]["STATUSPAGE_TRUSTED_HOPS"] == "1"


def test_fly_waits_longer_for_the_end_than_the_program_needs():
    assert int(FLY["kill_timeout"].removesuffix("s")) > float(FLY["env"]["STATUSPAGE_DRAIN"])
