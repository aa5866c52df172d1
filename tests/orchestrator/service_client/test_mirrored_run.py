"""Runs at a service as they are seen here: the same journal, the same files."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from composer.registry import Registry
from orchestrator.backends.record import BackendRecord
from orchestrator.engine.run import State
from orchestrator.errors import NotResumableError, SettingsError
from orchestrator.events import Event, Kind
from orchestrator.journal import Journal, RunRecord
from orchestrator.service_client.client import ServiceClient, check_sign_in
from orchestrator.service_client.errors import (
    PipelineRefusedError,
    ServiceUnreachableError,
    SignInNeededError,
)
from orchestrator.service_client.mirrored_run import MirroredRun
from orchestrator.settings import OrchestratorSettings
from tests.orchestrator.service.certificates import make_authority
from tests.orchestrator.service.conftest import Serve
from tests.orchestrator.service.scripted import CHAIN, HANGING, RESULT
from tests.orchestrator.service_client.conftest import ServerAt
from tests.orchestrator.test_faults import scripted_processes
from tests.ports import free_port

TOKEN = "a-token-of-alice-1234"  # noqa: S105
WRONG = "wrong-token-wrong"


def record_of(settings: OrchestratorSettings, run: str = "last") -> RunRecord:
    with contextlib.closing(Journal("", settings.runs_folder)) as journal:
        return journal.run(run)


def events_of(settings: OrchestratorSettings) -> list[Event]:
    with contextlib.closing(Journal("", settings.runs_folder)) as journal:
        return journal.events(journal.run("last").id)


def files_of(folder: Path) -> dict[str, bytes]:
    """What both sides of a mirrored run have in common."""
    own = {"backend.json", "messages.log", "pipeline.yaml"}
    files = [path for path in folder.rglob("*") if path.is_file() and path.name not in own]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


class Hung:
    """An observer that knows when a run hangs at its fourth message."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()

    def __call__(self, event: Event) -> None:
        if event.kind is Kind.COUNTS and event.node == "work" and event.detail["answered"] == 3:
            self.reached.set()


@contextlib.asynccontextmanager
async def cut_wire(address: str) -> AsyncIterator[tuple[str, list[asyncio.StreamWriter]]]:
    """A way to a service that a test can cut by closing what is open."""
    host, _, port = address.rpartition(":")
    open_ends: list[asyncio.StreamWriter] = []
    tasks: set[asyncio.Task[None]] = set()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(host, int(port))
        except OSError:  # the service has ended
            writer.close()
            return
        open_ends.extend((writer, far_writer))
        for ends in ((reader, far_writer), (far_reader, writer)):
            task = asyncio.create_task(pass_on(*ends))
            tasks.add(task)

    listener = await asyncio.start_server(connect, "127.0.0.1", free_port())
    try:
        yield f"127.0.0.1:{listener.sockets[0].getsockname()[1]}", open_ends
    finally:
        listener.close()
        for end in open_ends:
            end.close()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_run_leaves_here_what_it_leaves_there(
    serve: Serve,
    registry: Registry,
    here: OrchestratorSettings,
    server_at: ServerAt,
    tmp_path: Path,
) -> None:
    told: list[Event] = []
    async with serve(registry) as service:
        run = MirroredRun(server_at(service.address), here, [told.append])
        report = await run.begin(CHAIN, ["source.count=5"])
    assert report.state is State.SUCCEEDED
    record = record_of(here)
    there = tmp_path / "runs" / report.id
    assert (record.id, record.state, record.pipeline) == (report.id, "succeeded", "chain")
    assert record.folder == here.runs_folder.resolve() / report.id
    copied = files_of(record.folder)
    assert copied == files_of(there)
    assert {Path(name).parts[0] for name in copied} == {"results", "logs", "catalog.json"}
    assert RESULT in copied.values()
    with contextlib.closing(Journal("", tmp_path / "runs")) as journal:
        original = journal.run(report.id)
        kinds = [event.kind for event in journal.events(report.id)]
    assert [event.kind for event in events_of(here)] == kinds
    assert told[-1].kind is Kind.RUN_CLOSED
    assert (record.started, record.ended) == (original.started, original.ended)
    for name, counts in original.operations.items():
        assert {k: record.operations[name][k] for k in ("received", "answered", "ended")} == {
            k: counts[k] for k in ("received", "answered", "ended")
        }
    (result,) = [event for event in events_of(here) if event.kind is Kind.RESULT]
    assert Path(result.detail["path"]).read_bytes() == RESULT
    # The overrides stand in the file, so that the pipeline is what ran.
    pipeline = yaml.safe_load((record.folder / "pipeline.yaml").read_text())
    assert pipeline["nodes"]["source"]["params"] == {"count": 5}


