"""Messages per second through the engine, against a bare grpc.aio hub in the same run.

Three trivial components as processes: a stream source, a unary relay, a stream sink. The hub reads
the source, calls the relay and writes to the sink with nothing in between: no queues, counts,
events or results. Both reach the same kind of components over Unix sockets, turn by turn, and the
median of the ratios is what counts.

    python benchmarks/relay.py [--rounds 5]
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path

from orchestrator.backends.local import LocalBackend
from orchestrator.engine.calls import open_channel, wait_until_ready
from orchestrator.engine.plan import NodePlan, Plan, Step
from orchestrator.engine.run import Run, State
from orchestrator.settings import OrchestratorSettings

COMPONENT = Path(__file__).with_name("relay_component.py")
SERVICE = "benchmark.Relay"
SIZES = {"1 KB": (1024, 4000), "1 MB": (1024 * 1024, 300)}


def make_plan(size: int, count: int) -> Plan:
    """Return source -> relay -> sink."""
    nodes = tuple(
        NodePlan(name, "relay", "1", ("python", str(COMPONENT)))
        for name in ("source", "relay", "sink")
    )
    params = {"size": size, "count": count}
    steps = (
        Step("source", "produce", SERVICE, server_streaming=True, source=True, params=params),
        Step("relay", "relay", SERVICE),
        Step("sink", "consume", SERVICE, client_streaming=True, sink=True),
    )
    links = (("source.produce", "relay.relay"), ("relay.relay", "sink.consume"))
    return Plan("relay", "", nodes, steps, links)


async def engine_rate(size: int, count: int, settings: OrchestratorSettings) -> float:
    """Return messages per second through the engine, start-up left out."""
    plan = make_plan(size, count)
    with tempfile.TemporaryDirectory() as folder:
        backend = LocalBackend(Path(folder), settings, lambda *_: None)
        run = Run(
            "benchmark",
            plan,
            backend,
            record=lambda *_: None,
            observer=lambda _: None,
            settings=settings,
        )
        outcome = await run.execute()
    if outcome.state is not State.SUCCEEDED:
        sys.exit(outcome.message)
    counts = outcome.counts["sink.consume"]
    if counts.received != count:
        sys.exit(f"{counts.received} of {count} messages arrived")
    return count / counts.seconds


async def hub_rate(size: int, count: int, settings: OrchestratorSettings) -> float:
    """Return messages per second through a bare hub."""
    plan = make_plan(size, count)
    with tempfile.TemporaryDirectory() as folder:
        backend = LocalBackend(Path(folder), settings, lambda *_: None)
        channels = [
            open_channel(await backend.start(node), settings.max_message_bytes)
            for node in plan.nodes
        ]
        for channel in channels:
            await wait_until_ready(channel, 30)
        source, relay, sink = (
            getattr(channel, form)(step.path)
            for channel, form, step in zip(
                channels, ("unary_stream", "unary_unary", "stream_unary"), plan.steps, strict=True
            )
        )
        started = time.monotonic()
        consume = sink()
        metadata = (("eoloom-params", plan.steps[0].params_json),)
        async for message in source(b"", metadata=metadata):
            await consume.write(await relay(message))
        await consume.done_writing()
        await consume
        seconds = time.monotonic() - started
        await backend.stop()
    return count / seconds


async def main(rounds: int) -> None:
    """Print the rates of every round and the median ratio per size."""
    settings = OrchestratorSettings()
    for name, (size, count) in SIZES.items():
        ratios = []
        for number in range(rounds):
            hub = await hub_rate(size, count, settings)
            engine = await engine_rate(size, count, settings)
            ratios.append(engine / hub)
            print(
                f"{name} round {number + 1}: engine {engine:7.0f}/s  "
                f"hub {hub:7.0f}/s  ratio {engine / hub:.2f}"
            )
        print(f"{name} median ratio {statistics.median(ratios):.2f}\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    asyncio.run(main(parser.parse_args().rounds))
