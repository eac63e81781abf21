"""Three agents in network namespaces of their own; one is cut off and healed. reliability.md 3.3, F13.

`unshare` makes the namespaces, as root or, where the kernel lets everybody (Debian and its kin do), through a user namespace;
they and everything in them end with the one program started here.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCENARIO = Path(__file__).with_name("partition.py")
HOW = (
    "needs ip (iproute2) and unshare (util-linux): run scripts/test-setup; and root, or user namespaces for everybody:"
    " sysctl kernel.unprivileged_userns_clone=1 (Debian), kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu)"
)


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("partition")
    if not (shutil.which("ip", path=f"{os.environ['PATH']}:/usr/sbin:/sbin") and shutil.which("unshare")):
        pytest.fail(HOW)
    as_root = [] if os.geteuid() == 0 else ["--map-root-user"]
    apart = ["unshare", *as_root, "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if subprocess.run([*apart, "true"], capture_output=True, check=False, timeout=20).returncode:
        pytest.fail(HOW)
    environment = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
    done = subprocess.run(
        [*apart, sys.executable, SCENARIO, folder], capture_output=True, text=True, check=False, timeout=270, env=environment
    )
    logs = "\n".join(path.read_text()[-1500:] for path in folder.rglob("*.log"))
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{logs}"
    return json.loads(done.stdout.splitlines()[-1])


def test_an_agent_cut_off_and_healed_raises_no_notice(report):
    assert report["notices_of_the_partition"] == []


def test_its_backlog_arrives_whole_and_in_order(report):
    assert report["arrived_while_cut"] == 0
    assert report["backlog"] >= 2
    assert report["sequences"] == list(range(1, 1 + len(report["sequences"])))


def test_it_would_have_been_alone_with_its_view(report):
    """It saw its target vanish, often enough to be sure of it; the others went on and saw it work."""
    assert report["outcomes"].count("down") >= 2
    assert report["others_meanwhile"] >= 8


def test_what_everybody_sees_is_told_once(report):
    assert report["notices_of_the_outage"] == 1


def test_everybody_ends_in_order(report):
    assert (report["agents_ended"], report["server_ended"], report["traceback"]) == ([0, 0, 0], 0, False)