async def test_all_faults_of_a_pipeline_are_told_and_nothing_is_entered(
    serve: Serve, registry: Registry, here: OrchestratorSettings, server_at: ServerAt
) -> None:
    faulty = CHAIN.replace("work: {component: scripted}", "work: {component: scriptd}")
    async with serve(registry) as service:
        with pytest.raises(PipelineRefusedError, match=r"(?s)did you mean 'scripted'.*nobody"):
            await MirroredRun(server_at(service.address), here).begin(faulty, ["nobody.count=2"])
    with contextlib.closing(Journal("", here.runs_folder)) as journal:
        assert journal.runs() == []


async def test_who_is_cancelled_cancels_the_run_there_and_can_go_on_with_it(
    serve: Serve, registry: Registry, here: OrchestratorSettings, server_at: ServerAt
) -> None:
    async with serve(registry) as service:
        hung, server = Hung(), server_at(service.address)
        task = asyncio.create_task(MirroredRun(server, here, [hung]).begin(HANGING))
        await asyncio.wait_for(hung.reached.wait(), 20)
        task.cancel()
        report = await task
        assert report.state is State.CANCELLED
        assert record_of(here).state == "cancelled"
        assert scripted_processes() == []
        report = await MirroredRun(server, here).resume(record_of(here))
        assert report.state is State.SUCCEEDED
        assert RESULT in files_of(record_of(here).folder).values()
        with pytest.raises(NotResumableError, match="has succeeded"):
            await MirroredRun(server, here).resume(record_of(here))
    closed = [e.detail["state"] for e in events_of(here) if e.kind is Kind.RUN_CLOSED]
    assert closed == ["cancelled", "succeeded"]


async def left(
    server_at: ServerAt, address: str, here: OrchestratorSettings
) -> tuple[MirroredRun, RunRecord]:
    """Return a client, and a run that hangs there and that nobody follows any more."""
    hung = Hung()
    run = MirroredRun(server_at(address), here, [hung])
    task = asyncio.create_task(run.begin(HANGING))
    await asyncio.wait_for(hung.reached.wait(), 20)
    run.leave()
    with pytest.raises(asyncio.CancelledError):
        await task
    # As when its process had been killed: this one lives.
    record = replace(record_of(here), process=2**22 + 1, process_started=None)
    assert record.state == "running"
    return run, record


async def test_a_run_that_nobody_follows_goes_on_there_and_is_followed_again(
    serve: Serve, registry: Registry, here: OrchestratorSettings, server_at: ServerAt
) -> None:
    async with serve(registry) as service:
        run, record = await left(server_at, service.address, here)
        assert scripted_processes()
        with pytest.raises(NotResumableError, match="is followed by process"):
            await run.resume(record_of(here))
        hung = Hung()
        task = asyncio.create_task(
            MirroredRun(server_at(service.address), here, [hung]).resume(record)
        )
        async with asyncio.timeout(20):
            while record_of(here).process == record.process:
                await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)
        task.cancel()
        assert (await task).state is State.CANCELLED
    starts = [event for event in events_of(here) if event.kind is Kind.RUN_STARTED]
    assert len(starts) == 1  # what was known is not entered twice


async def test_a_run_that_nobody_follows_is_stopped_from_here(
    serve: Serve, registry: Registry, here: OrchestratorSettings, server_at: ServerAt
) -> None:
    async with serve(registry) as service:
        run, record = await left(server_at, service.address, here)
        assert (await run.stop(record)).state is State.CANCELLED
        assert scripted_processes() == []
    assert record_of(here).state == "cancelled"


async def test_a_run_is_followed_on_when_the_connection_drops(
    serve: Serve, registry: Registry, here: OrchestratorSettings, server_at: ServerAt
) -> None:
    async with serve(registry) as service, cut_wire(service.address) as (address, ends):
        hung = Hung()
        task = asyncio.create_task(MirroredRun(server_at(address), here, [hung]).begin(HANGING))
        await asyncio.wait_for(hung.reached.wait(), 20)
        for end in ends:
            end.transport.abort()
        async with asyncio.timeout(20):
            while not any(event.kind is Kind.NOTICE for event in events_of(here)):
                await asyncio.sleep(0.05)
        # It goes on until somebody else cancels it there.
        async with ServiceClient(server_at(service.address)) as client:
            await client.cancel(record_of(here).id)
        assert (await asyncio.wait_for(task, 20)).state is State.CANCELLED
    starts = [event for event in events_of(here) if event.kind is Kind.RUN_STARTED]
    assert len(starts) == 1


