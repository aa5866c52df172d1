"""What many runs, slow sinks and large messages cost the orchestrator.

    python benchmarks/soak.py runs [--count 1000]       one after another: what is left of each
    python benchmarks/soak.py together [--count 50]     at once
    python benchmarks/soak.py backpressure              a fast source and a slow sink, 1 MB messages
    python benchmarks/soak.py large                     messages of 100 MB

Every run is a whole one: components as processes, journal, message log, results. Memory is what the
system counts (RSS); beside it stands what of it is in use: bytes that the C library has given out,
and blocks of Python. What grows in RSS alone is kept free by an allocator.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import gc
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import psutil

from composer.graph import Graph, compose
from composer.pipeline import Pipeline
from composer.protoc import compile_proto
from composer.registry import Registry
from orchestrator.embedded import run_pipeline
from orchestrator.engine.run import State
from orchestrator.settings import OrchestratorSettings

COMPONENT = Path(__file__).with_name("relay_component.py")
MIB = 1024 * 1024
PROTO = """
syntax = "proto3";
package benchmark;
message Nothing {}
message Payload { bytes content = 1; }
service Relay {
  rpc produce(Nothing) returns (stream Payload);
  rpc relay(Payload) returns (Payload);
  rpc work(Payload) returns (Payload);
  rpc consume(stream Payload) returns (Nothing);
  rpc linger(stream Payload) returns (Nothing);
}
"""
SCHEMA = """{"type": "object", "properties": {
  "size": {"type": "integer"}, "count": {"type": "integer"}, "seconds": {"type": "number"}}}"""


def make_registry(folder: Path) -> Registry:
    """Write the component's manifest and contract into a folder and find it there."""
    operations = "".join(
        f"  {name}: {{description: {name}}}\n"
        for name in ("produce", "relay", "work", "consume", "linger")
    )
    manifest = f"""
        name: relay
        version: 1.0.0
        title: Relay
        description: Moves messages.
        licence: Apache-2.0
        command: [python, {COMPONENT}]
        proto: relay.proto
        descriptors: descriptors.binpb
        service: benchmark.Relay
        operations:
        """
    (folder / "component.yaml").write_text(textwrap.dedent(manifest).lstrip() + operations)
    (folder / "relay.proto").write_text(PROTO)
    (folder / "descriptors.binpb").write_bytes(compile_proto(PROTO))
    (folder / "params.schema.json").write_text(SCHEMA)
    return Registry.discover([folder], built_in=False)


def make_graph(registry: Registry, size: int, count: int, linger_s: float = 0.0) -> Graph:
    """Return source -> relay -> sink; with `linger_s` the sink takes its time."""
    sink = {"params": {"seconds": linger_s}} if linger_s else {}
    taking = "linger" if linger_s else "consume"
    document = {
        "name": "soak",
        "nodes": {
            "source": {"component": "relay", "params": {"size": size, "count": count}},
            "relay": {"component": "relay"},
            "sink": {"component": "relay", **sink},
        },
        "links": ["source.produce -> relay.relay", f"relay.relay -> sink.{taking}"],
    }
    return compose(Pipeline.model_validate(document), registry)


class _MallInfo2(ctypes.Structure):
    """Of <malloc.h>."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    ]


def allocated_bytes() -> int:
    """Return what the C library has given out and nobody has freed; 0 where it cannot tell."""
    try:
        mallinfo2 = ctypes.CDLL(None).mallinfo2
    except AttributeError:  # not glibc 2.33 or later
        return 0
    mallinfo2.restype = _MallInfo2
    info = mallinfo2()
    return int(info.uordblks + info.hblkhd)


class Use:
    """Memory, open files and child processes of this process."""

    def __init__(self) -> None:
        gc.collect()
        process = psutil.Process()
        self.memory = process.memory_info().rss / MIB
        self.allocated = allocated_bytes() / MIB
        self.blocks = sys.getallocatedblocks()
        self.descriptors = process.num_fds()
        self.processes = len(process.children(recursive=True))
        self.tasks = len(asyncio.all_tasks())

    def __str__(self) -> str:
        return (
            f"{self.memory:.1f} MiB (in use: {self.allocated:.1f} MiB of the C library, "
            f"{self.blocks} blocks of Python), {self.descriptors} descriptors, {self.processes} "
            f"child processes, {self.tasks} tasks"
        )


async def run_once(graph: Graph, settings: OrchestratorSettings) -> None:
    """Run to the end. Ends the program where a run does not succeed."""
    report = await run_pipeline(graph, settings)
    if report.state is not State.SUCCEEDED:
        sys.exit(report.message)


async def watch_memory(peak: list[float]) -> None:
    """Keep the highest memory in `peak`."""
    process = psutil.Process()
    while True:
        peak[0] = max(peak[0], process.memory_info().rss / MIB)
        await asyncio.sleep(0.02)


async def runs(registry: Registry, settings: OrchestratorSettings, count: int) -> None:
    """Print what is left after the first tenth of the runs, and after the last."""
    graph = make_graph(registry, 1024, 20)
    started = time.monotonic()
    for number in range(1, count + 1):
        await run_once(graph, settings)
        if number == max(count // 10, 1):
            first = Use()
            print(f"after {number} runs: {first}", flush=True)
        elif number % max(count // 10, 1) == 0:
            print(f"after {number} runs: {Use()}", flush=True)
    growth = Use().memory / first.memory - 1
    seconds = (time.monotonic() - started) / count
    print(f"{count} runs: memory grew by {growth:.2%} after the first tenth, {seconds:.2f} s a run")


async def together(registry: Registry, settings: OrchestratorSettings, count: int) -> None:
    """Print what is left after three rounds of runs at once."""
    graph = make_graph(registry, 1024, 20)
    for number in range(1, 4):
        started = time.monotonic()
        await asyncio.gather(*(run_once(graph, settings) for _ in range(count)))
        seconds = time.monotonic() - started
        left = Use()
        print(f"round {number}, {count} runs at once: {seconds:.1f} s, left: {left}", flush=True)


async def backpressure(registry: Registry, settings: OrchestratorSettings) -> None:
    """Print the highest memory while 600 MB wait for a slow sink."""
    await measure(make_graph(registry, MIB, 600, 0.02), settings, "600 messages of 1 MB, slow sink")


async def large(registry: Registry, settings: OrchestratorSettings) -> None:
    """Print the highest memory while messages of 100 MB pass."""
    await measure(make_graph(registry, 100 * MIB, 5), settings, "5 messages of 100 MB")


async def measure(graph: Graph, settings: OrchestratorSettings, what: str) -> None:
    """Run once and print the highest memory."""
    before, peak = Use(), [0.0]
    watch = asyncio.create_task(watch_memory(peak))
    started = time.monotonic()
    await run_once(graph, settings)
    watch.cancel()
    seconds = time.monotonic() - started
    print(f"{what}: {seconds:.1f} s, peak {peak[0]:.0f} MiB, before {before.memory:.0f} MiB")


async def main(options: argparse.Namespace) -> None:
    """Do what was asked for in a folder of its own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "relay").mkdir()
        registry = make_registry(folder / "relay")
        settings = OrchestratorSettings(runs_folder=folder / "runs")
        if options.what == "runs":
            await runs(registry, settings, options.count or 1000)
        elif options.what == "together":
            await together(registry, settings, options.count or 50)
        elif options.what == "backpressure":
            await backpressure(registry, settings)
        else:
            await large(registry, settings)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["runs", "together", "backpressure", "large"])
    parser.add_argument("--count", type=int)
    asyncio.run(main(parser.parse_args()))
