"""Our own service: runs of pipeline files, of each user apart."""

from __future__ import annotations

import asyncio
import functools
import os
from collections.abc import AsyncIterator, Callable
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from composer.graph import compose
from composer.pipeline_file import parse_pipeline
from orchestrator.embedded import load_resumable, run_pipeline
from orchestrator.errors import PermanentError
from orchestrator.events import Event, Kind
from orchestrator.result_files import read_results
from orchestrator.service.authentication import Authentication
from orchestrator.service.errors import RequestError, refusing
from orchestrator.service.files import opened_file
from orchestrator.service.messages import event_message, result_message, run_message
from orchestrator.service.observers import Subscription
from orchestrator.service.runs import RunEvent, RunRegistry, ServiceRun
from orchestrator.settings import OrchestratorSettings
from protos.orchestrator.v1 import orchestrator_pb2 as v1
from protos.orchestrator.v1.orchestrator_pb2_grpc import RunsServicer

if TYPE_CHECKING:
    from composer.graph import Graph
    from composer.registry import Registry
    from orchestrator.journal import RunRecord

DEFAULT_RUNS: Final = 50
MAX_RUNS: Final = 500
PAGE_EVENTS: Final = 500
"""Past events of a run that are read at once for a watcher."""
CHUNK_BYTES: Final = 256 * 1024

Key = tuple[datetime, Kind, str, str]
"""By which an event is known again that is told twice."""


