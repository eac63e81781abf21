"""The scenario of test_partition.py, run inside namespaces of its own (mount, network, processes): a server and three agents,
each with a network stack of its own on one bridge. Prints one JSON document with what was seen.

Not a test module: `unshare` starts it as a program, and all it makes ends with it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from installation import Installation
from outpost import WALLET, Outpost, look, watch_arrivals

SERVER, NETWORK = "10.213.7.1", "10.213.7.0/24"
REGIONS = ("hk", "sg", "us")
TARGET = """
import http.server, pathlib, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(503 if pathlib.Path(sys.argv[2]).exists() else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer((sys.argv[1], 9999), Handler).serve_forever()
"""


def ip(*words):
    subprocess.run(["ip", *words], check=True, timeout=10)


def lay_cables():
    """One network stack for the server and one per agent, joined by a bridge in the server's."""
    subprocess.run(["mount", "-t", "tmpfs", "none", "/run"], check=True, timeout=10)  # ip keeps its names there: ours alone
    ip("netns", "add", "server")
    ip("-n", "server", "link", "set", "lo", "up")
    # A bridge without an address of its own takes a port's, and another one's when that port leaves.
    ip("-n", "server", "link", "add", "br0", "address", "02:00:00:00:00:01", "type", "bridge")
    ip("-n", "server", "address", "add", f"{SERVER}/24", "dev", "br0")
    ip("-n", "server", "link", "set", "br0", "up")
    for number, region in enumerate(REGIONS, 11):
        ip("netns", "add", region)
        ip("-n", region, "link", "set", "lo", "up")
        ip("-n", "server", "link", "add", f"to-{region}", "type", "veth", "peer", "name", "uplink", "netns", region)
        ip("-n", region, "address", "add", f"10.213.7.{number}/24", "dev", "uplink")
        ip("-n", region, "link", "set", "uplink", "up")
        ip("-n", "server", "link", "set", f"to-{region}", "master", "br0", "up")


def inside(name):
    return ["ip", "netns", "exec", name]


def wait_for(what, condition, *, within_s=60.0):
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        found = condition()
        if found:
            return found
        time.sleep(0.1)
    raise SystemExit(f"did not happen within {within_s} s: {what}")


def times(home, region):
    joined = "SELECT at_ms FROM check_results JOIN regions ON no = region_no WHERE name = ?"
    return [at_ms for (at_ms,) in look(home, joined, region)]


def now_ms():
    return time.time_ns() // 1_000_000


def main(folder):
    lay_cables()
    broken = folder / "broken"
    subprocess.Popen([*inside("server"), sys.executable, "-c", TARGET, SERVER, str(broken)])
    (folder / "wallet.yaml").write_text(
        WALLET.format(url=f"http://{SERVER}", network=NETWORK, target=f"http://{SERVER}:9999/", regions=", ".join(REGIONS)),
        encoding="utf-8",
    )
    home = Installation(folder / "home", config=folder / "wallet.yaml", HOST=SERVER)
    keys = {region: home.cli("agents", "add", f"{region}-1", "--region", region)["key"] for region in REGIONS}
    watch_arrivals(home)
    home.launch(prefix=inside("server"))
    server = f"http://{SERVER}:{home.ports['PORT']}"
    options = {"network": NETWORK}
    agents = [
        Outpost(folder / one, server, keys[one], "--plain-http", region=one, prefix=inside(one), **options).start()
        for one in REGIONS
    ]
    wait_for("every region reports", lambda: all(len(times(home, region)) >= 3 for region in REGIONS))

    ip("-n", "server", "link", "set", "to-us", "nomaster")  # the link stays up: packets vanish, as on a broken road
    cut_ms = now_ms() + 500
    time.sleep(7)
    during = [at for at in times(home, "us") if at > cut_ms]
    healed_ms = now_ms()
    ip("-n", "server", "link", "set", "to-us", "master", "br0")
    wait_for("something newer than the backlog arrives", lambda: max(times(home, "us")) > healed_ms)
    time.sleep(2)  # what the backlog says has been judged
    report = {
        "arrived_while_cut": len(during),
        "backlog": len([at for at in times(home, "us") if cut_ms < at < healed_ms]),
        "others_meanwhile": len([at for region in ("hk", "sg") for at in times(home, region) if cut_ms < at < healed_ms]),
        "sequences": [sequence for (sequence,) in look(home, "SELECT sequence FROM seen WHERE agent = 'us-1' ORDER BY no")],
        "outcomes": [json.loads(row[0])[0]["outcome"] for row in look(home, "SELECT results FROM seen WHERE agent = 'us-1'")],
        "notices_of_the_partition": look(home, "SELECT status FROM notices"),
    }
    broken.touch()
    wait_for("a real outage is told", lambda: look(home, "SELECT 1 FROM notices WHERE source = 'monitor'"))
    report["notices_of_the_outage"] = look(home, "SELECT count(*) FROM notices")[0][0]
    report["agents_ended"] = [agent.stop() for agent in agents]
    report["server_ended"] = home.stop()
    report["traceback"] = "Traceback" in "".join(agent.log.read_text() for agent in agents)
    print(json.dumps(report))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
