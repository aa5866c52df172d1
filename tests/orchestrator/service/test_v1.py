"""Our own service: submit, list, get, watch, cancel, resume, results, download."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from composer.registry import Registry
from protos.orchestrator.v1 import orchestrator_pb2 as v1
from protos.orchestrator.v1.orchestrator_pb2_grpc import RunsStub
from tests.orchestrator.service.conftest import Serve
from tests.orchestrator.service.scripted import CHAIN, DEAF, HANGING, RESULT, make_registry
from tests.orchestrator.service.v1_client import content, ended, refused, until_deaf
from tests.orchestrator.test_faults import scripted_processes


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    return make_registry(tmp_path_factory.mktemp("components"))


@pytest.fixture
async def runs(serve: Serve, registry: Registry) -> AsyncIterator[Any]:
    """A stub of the service."""
    async with serve(registry) as service:
        yield RunsStub(service.channel)


async def test_a_submitted_pipeline_runs_and_leaves_results(runs: Any) -> None:
    run = await runs.submit(v1.SubmitRequest(pipeline=CHAIN))
    assert (run.pipeline, run.state) == ("chain", v1.STATE_RUNNING)
    assert not run.HasField("ended")
    run = await ended(runs, run)
    assert run.state == v1.STATE_SUCCEEDED, run.message
    assert run.ended.ToDatetime() >= run.started.ToDatetime()
    counts = {f"{c.node}.{c.operation}": (c.received, c.answered) for c in run.operations}
    assert counts == {"source.produce": (0, 5), "work.relay": (5, 5), "all.gather": (5, 1)}
    (result,) = [r async for r in runs.results(v1.ResultsRequest(run=run.id))]
    assert (result.node, result.operation, result.terminal) == ("all", "gather", True)
    assert await content(runs, run.id, result.path) == RESULT
    assert await content(runs, run.id, result.path, offset=3) == RESULT[3:]
    assert await content(runs, run.id, result.path, offset=999) == b""


async def test_overrides_are_applied(runs: Any) -> None:
    request = v1.SubmitRequest(pipeline=CHAIN, overrides=["source.count=2", 'work.mark="*"'])
    run = await ended(runs, await runs.submit(request))
    (result,) = [r async for r in runs.results(v1.ResultsRequest(run=run.id))]
    assert await content(runs, run.id, result.path) == b"m1*,m2*"


async def test_all_faults_of_a_pipeline_are_told(runs: Any) -> None:
    faulty = CHAIN.replace("work: {component: scripted}", "work: {component: scriptd}")
    request = v1.SubmitRequest(pipeline=faulty, overrides=["nobody.count=2"])
    code, details = await refused(runs.submit(request))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert "did you mean 'scripted'?" in details
    assert "nobody" in details


@pytest.mark.parametrize("pipeline", ["", "nodes: [", "a: &a [*a]", "[]", "\0", "é" * 100_000])
async def test_what_is_no_pipeline_is_refused(runs: Any, pipeline: str) -> None:
    code, details = await refused(runs.submit(v1.SubmitRequest(pipeline=pipeline)))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert details


async def test_a_request_that_is_too_large_is_refused(serve: Serve, registry: Registry) -> None:
    async with serve(registry, max_request_bytes=10_000) as service:
        stub = RunsStub(service.channel)
        code, _ = await refused(stub.submit(v1.SubmitRequest(pipeline=CHAIN + "#" * 10_000)))
        assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert (await ended(stub, await stub.submit(v1.SubmitRequest(pipeline=CHAIN)))).state


async def test_several_runs_go_on_at_once(runs: Any) -> None:
    request = v1.SubmitRequest(pipeline=CHAIN)
    started = [await runs.submit(request) for _ in range(3)]
    assert len({run.id for run in started}) == 3
    assert [(await ended(runs, run)).state for run in started] == [v1.STATE_SUCCEEDED] * 3
    listed = (await runs.list(v1.ListRequest())).runs
    assert [run.id for run in listed] == [run.id for run in reversed(started)]
    assert len((await runs.list(v1.ListRequest(limit=2))).runs) == 2
    code, _ = await refused(runs.list(v1.ListRequest(limit=-1)))
    assert code is grpc.StatusCode.INVALID_ARGUMENT


async def test_as_many_runs_at_once_as_are_allowed(serve: Serve, registry: Registry) -> None:
    async with serve(registry, max_runs_per_user=1) as service:
        stub = RunsStub(service.channel)
        run = await stub.submit(v1.SubmitRequest(pipeline=HANGING))
        code, details = await refused(stub.submit(v1.SubmitRequest(pipeline=CHAIN)))
        assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert details == "1 runs of yours are going on; cancel one or wait"
        await stub.cancel(v1.CancelRequest(run=run.id))
        await stub.submit(v1.SubmitRequest(pipeline=CHAIN))


async def test_watching_tells_everything_from_the_beginning_and_ends_with_the_run(
    runs: Any,
) -> None:
    run = await runs.submit(v1.SubmitRequest(pipeline=CHAIN))
    events = [event async for event in runs.watch(v1.WatchRequest(run=run.id))]
    kinds = [event.kind for event in events]
    assert kinds[0] == "run-started"
    assert kinds[-1] == "run-closed"
    assert events[-1].detail["state"] == "succeeded"
    assert {"counts", "result", "node-ready"} <= set(kinds)
    kept = [kind for kind in kinds if kind != "counts"]
    # Once more when it is over: what the journal keeps, each event once.
    again = [event.kind async for event in runs.watch(v1.WatchRequest(run=run.id))]
    assert again == kept


async def test_a_cancelled_run_stops_and_can_be_resumed(runs: Any) -> None:
    run = await runs.submit(v1.SubmitRequest(pipeline=HANGING))
    watching = runs.watch(v1.WatchRequest(run=run.id))
    async for event in watching:
        if event.kind == "counts" and event.node == "work" and event.detail["answered"] == 3:
            break
    run = await runs.cancel(v1.CancelRequest(run=run.id))
    assert run.state == v1.STATE_CANCELLED
    assert scripted_processes() == []
    assert (await runs.cancel(v1.CancelRequest(run=run.id))).state == v1.STATE_CANCELLED
    resumed = await runs.resume(v1.ResumeRequest(run=run.id))
    assert resumed.id == run.id
    assert resumed.state == v1.STATE_RUNNING
    code, _ = await refused(runs.resume(v1.ResumeRequest(run=run.id)))
    assert code is grpc.StatusCode.FAILED_PRECONDITION
    # A new process, which gets two messages only and so does not hang.
    assert (await ended(runs, run)).state == v1.STATE_SUCCEEDED
    (result,) = [r async for r in runs.results(v1.ResultsRequest(run=run.id))]
    assert await content(runs, run.id, result.path) == RESULT


async def test_a_run_that_has_succeeded_is_not_resumed(runs: Any) -> None:
    run = await ended(runs, await runs.submit(v1.SubmitRequest(pipeline=CHAIN)))
    code, details = await refused(runs.resume(v1.ResumeRequest(run=run.id)))
    assert code is grpc.StatusCode.FAILED_PRECONDITION
    assert "has succeeded" in details


async def test_cancelling_does_not_wait_for_a_component_that_does_not_stop(runs: Any) -> None:
    run = await runs.submit(v1.SubmitRequest(pipeline=DEAF))
    await until_deaf()
    assert (await runs.cancel(v1.CancelRequest(run=run.id))).state == v1.STATE_STOPPING
    assert (await ended(runs, run)).state == v1.STATE_CANCELLED
    assert scripted_processes() == []


async def test_there_is_no_run_of_that_name(runs: Any) -> None:
    await ended(runs, await runs.submit(v1.SubmitRequest(pipeline=CHAIN)))
    for name in ("", "none", "last", "chain", "../chain", "\0", "%"):
        for call in (
            runs.get(v1.GetRequest(run=name)),
            runs.cancel(v1.CancelRequest(run=name)),
            runs.resume(v1.ResumeRequest(run=name)),
            runs.watch(v1.WatchRequest(run=name)).read(),
            runs.results(v1.ResultsRequest(run=name)).read(),
            runs.download(v1.DownloadRequest(run=name, path="catalog.json")).read(),
        ):
            assert (await refused(call))[0] is grpc.StatusCode.NOT_FOUND, name


NOT_SERVED = [
    "",
    "/etc/passwd",
    "../journal.sqlite",
    "results/../../journal.sqlite",
    "pipeline.yaml",
    "messages.log",
    "results",
    "results/none",
    "shared/passwd",
    "shared/folder/passwd",
    "shared/fifo",
    "shared/a\0b",
    "shared/" + "a" * 5000,
]


async def test_only_files_of_the_run_are_given(runs: Any, tmp_path: Path) -> None:
    run = await ended(runs, await runs.submit(v1.SubmitRequest(pipeline=CHAIN)))
    shared = tmp_path / "runs" / run.id / "shared"
    (shared / "passwd").symlink_to("/etc/passwd")
    (shared / "folder").symlink_to("/etc")
    os.mkfifo(shared / "fifo")
    for path in NOT_SERVED:
        code, details = await refused(content(runs, run.id, path))
        assert code is grpc.StatusCode.NOT_FOUND, path
        assert details.startswith("the run has no file")
    code, _ = await refused(content(runs, run.id, "catalog.json", offset=-1))
    assert code is grpc.StatusCode.INVALID_ARGUMENT


async def test_the_catalogue_is_given(runs: Any) -> None:
    run = await ended(runs, await runs.submit(v1.SubmitRequest(pipeline=CHAIN)))
    assert run.id.encode() in await content(runs, run.id, "catalog.json")


async def test_a_failed_run_says_why(runs: Any) -> None:
    request = v1.SubmitRequest(pipeline=CHAIN, overrides=["work.fail_at=[2]"])
    run = await ended(runs, await runs.submit(request))
    assert run.state == v1.STATE_FAILED
    assert run.message == "node work: relay: scripted failure at 2 [INVALID_ARGUMENT]"


async def test_a_runs_folder_that_cannot_be_used_is_told(
    serve: Serve, registry: Registry, tmp_path: Path
) -> None:
    async with serve(registry) as service:
        (tmp_path / "runs" / "journal.sqlite").rename(tmp_path / "kept")
        for path in (tmp_path / "runs").iterdir():
            path.unlink()
        (tmp_path / "runs").rmdir()
        (tmp_path / "runs").write_text("in the way")
        stub = RunsStub(service.channel)
        code, details = await refused(stub.submit(v1.SubmitRequest(pipeline=CHAIN)))
    assert code is grpc.StatusCode.FAILED_PRECONDITION
    assert str(tmp_path / "runs") in details
