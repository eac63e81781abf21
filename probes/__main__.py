"""`python -m probes run KIND TARGET`: one run, shown whole. `python -m probes agent`: probes for a server elsewhere.

Exit codes of run: 0 up, 1 degraded or down, 2 usage, 3 unknown; of agent: 0 stopped, 2 usage, 3 refused by the server.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
import time
from collections.abc import Sequence
from typing import Any

from probes import agent, guard, view
from probes.options import duration_s
from probes.registry import PROBES
from probes.result import CheckResult
from probes.run import Run
from probes.spec import ProbeSpec
from probes.transfer import Client

_EXIT = {"up": 0, "degraded": 1, "down": 1, "unknown": 3}


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m probes", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    agent.add_arguments(commands.add_parser("agent", help="probe for a server elsewhere until stopped"))
    run = commands.add_parser("run", help="run one probe and show everything")
    run.add_argument("kind", choices=sorted(PROBES))
    run.add_argument("target", help="as in wallet.yaml: a URL, host:port or a name")
    run.add_argument(
        "--option", action="append", default=[], metavar="K=V", help="an option; a.b=V goes inside; V may be JSON"
    )
    run.add_argument("--allow-network", action="append", default=[], metavar="CIDR", help="network that may be dialled")
    run.add_argument("--timeout", default="10s", help="deadline of the whole run")
    run.add_argument("--json", action="store_true", help="print the result as JSON")
    run.add_argument("--debug", action="store_true", help="also log what the libraries say")
    return parser.parse_args(argv)


def _options(pairs: Sequence[str]) -> dict[str, Any]:
    """`expect.status=204` becomes {"expect": {"status": 204}}. Raises ValueError."""
    options: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            message = f"--option {pair}: write name=value"
            raise ValueError(message)
        try:
            value = json.loads(text)
        except ValueError:
            value = text
        *outer, last = name.split(".")
        place = options
        for each in outer:
            place = place.setdefault(each, {})
        place[last] = value
    return options


def make_spec(arguments: argparse.Namespace) -> ProbeSpec:
    """The spec these arguments describe. Raises ValueError with every problem, a line each."""
    options = _options(arguments.option)
    problems = PROBES[arguments.kind].validate(arguments.target, options)
    if problems:
        raise ValueError("\n".join(f"{'.'.join(map(str, path))}: {text}" for path, text in problems))
    networks = tuple(arguments.allow_network)
    guard.Policy(networks)
    return ProbeSpec(
        "run",
        arguments.kind,
        arguments.target,
        options,
        timeout_s=duration_s(arguments.timeout),
        allow_networks=networks,
    )


async def run_once(spec: ProbeSpec, *, detail: bool = True) -> CheckResult:
    """One run outside the engine, within the spec's deadline."""
    client = Client()
    run = Run(spec, client, detail=detail)
    run.begin(time.time_ns() // 1_000_000, 0.0)
    try:
        async with asyncio.timeout(spec.timeout_s + 0.25):
            return await PROBES[spec.kind].load().check(spec, run)
    except Exception as error:  # noqa: BLE001 - shown as the verdict
        return run.failure(error)
    finally:
        await client.close()


def main(argv: Sequence[str]) -> int:
    """Run the command and return its exit code."""
    arguments = _arguments(argv)
    if arguments.command == "agent":
        return agent.main(arguments)
    logging.basicConfig(level=logging.DEBUG if arguments.debug else logging.ERROR)
    try:
        spec = make_spec(arguments)
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    result = asyncio.run(run_once(spec))
    text = json.dumps(result.to_json(), ensure_ascii=False) if arguments.json else "\n".join(view.lines(spec, result))
    sys.stdout.write(text + "\n")
    return _EXIT[result.outcome]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
