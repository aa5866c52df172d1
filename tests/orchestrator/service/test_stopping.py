"""What becomes of runs when the process of the service is stopped or killed."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from protos.orchestrator.v1 import orchestrator_pb2 as v1
from protos.orchestrator.v1.orchestrator_pb2_grpc import RunsStub
from tests.orchestrator.service.scripted import CHAIN, DEAF, HANGING, RESULT, make_registry
from tests.orchestrator.service.v1_client import content, ended, refused, until, until_deaf
from tests.orchestrator.test_faults import scripted_processes

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def components(tmp_path: Path) -> Path:
    make_registry(tmp_path / "components")
    return tmp_path / "components"


@contextlib.asynccontextmanager
async def serving(components: Path, runs: Path) -> AsyncIterator[tuple[Any, Any]]:
    """The process, and a stub of its service."""
    module = "tests.orchestrator.service.service_process"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, components, runs), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    try:
        address = (await process.stdout.readline()).decode().strip()
        async with grpc.aio.insecure_channel(address) as channel:
            yield process, RunsStub(channel)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def hanging_run(stub: Any) -> v1.Run:
    """Start a run and wait until it hangs at its fourth message."""
    run = await stub.submit(v1.SubmitRequest(pipeline=HANGING))
    async for event in stub.watch(v1.WatchRequest(run=run.id)):
        if event.kind == "counts" and event.node == "work" and event.detail["answered"] == 3:
            return run
    raise AssertionError("the run has ended")


async def check_resumed(stub: Any, run: v1.Run) -> None:
    await stub.resume(v1.ResumeRequest(run=run.id))
    run = await ended(stub, run)
    assert run.state == v1.STATE_SUCCEEDED, run.message
    (result,) = [r async for r in stub.results(v1.ResultsRequest(run=run.id))]
    assert await content(stub, run.id, result.path) == RESULT


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_stopping_ends_runs_in_order_and_tells_their_watchers(
    components: Path, tmp_path: Path, number: signal.Signals
) -> None:
    async with serving(components, tmp_path / "runs") as (process, stub):
        run = await hanging_run(stub)
        watching = aiter(stub.watch(v1.WatchRequest(run=run.id)))
        await anext(watching)
        process.send_signal(number)
        events = [event async for event in watching]
        assert (events[-1].kind, events[-1].detail["state"]) == ("run-closed", "cancelled")
        assert await process.wait() == 0
        assert scripted_processes() == []
    async with serving(components, tmp_path / "runs") as (_, stub):
        assert (await stub.get(v1.GetRequest(run=run.id))).state == v1.STATE_CANCELLED
        await check_resumed(stub, run)


async def test_a_run_whose_service_was_killed_is_interrupted_and_can_be_resumed(
    components: Path, tmp_path: Path
) -> None:
    async with serving(components, tmp_path / "runs") as (process, stub):
        run = await hanging_run(stub)
        process.kill()
        await process.wait()
    async with serving(components, tmp_path / "runs") as (_, stub):
        assert (await stub.get(v1.GetRequest(run=run.id))).state == v1.STATE_INTERRUPTED
        await check_resumed(stub, run)


async def test_a_stopping_service_takes_no_new_runs(components: Path, tmp_path: Path) -> None:
    async with serving(components, tmp_path / "runs") as (process, stub):
        run = await stub.submit(v1.SubmitRequest(pipeline=DEAF))
        await until_deaf()
        process.terminate()
        await until(stub, run, v1.STATE_STOPPING)
        code, _ = await refused(stub.submit(v1.SubmitRequest(pipeline=CHAIN)))
        assert code is grpc.StatusCode.UNAVAILABLE
        assert await process.wait() == 0
