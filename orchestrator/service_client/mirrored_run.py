"""Beginning, going on with and stopping a run at a service that has a mirror here."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC
from typing import TYPE_CHECKING, Final, TypeVar

import grpc

from composer.pipeline_file import parse_pipeline
from orchestrator.backends.record import BackendRecord
from orchestrator.embedded import PIPELINE_FILE
from orchestrator.engine.run import State
from orchestrator.errors import NotResumableError, NotStoppedError, SettingsError
from orchestrator.events import Observer
from orchestrator.heartbeat import beating
from orchestrator.journal import Journal, RunRecord
from orchestrator.service_client.client import ServiceClient
from orchestrator.service_client.errors import ServiceRefusedError, ServiceUnreachableError
from orchestrator.service_client.events import closing_of
from orchestrator.service_client.mirror import Mirror
from orchestrator.service_client.paths import check_run
from orchestrator.settings import OrchestratorSettings
from protos.orchestrator.v1 import orchestrator_pb2 as v1

if TYPE_CHECKING:
    from orchestrator.service_client.settings import ServerSettings

_PATIENCE_S: Final = 30.0
"""What a service needs to stop a run, beyond the grace that its components have."""

_MAX_NAME: Final = 200

T = TypeVar("T")


@dataclass(frozen=True)
class MirrorReport:
    """How a run at a service went; the rest is in the journal and in the folder."""

    id: str
    state: State


class MirroredRun:
    """One run at a service. Cancelling the task in which it is followed cancels the run there.

    observers: told every event of the run. All methods raise what the calls of `ServiceClient` do,
    and SettingsError where the runs folder or the journal cannot be used.
    """

    def __init__(
        self,
        server: ServerSettings,
        settings: OrchestratorSettings,
        observers: Sequence[Observer] = (),
    ) -> None:
        self._server = server
        self._settings = settings
        self._observers = tuple(observers)
        self._following: asyncio.Task[State] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def begin(self, pipeline: str, overrides: Sequence[str] = ()) -> MirrorReport:
        """Start a run of the text of a pipeline file and mirror it to its end.

        Raises PipelineRefusedError.
        """
        async with self._opened() as (client, journal):
            run = await _whole(
                client.submit(pipeline, overrides), lambda run: client.cancel(run.id)
            )
            try:
                record = self._enter(run, journal, pipeline, overrides)
            except BaseException:
                with contextlib.suppress(ServiceRefusedError, ServiceUnreachableError):
                    await client.cancel(run.id)
                raise
            return await self._mirror(client, journal, record)

    async def resume(self, record: RunRecord) -> MirrorReport:
        """Follow a run again that goes on there; if it has ended badly, let it go on there.

        Raises NotResumableError where it is followed already, or there is nothing left to do.
        """
        if record.is_alive:
            raise NotResumableError(
                f"run {record.id} is still running (it is followed by process {record.process})"
            )
        async with self._opened() as (client, journal):
            run = await client.get(record.id)
            if run.state == v1.STATE_SUCCEEDED and record.state == State.SUCCEEDED:
                raise NotResumableError(
                    f"run {record.id} has succeeded; there is nothing left to do"
                )
            if closing_of(run, client.address) and run.state != v1.STATE_SUCCEEDED:
                await _whole(self._resume_there(client, record.id), lambda _: client.cancel(run.id))
            return await self._again(client, journal, record)

    async def stop(self, record: RunRecord) -> MirrorReport:
        """Cancel a run that nobody follows any more, and mirror its end."""
        async with self._opened() as (client, journal):
            await client.cancel(record.id)
            return await self._again(client, journal, record)

    def leave(self) -> None:
        """Wait no longer for the end of a run; may be called by any thread."""
        if self._loop is not None and self._following is not None:
            self._loop.call_soon_threadsafe(self._following.cancel)

    @contextlib.asynccontextmanager
    async def _opened(self) -> AsyncIterator[tuple[ServiceClient, Journal]]:
        journal = Journal(self._settings.database_url, self._settings.runs_folder)
        with contextlib.closing(journal):
            async with ServiceClient(self._server) as client:
                yield client, journal

    def _enter(
        self, run: v1.Run, journal: Journal, pipeline: str, overrides: Sequence[str]
    ) -> RunRecord:
        """Make the folder of a run and enter the run into the journal."""
        folder = self._settings.runs_folder.resolve() / check_run(run.id)
        try:
            folder.mkdir(parents=True)
            text = parse_pipeline(pipeline, overrides).pipeline.to_yaml()
            (folder / PIPELINE_FILE).write_text(text, encoding="utf-8")
        except FileExistsError as error:
            raise SettingsError(
                f"{folder} is there already: if it is the service's own, give another folder with "
                "--runs-folder"
            ) from error
        except OSError as error:
            raise SettingsError(f"cannot write {folder}: {error.strerror}") from error
        BackendRecord(folder).set_server(self._server.server)
        begun = RunRecord.begun(run.id, run.pipeline[:_MAX_NAME], run.digest[:80], folder)
        record = replace(begun, started=run.started.ToDatetime(UTC))
        journal.open_run(record)
        return record

    async def _resume_there(self, client: ServiceClient, run: str) -> v1.Run:
        try:
            return await client.resume(run)
        except ServiceRefusedError as error:
            if error.code is grpc.StatusCode.FAILED_PRECONDITION:
                raise NotResumableError(str(error)) from None
            raise

    async def _again(
        self, client: ServiceClient, journal: Journal, record: RunRecord
    ) -> MirrorReport:
        BackendRecord(record.folder).set_server(self._server.server)
        journal.reopen_run(record.id)
        return await self._mirror(client, journal, record)

    async def _mirror(
        self, client: ServiceClient, journal: Journal, record: RunRecord
    ) -> MirrorReport:
        mirror = Mirror(client, self._server, journal, record, self._observers)
        self._loop = asyncio.get_running_loop()
        async with beating(journal, record.id):
            self._following = asyncio.create_task(mirror.follow())
            try:
                state = await asyncio.shield(self._following)
            except asyncio.CancelledError:
                if self._following.cancelled():
                    raise
                state = await self._cancel(client, record.id, self._following)
            return MirrorReport(record.id, state)

    async def _cancel(
        self, client: ServiceClient, run: str, following: asyncio.Task[State]
    ) -> State:
        """Cancel a run there and return how it ended, which is mirrored meanwhile."""
        try:
            async with asyncio.timeout(self._settings.stop_grace_s + _PATIENCE_S):
                while not following.done():
                    try:
                        await client.cancel(run)
                        break
                    except ServiceUnreachableError:
                        await asyncio.sleep(1.0)
                return await following
        except TimeoutError:
            raise NotStoppedError(
                f"run {run} at {client.address} has not been seen to stop; `eoloom stop {run}` "
                "tries again"
            ) from None
        except asyncio.CancelledError:  # a second signal: nothing is waited for
            raise NotStoppedError(
                f"run {run} at {client.address} was cancelled, and its end not waited for; "
                f"`eoloom stop {run}` brings it here"
            ) from None


async def _whole(work: Awaitable[T], undo: Callable[[T], Awaitable[object]]) -> T:
    """Return what `work` returns; where the task is cancelled meanwhile, undo it and end."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await undo(await task)
        raise