class RunService(RunsServicer):
    """Answers all operations of eoloom.orchestrator.v1.Runs.

    registry_of: the components that a user may use.
    """

    def __init__(
        self,
        runs: RunRegistry,
        registry_of: Callable[[str | None], Registry],
        authentication: Authentication,
        orchestrator: OrchestratorSettings,
    ) -> None:
        self._runs = runs
        self._registry_of = registry_of
        self._authentication = authentication
        self._orchestrator = orchestrator

    async def submit(self, request: v1.SubmitRequest, context: Any) -> v1.Run:
        """Check a pipeline and start a run of it."""
        user = await self._authentication.user(context)

        def read() -> Graph:
            pipeline = parse_pipeline(request.pipeline, request.overrides)
            return compose(pipeline, self._registry_of(user))

        async with refusing(context):
            graph = await asyncio.to_thread(read)
            run = ServiceRun(user, operations=len(graph.operations))
            await self._runs.start(
                run, lambda observer: run_pipeline(graph, self._orchestrator, (observer,))
            )
            return await self._message(run.id, user)

    async def resume(self, request: v1.ResumeRequest, context: Any) -> v1.Run:
        """Go on with a run that did not come to its end."""
        user = await self._authentication.user(context)

        def read() -> tuple[RunRecord, Graph]:
            record = self._runs.record(request.run, user)
            return load_resumable(record.id, self._registry_of(user), self._orchestrator)

        async with refusing(context):
            record, graph = await asyncio.to_thread(read)
            run = ServiceRun(user, operations=len(graph.operations), id=record.id)
            await self._runs.start(
                run,
                lambda observer: run_pipeline(
                    graph, self._orchestrator, (observer,), resume=record
                ),
            )
            return await self._message(run.id, user)

    async def list(self, request: v1.ListRequest, context: Any) -> v1.ListResponse:
        """Return the latest runs."""
        user = await self._authentication.user(context)
        limit = request.limit or DEFAULT_RUNS
        async with refusing(context):
            if not 0 < limit <= MAX_RUNS:
                raise RequestError(f"limit is {limit}; it must be between 1 and {MAX_RUNS}")
            records = await asyncio.to_thread(self._runs.records, user, limit)
            labels = await asyncio.to_thread(
                self._runs.ownership.labels, [record.id for record in records]
            )
            runs = []
            for record in records:
                known = self._runs.known(record.id)
                run = run_message(record, known, labels.get(record.id, ""))
                del run.operations[:]
                runs.append(run)
            return v1.ListResponse(runs=runs)

    async def get(self, request: v1.GetRequest, context: Any) -> v1.Run:
        """Return how a run stands."""
        user = await self._authentication.user(context)
        async with refusing(context):
            return await self._message(request.run, user)

    async def cancel(self, request: v1.CancelRequest, context: Any) -> v1.Run:
        """Stop a run; one that has ended stays as it is."""
        user = await self._authentication.user(context)
        async with refusing(context):
            message = await self._message(request.run, user)
            run = self._runs.active(request.run)
            if run is not None:
                await self._runs.cancel(run)
                message = await self._message(request.run, user)
            elif message.state == v1.STATE_RUNNING:
                raise PermanentError(f"run {request.run} is that of another process")
            return message

    async def watch(self, request: v1.WatchRequest, context: Any) -> AsyncIterator[v1.RunEvent]:
        """Tell what has happened in a run, and then what happens until it ends."""
        user = await self._authentication.user(context)
        async with refusing(context):
            await asyncio.to_thread(self._runs.record, request.run, user)
            with self._runs.events.subscribe(
                user, lambda told: told.run.id == request.run
            ) as subscription:
                began = datetime.now(UTC)
                run = self._runs.active(request.run)
                goes_on = run is not None and not run.closed
                told: set[Key] = set()
                async for event in self._past(request.run):
                    if event.time >= began:  # it may wait in the subscription as well
                        told.add(_key(event))
                    yield event_message(event)
                if goes_on:
                    async for message in _rest(subscription, told):
                        yield message

    async def results(self, request: v1.ResultsRequest, context: Any) -> AsyncIterator[v1.Result]:
        """Tell what a run has left."""
        user = await self._authentication.user(context)
        async with refusing(context):
            record = await asyncio.to_thread(self._runs.record, request.run, user)
            for result in await asyncio.to_thread(read_results, record.folder):
                if result.terminal or not request.terminal_only:
                    yield result_message(result, record.folder)

    async def download(self, request: v1.DownloadRequest, context: Any) -> AsyncIterator[v1.Chunk]:
        """Send a file in parts; an empty one for what is at its end."""
        user = await self._authentication.user(context)
        async with refusing(context):
            if request.offset < 0:
                raise RequestError(f"offset is {request.offset}; it cannot be negative")
            record = await asyncio.to_thread(self._runs.record, request.run, user)
            async with opened_file(record.folder, request.path) as file:
                size = os.fstat(file.fileno()).st_size
                offset = file.seek(request.offset)
                while data := await asyncio.to_thread(file.read, CHUNK_BYTES):
                    yield v1.Chunk(offset=offset, size=size, data=data)
                    offset += len(data)
                if offset == request.offset:
                    yield v1.Chunk(offset=offset, size=size)

    async def _past(self, run: str) -> AsyncIterator[Event]:
        """Yield what the journal has of a run at this time, a page at a time."""
        journal = self._runs.journal
        last = await asyncio.to_thread(journal.last_event, run)
        if last is None:
            return
        number = 0
        while number < last.number:
            read = functools.partial(
                journal.events, run, after=number, until=last.number, limit=PAGE_EVENTS
            )
            page = await asyncio.to_thread(read)
            for event in page:
                yield event
            number = page[-1].number if page else last.number

    async def _message(self, run: str, user: str | None) -> v1.Run:
        record = await asyncio.to_thread(self._runs.record, run, user)
        labels = await asyncio.to_thread(self._runs.ownership.labels, [run])
        return run_message(record, self._runs.known(run), labels.get(run, ""))


async def _rest(
    subscription: Subscription[RunEvent], told: AbstractSet[Key]
) -> AsyncIterator[v1.RunEvent]:
    """Yield what comes until the end of the run, but for what the journal has told already."""
    lost = 0
    while (item := await subscription.get()) is not None:
        event, dropped = item[0].event, item[1]
        lost += dropped
        if _key(event) not in told:
            yield event_message(event, lost)
            lost = 0
        if event.kind is Kind.RUN_CLOSED:
            return


def _key(event: Event) -> Key:
    return event.time, event.kind, event.node, event.operation