async def test_a_service_that_stays_away_is_told_and_the_run_can_be_followed_later(
    serve: Serve, registry: Registry, here: OrchestratorSettings, server_at: ServerAt
) -> None:
    async with serve(registry) as service, cut_wire(service.address) as (address, _):
        hung = Hung()
        server = server_at(address).model_copy(update={"server_patience_s": 0.3})
        task = asyncio.create_task(MirroredRun(server, here, [hung]).begin(HANGING))
        await asyncio.wait_for(hung.reached.wait(), 20)
        await service.server.stop()
        with pytest.raises(ServiceUnreachableError, match=r"`eoloom resume .*` follows it again"):
            await asyncio.wait_for(task, 20)


async def test_nobody_answers(here: OrchestratorSettings, server_at: ServerAt) -> None:
    server = server_at(f"127.0.0.1:{free_port()}")
    with pytest.raises(ServiceUnreachableError, match=server.server):
        await check_sign_in(server)
    with pytest.raises(ServiceUnreachableError, match=server.server):
        await MirroredRun(server, here).begin(CHAIN)


async def test_a_token_is_needed_and_shown_nowhere(
    serve: Serve,
    registry: Registry,
    here: OrchestratorSettings,
    server_at: ServerAt,
    tmp_path: Path,
) -> None:
    tokens = tmp_path / "tokens.yaml"
    tokens.write_text(f"{TOKEN}: alice\nanother-token-of-bob: bob\n")
    async with serve(registry, tokens_file=tokens) as service:
        with pytest.raises(SignInNeededError, match="EOLOOM_SERVER_TOKEN"):
            await check_sign_in(server_at(service.address))
        with pytest.raises(SignInNeededError, match="does not take the token") as caught:
            await check_sign_in(server_at(service.address, server_token=WRONG))
        assert WRONG not in str(caught.value)
        with pytest.raises(SignInNeededError):
            await MirroredRun(server_at(service.address), here).begin(CHAIN)
        file = tmp_path / "token"
        file.write_text(f"{TOKEN}\n")
        server = server_at(service.address, server_token_file=file)
        await check_sign_in(server)
        report = await MirroredRun(server, here).begin(CHAIN)
        assert report.state is State.SUCCEEDED
    assert BackendRecord(record_of(here).folder).server == service.address
    for path in here.runs_folder.rglob("*"):
        assert not path.is_file() or TOKEN.encode() not in path.read_bytes(), path


async def test_tls(
    serve: Serve,
    registry: Registry,
    here: OrchestratorSettings,
    server_at: ServerAt,
    tmp_path: Path,
) -> None:
    authority = make_authority(tmp_path / "authority")
    certificate, key = authority.give("server", "/CN=localhost")
    files = {"tls_certificate_file": certificate, "tls_key_file": key}
    async with serve(registry, **files) as service:
        address = service.address
        server = server_at(address, server_ca_file=authority.certificate)
        assert (await MirroredRun(server, here).begin(CHAIN)).state is State.SUCCEEDED
        with pytest.raises(ServiceUnreachableError, match="called without TLS"):
            await check_sign_in(server_at(address))
        other = make_authority(tmp_path / "other").certificate
        with pytest.raises(ServiceUnreachableError, match="called by TLS"):
            await check_sign_in(server_at(address, server_ca_file=other))
        with pytest.raises(SettingsError, match="EOLOOM_SERVER_CA_FILE"):
            await check_sign_in(server_at(address, server_ca_file=tmp_path / "none"))


async def test_the_folder_of_the_service_is_not_written(
    serve: Serve, registry: Registry, server_at: ServerAt, tmp_path: Path
) -> None:
    async with serve(registry) as service:
        theirs = OrchestratorSettings(runs_folder=tmp_path / "runs")
        with pytest.raises(SettingsError, match="is there already"):
            await MirroredRun(server_at(service.address), theirs).begin(HANGING)
        async with asyncio.timeout(20):
            while record_of(theirs).state == "running":
                await asyncio.sleep(0.05)
        assert record_of(theirs).state == "cancelled"
        assert BackendRecord(record_of(theirs).folder).server == ""
