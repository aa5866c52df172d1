"""A service that is not to be believed: it writes nothing out of the folder of its run."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.struct_pb2 import Struct

from orchestrator.engine.run import State
from orchestrator.events import Kind
from orchestrator.journal import Journal
from orchestrator.service_client.errors import ServiceAnswerError
from orchestrator.service_client.mirrored_run import MirroredRun
from orchestrator.service_client.paths import local_path
from orchestrator.service_client.settings import ServerSettings
from orchestrator.settings import OrchestratorSettings
from protos.orchestrator.v1 import orchestrator_pb2 as v1
from protos.orchestrator.v1.orchestrator_pb2_grpc import RunsServicer, add_RunsServicer_to_server
from tests.orchestrator.service.scripted import CHAIN
from tests.orchestrator.service_client.conftest import ServerAt

Content = Callable[[int], list[v1.Chunk]]


def whole(content: bytes) -> Content:
    return lambda offset: [v1.Chunk(offset=offset, size=len(content), data=content[offset:])]


class Hostile(RunsServicer):
    """A service with one run that has ended, whose files are what a test says."""

    def __init__(self, files: dict[str, Content], run: str = "run-1") -> None:
        self.files = files
        self.run = v1.Run(id=run, pipeline="chain", digest="0", state=v1.STATE_SUCCEEDED)
        self.run.started.GetCurrentTime()
        self.run.ended.GetCurrentTime()

    async def submit(self, request: Any, context: Any) -> v1.Run:
        return self.run

    async def get(self, request: Any, context: Any) -> v1.Run:
        return self.run

    async def cancel(self, request: Any, context: Any) -> v1.Run:
        return self.run

    async def watch(self, request: Any, context: Any) -> AsyncIterator[v1.RunEvent]:
        for kind, detail in (
            ("result", {"path": "/etc/passwd"}),
            ("nonsense", {}),
            ("notice", {"message": "\0", "number": float("inf")}),
            ("node-starting", {}),
            ("run-closed", {"state": "running"}),
        ):
            fields = Struct()
            fields.update(detail)
            yield v1.RunEvent(kind=kind, node="../../up", detail=fields)

    async def results(self, request: Any, context: Any) -> AsyncIterator[v1.Result]:
        for path in self.files:
            yield v1.Result(node="all", operation="gather", path=path)

    async def download(self, request: Any, context: Any) -> AsyncIterator[v1.Chunk]:
        if request.path not in self.files:
            await context.abort(grpc.StatusCode.NOT_FOUND, "the run has no such file")
        for chunk in self.files[request.path](request.offset):
            yield chunk


@contextlib.asynccontextmanager
async def serving(hostile: Hostile) -> AsyncIterator[str]:
    server = grpc.aio.server()
    add_RunsServicer_to_server(hostile, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


async def mirrored(
    hostile: Hostile, here: OrchestratorSettings, server_at: ServerAt, **settings: Any
) -> tuple[set[str], str]:
    """Return the files that are there then, and what was said of the others."""
    async with serving(hostile) as address:
        server: ServerSettings = server_at(address, **settings)
        report = await MirroredRun(server, here).begin(CHAIN)
    assert report.state is State.FAILED  # of a state that no ended run has
    folder = here.runs_folder / report.id
    files = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    with contextlib.closing(Journal("", here.runs_folder)) as journal:
        notices = journal.events(report.id, kinds=[Kind.NOTICE])
        (result,) = journal.events(report.id, kinds=[Kind.RESULT])
    assert result.detail["path"] == ""
    text = "\n".join(str(notice.detail["message"]) for notice in notices)
    return files - {"backend.json", "pipeline.yaml"}, text


PATHS = [
    "../escaped",
    "/escaped",
    "results/../../escaped",
    "results",
    "escaped",
    "backend.json",
    "pipeline.yaml",
    "messages.log",
    "catalog.json/escaped",
    "results/\0",
    "results/" + "x" * 300,
]


async def test_paths_that_lead_elsewhere_are_left_out(
    here: OrchestratorSettings, server_at: ServerAt, tmp_path: Path
) -> None:
    files = {path: whole(b"bad") for path in PATHS} | {"results/all/good": whole(b"good")}
    before = {path for path in tmp_path.rglob("*") if "here" not in path.parts}
    copied, said = await mirrored(Hostile(files), here, server_at)
    assert copied == {"results/all/good"}
    assert {path for path in tmp_path.rglob("*") if "here" not in path.parts} == before
    assert said.count("\n") >= len(PATHS) - 2  # each is named, but for the one that is a URL there
    assert not Path("/escaped").exists()


@pytest.mark.parametrize(
    "content",
    [
        lambda _: [],
        lambda _: [v1.Chunk(offset=0, size=-1)],
        lambda _: [v1.Chunk(offset=0, size=1, data=b"more than it says")],
        lambda _: [v1.Chunk(offset=0, size=9, data=b"less")],
        lambda _: [v1.Chunk(offset=7, size=9, data=b"ab")],
        lambda _: [v1.Chunk(offset=0, size=4, data=b"ab"), v1.Chunk(offset=2, size=9, data=b"cd")],
    ],
)
async def test_sizes_that_are_not_so(
    content: Content, here: OrchestratorSettings, server_at: ServerAt
) -> None:
    files = {"results/all/bad": content, "results/all/good": whole(b"good")}
    copied, said = await mirrored(Hostile(files), here, server_at)
    assert copied == {"results/all/good"}
    assert "results/all/bad is not copied" in said


async def test_what_is_too_large_is_left_out(
    here: OrchestratorSettings, server_at: ServerAt
) -> None:
    files = {f"results/all/{size}": whole(b"x" * size) for size in (3, 4, 5, 6, 20)}
    limits = {"server_max_file_bytes": 10, "server_max_run_bytes": 12}
    copied, said = await mirrored(Hostile(files), here, server_at, **limits)
    assert copied == {"results/all/3", "results/all/4", "results/all/5"}
    assert "results/all/6 is not copied: with it the run would have 18 bytes here" in said
    assert "results/all/20 is not copied: it has 20 bytes" in said


@pytest.mark.parametrize(
    "run", ["", "../up", "/up", ".", "..", ".hidden", "a/b", "a\0b", "x" * 200]
)
async def test_ids_of_runs_that_name_no_folder(
    run: str, here: OrchestratorSettings, server_at: ServerAt
) -> None:
    async with serving(Hostile({}, run)) as address:
        with pytest.raises(ServiceAnswerError, match="no id of a run"):
            await MirroredRun(server_at(address), here).begin(CHAIN)


def test_a_link_in_the_folder_is_not_followed(tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "run"
    outside.mkdir()
    (folder / "results").mkdir(parents=True)
    (folder / "results" / "link").symlink_to(outside)
    (folder / "results" / "file").symlink_to(outside / "file")
    for path in ("results/link/file", "results/file"):
        with pytest.raises(ServiceAnswerError, match="by a link"):
            local_path(folder, path)
    assert local_path(folder, "results/other") == folder.resolve() / "results" / "other"
