"""What replicas bring: messages per second through a slow component with four of them and with one.

The component takes 50 ms for a message, one at a time, and uses no processor meanwhile, so that the
ratio tells of the engine and not of the machine. Both run turn by turn, start-up left out; the
median of the ratios is what counts. Ends with code 1 where it is less than required.

    python benchmarks/replicas.py [--rounds 3] [--replicas 4] [--required 3.2]
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import statistics
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Final

from orchestrator.backends.local import LocalBackend
from orchestrator.engine.message_log import MESSAGES_FILE, MessageLog
from orchestrator.engine.plan import NodePlan, Plan, PlanLink, Step
from orchestrator.engine.run import Run, State
from orchestrator.settings import OrchestratorSettings

COMPONENT: Final = Path(__file__).with_name("relay_component.py")
SERVICE: Final = "benchmark.Relay"
SECONDS: Final = 0.05
COUNT: Final = 100


def make_plan(replicas: int) -> Plan:
    """Return source -> slow component -> sink."""
    params = {"size": 1024, "count": COUNT}
    steps = (
        Step("source", "produce", SERVICE, server_streaming=True, source=True, params=params),
        Step("slow", "work", SERVICE, params={"seconds": SECONDS}),
        Step("sink", "consume", SERVICE, client_streaming=True, sink=True),
    )
    nodes = [NodePlan(step.node, "relay", "1", ("python", str(COMPONENT))) for step in steps]
    nodes[1] = replace(nodes[1], replicas=replicas)
    links = tuple(PlanLink(a.key, b.key) for a, b in itertools.pairwise(steps))
    return Plan("replicas", "", tuple(nodes), steps, links)


async def rate(replicas: int) -> float:
    """Return messages per second."""
    settings, plan = OrchestratorSettings(), make_plan(replicas)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with MessageLog(folder / MESSAGES_FILE, plan) as log:
            outcome = await Run(
                "benchmark",
                plan,
                LocalBackend(folder, settings, lambda *_: None),
                record=lambda *_: None,
                observer=lambda _: None,
                settings=settings,
                log=log,
            ).execute()
    if outcome.state is not State.SUCCEEDED:
        sys.exit(outcome.message)
    counts = outcome.counts["slow.work"]
    if counts.answered != COUNT:
        sys.exit(f"{counts.answered} of {COUNT} messages were answered")
    return COUNT / counts.seconds


async def main(options: argparse.Namespace) -> None:
    """Print the rates and the median ratio."""
    ratios = []
    for number in range(options.rounds):
        one, many = await rate(1), await rate(options.replicas)
        ratios.append(many / one)
        print(
            f"round {number + 1}: 1 replica {one:5.1f}/s  {options.replicas} replicas {many:5.1f}/s"
            f" ({many / one:.2f})",
            flush=True,
        )
    median = statistics.median(ratios)
    print(f"{options.replicas} replicas: median ratio {median:.2f} (required {options.required})")
    if median < options.required:
        sys.exit(1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--replicas", type=int, default=4)
    parser.add_argument("--required", type=float, default=3.2)
    asyncio.run(main(parser.parse_args()))
