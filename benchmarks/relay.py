"""Messages per second through the engine, against a bare grpc.aio hub in the same run.

Trivial components as processes: a stream source, unary relays, a stream sink. The hub reads the
source, calls the relays one after another and writes to the sink, with nothing in between: no
queues, counts, events or results. Both reach the same kind of components over Unix sockets, turn
by turn, and the median of the ratios is what counts.

    python benchmarks/relay.py [--rounds 5] [--relays 1 3] [--log off on] [--memory]

--log on keeps every message in the run's log, from which it could be resumed. --memory moves
200,000 messages and prints how the engine's memory grows meanwhile.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import statistics
import sys
import tempfile
import time
from pathlib import Path

import psutil

from orchestrator.backends.local import LocalBackend
from orchestrator.engine.channels import open_channel, wait_until_ready
from orchestrator.engine.message_log import MessageLog
from orchestrator.engine.plan import NodePlan, Plan, PlanLink, Step
from orchestrator.engine.run import Run, State
from orchestrator.events import Event, Kind
from orchestrator.settings import OrchestratorSettings

COMPONENT = Path(__file__).with_name("relay_component.py")
SERVICE = "benchmark.Relay"
SIZES = {"1 KB": (1024, 4000), "1 MB": (1024 * 1024, 300)}
MIB = 1024 * 1024


def make_plan(size: int, count: int, relays: int) -> Plan:
    """Return source -> relay -> ... -> sink."""
    params = {"size": size, "count": count}
    steps = [
        Step("source", "produce", SERVICE, server_streaming=True, source=True, params=params),
        *(Step(f"relay{number}", "relay", SERVICE) for number in range(relays)),
        Step("sink", "consume", SERVICE, client_streaming=True, sink=True),
    ]
    nodes = [NodePlan(step.node, "relay", "1", ("python", str(COMPONENT))) for step in steps]
    links = tuple(PlanLink(a.key, b.key) for a, b in itertools.pairwise(steps))
    return Plan("relay", "", tuple(nodes), tuple(steps), links)


async def engine_rate(plan: Plan, *, log: bool, memory: list[float] | None = None) -> float:
    """Return messages per second through the engine, start-up left out."""
    settings = OrchestratorSettings()
    count = plan.steps[0].params["count"]
    process = psutil.Process()

    def observe(event: Event) -> None:
        if memory is not None and event.kind is Kind.COUNTS:
            memory.append(process.memory_info().rss / MIB)

    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        run = Run(
            "benchmark",
            plan,
            LocalBackend(folder, settings, lambda *_: None),
            record=lambda *_: None,
            observer=observe,
            settings=settings,
            log=stack.enter_context(MessageLog(folder / "messages.log", plan)) if log else None,
        )
        outcome = await run.execute()
    if outcome.state is not State.SUCCEEDED:
        sys.exit(outcome.message)
    counts = outcome.counts["sink.consume"]
    if counts.received != count:
        sys.exit(f"{counts.received} of {count} messages arrived")
    return count / counts.seconds


async def hub_rate(plan: Plan) -> float:
    """Return messages per second through a bare hub."""
    settings = OrchestratorSettings()
    source, *relays, sink = plan.steps
    with tempfile.TemporaryDirectory() as folder:
        backend = LocalBackend(Path(folder), settings, lambda *_: None)
        channels = {}
        for node in plan.nodes:
            [address] = await backend.start(node)
            channels[node.name] = open_channel(address, settings.max_message_bytes)
            await wait_until_ready(channels[node.name], 30)
        stubs = [channels[step.node].unary_unary(step.path) for step in relays]
        consume = channels[sink.node].stream_unary(sink.path)()
        produce = channels[source.node].unary_stream(source.path)
        started = time.monotonic()
        async for message in produce(b"", metadata=(("eoloom-params", source.params_json),)):
            passed = message
            for stub in stubs:
                passed = await stub(passed)
            await consume.write(passed)
        await consume.done_writing()
        await consume
        seconds = time.monotonic() - started
        await backend.stop()
    return int(source.params["count"]) / seconds


async def compare(name: str, relays: int, rounds: int, logs: list[bool]) -> None:
    """Print the rates of hub and engine, turn by turn, and the median ratio per kind of log."""
    size, count = SIZES[name]
    plan = make_plan(size, count // relays, relays)
    ratios: dict[bool, list[float]] = {log: [] for log in logs}
    for number in range(rounds):
        hub = await hub_rate(plan)
        line = f"{name}, {relays} relays, round {number + 1}: hub {hub:6.0f}/s"
        for log in logs:
            engine = await engine_rate(plan, log=log)
            ratios[log].append(engine / hub)
            line += f"  engine{' with log' if log else ''} {engine:6.0f}/s ({engine / hub:.2f})"
        print(line, flush=True)
    for log, values in ratios.items():
        median = statistics.median(values)
        print(f"{name}, {relays} relays, log {'on' if log else 'off'}: median ratio {median:.2f}")


async def watch_memory() -> None:
    """Print the engine's memory at the start, in the middle and at the end of a long run."""
    memory: list[float] = []
    await engine_rate(make_plan(1024, 200_000, 1), log=True, memory=memory)
    tenth, half, last = memory[len(memory) // 10], memory[len(memory) // 2], memory[-1]
    print(f"200,000 messages of 1 KB: {tenth:.1f} MiB, half-way {half:.1f}, at the end {last:.1f}")


async def main(options: argparse.Namespace) -> None:
    """Print all comparisons that were asked for."""
    logs = [word == "on" for word in options.log]
    for name, relays in itertools.product(SIZES, options.relays):
        await compare(name, relays, options.rounds, logs)
    if options.memory:
        await watch_memory()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--relays", type=int, nargs="+", default=[1])
    parser.add_argument("--log", nargs="+", choices=["off", "on"], default=["off", "on"])
    parser.add_argument("--memory", action="store_true")
    asyncio.run(main(parser.parse_args()))
