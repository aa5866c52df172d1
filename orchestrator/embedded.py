"""The embedded orchestrator: one run of a composed pipeline in this process.

It makes the run's folder, enters the run into the journal, starts the components as local
processes, and leaves a STAC catalogue of everything that was emitted.

    <runs folder>/journal.sqlite
    <runs folder>/calls.sqlite          what deterministic operations have answered
    <runs folder>/<run>/pipeline.yaml   as it ran: versions pinned, paths absolute
    <runs folder>/<run>/messages.log    what was sent, so that the run can go on
    <runs folder>/<run>/shared/<node>/  what the components wrote
    <runs folder>/<run>/catalog.json    the STAC catalogue of what was emitted
    <runs folder>/<run>/results/<node>/ its items
    <runs folder>/<run>/logs/           what the components said
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from composer.graph import compose
from composer.pipeline_file import load_pipeline
from orchestrator.backends.choice import check_backend, choose_backend, make_backend
from orchestrator.backends.name import BackendName
from orchestrator.backends.record import BackendRecord
from orchestrator.call_memory.memory import RunCalls, run_calls
from orchestrator.dead_letters import read_dead_letters
from orchestrator.engine.instruments import UNWATCHED, Instruments
from orchestrator.engine.message_log import MESSAGES_FILE, MessageLog, log_exists
from orchestrator.engine.run import Run, State
from orchestrator.engine.worker import Counts
from orchestrator.errors import NotResumableError, OrchestratorError, SettingsError
from orchestrator.events import Event, Kind, Observer
from orchestrator.freed_memory import freed_memory_returned
from orchestrator.heartbeat import beating
from orchestrator.journal import Journal, RunRecord
from orchestrator.observing import Observers
from orchestrator.planning import make_plan
from orchestrator.result_files import Result, read_results
from orchestrator.results import Results
from orchestrator.settings import OrchestratorSettings
from orchestrator.telemetry.telemetry import watching
from orchestrator.unfinished import remove_unfinished

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from composer.component import Component
    from composer.graph import Graph
    from composer.registry import Registry
    from orchestrator.backends.base import Backend
    from orchestrator.engine.message import Message
    from orchestrator.engine.plan import Plan, Step


PIPELINE_FILE: Final = "pipeline.yaml"
MAX_NOTICES: Final = 1000
"""Warnings that the report of a run has at most; the first ones."""


@dataclass(frozen=True)
class RunReport:
    """How a run went and what it left, also when it failed.

    catalogue: the root of the STAC catalogue, None if it could not be written. notices: warnings
    of components and engine, in their order; notices_left_out: how many more the journal has.
    """

    id: str
    folder: Path
    state: State
    message: str
    failed_node: str
    seconds: float
    counts: Mapping[str, Counts]
    catalogue: Path | None
    results: tuple[Result, ...]
    notices: tuple[Event, ...] = field(default_factory=tuple)
    notices_left_out: int = 0


async def run_pipeline(
    graph: Graph,
    settings: OrchestratorSettings,
    observers: Sequence[Observer] = (),
    *,
    resume: RunRecord | None = None,
    redrive: bool = False,
    backend: BackendName | None = None,
) -> RunReport:
    """Run a composed pipeline to its end and report; with `resume`, go on with that run.

    With `redrive` its dead letters are tried again. backend: where the components run; by default
    where they did when the run began, else where the settings say.

    A failed run is reported, not raised; cancelling the task stops the components and is reported
    too. Raises SettingsError where the runs folder, the journal or the backend cannot be used.
    """
    plan = make_plan(graph, settings.image_registry)
    async with freed_memory_returned(), watching(plan, settings, graph) as telemetry:
        with contextlib.closing(Journal(settings.database_url, settings.runs_folder)) as journal:
            if resume is None:
                await check_backend(backend or BackendName(settings.backend), settings)
                run, folder = _make_folder(settings.runs_folder, plan.name)
                _write_pipeline(folder, graph.pinned().to_yaml())
                name = choose_backend(folder, settings, backend, goes_on=False)
                journal.open_run(
                    RunRecord.begun(run, plan.name, plan.digest, folder, cache=settings.cache)
                )
            else:
                run, folder = resume.id, resume.folder
                settings = _as_begun(settings, resume)
                name = choose_backend(folder, settings, backend, goes_on=True)
                await check_backend(name, settings)
                journal.reopen_run(run)
            components = {node.name: node.component for node in graph.nodes.values()}
            attempt = _Attempt(
                run, plan, components, folder, settings, backend=name, redrive=redrive
            )
            async with beating(journal, run):
                watchers = (journal.observe, *observers, *telemetry.observers)
                return await attempt.execute(watchers, telemetry.instruments)


def load_run(
    name: str,
    registry: Registry,
    settings: OrchestratorSettings,
    *,
    kinds: Iterable[Kind] | None = None,
) -> tuple[RunRecord, Graph, tuple[Event, ...]]:
    """Return a run, its pipeline as it ran, and its events; see `Journal.run` for `name`.

    kinds: the events that are wanted, where not all are; a long run has very many.

    Raises RunNotFoundError, NotResumableError where it kept no messages, and PipelineError where a
    component of it has gone.
    """
    with contextlib.closing(Journal(settings.database_url, settings.runs_folder)) as journal:
        record = journal.run(name)
        events = tuple(journal.events(record.id, kinds=kinds))
    if server := BackendRecord(record.folder).server:
        raise NotResumableError(
            f"the messages of run {record.id} are kept at the service at {server} only"
        )
    if not log_exists(record.folder / MESSAGES_FILE):
        raise NotResumableError(f"run {record.id} kept no messages; run its pipeline again")
    graph = compose(load_pipeline(record.folder / PIPELINE_FILE), registry, cycles=True)
    return record, graph, events


def load_resumable(
    name: str, registry: Registry, settings: OrchestratorSettings, *, redrive: bool = False
) -> tuple[RunRecord, Graph]:
    """Return a run that can go on, and its pipeline: it did not succeed, or has dead letters.

    Raises RunNotFoundError, NotResumableError where the run is still running, has succeeded or
    kept no messages, and PipelineError where a component of it has gone.
    """
    record, graph, events = load_run(name, registry, settings, kinds=[Kind.DEAD_LETTER])
    if record.is_alive:
        where = f" on {record.host}" if record.runner.is_elsewhere else ""
        raise NotResumableError(
            f"run {record.id} is still running (process {record.process}{where})"
        )
    if redrive:
        if not read_dead_letters(record, graph, events):
            raise NotResumableError(f"run {record.id} has no dead letters")
    elif record.state == State.SUCCEEDED:
        raise NotResumableError(f"run {record.id} has succeeded; there is nothing left to do")
    return record, graph


class _Attempt:
    """One attempt at a run: the first, or one that goes on where another ended."""

    def __init__(
        self,
        run: str,
        plan: Plan,
        components: Mapping[str, Component],
        folder: Path,
        settings: OrchestratorSettings,
        *,
        backend: BackendName,
        redrive: bool,
    ) -> None:
        self._components = components
        self._backend = backend
        self._redrive = redrive
        self._run = run
        self._plan = plan
        self._folder = folder
        self._settings = settings
        self._notices: list[Event] = []
        self._notices_left_out = 0
        self._observers = Observers(())

    async def execute(
        self, observers: Sequence[Observer], instruments: Instruments = UNWATCHED
    ) -> RunReport:
        """Run to the end; the end is told to the observers last, when everything is written."""
        self._observers = Observers(observers)
        results = Results(self._folder, self._plan, self._run, self._emitted)
        backend = make_backend(
            self._backend,
            self._run,
            self._folder,
            self._settings,
            log=self._log,
            tell=self._tell,
        )
        path = self._folder / MESSAGES_FILE
        with (
            MessageLog(path, self._plan, redrive=self._redrive) as log,
            self._call_memory(backend) as call_memory,
        ):
            outcome = await Run(
                self._run,
                self._plan,
                backend,
                record=results.record,
                observer=self._observe,
                settings=self._settings,
                log=log,
                call_memory=call_memory,
                instruments=instruments,
            ).execute()
        state, message = outcome.state, outcome.message
        if state is State.SUCCEEDED:
            await asyncio.to_thread(remove_unfinished, self._folder / "shared")
        catalogue: Path | None = None
        try:
            catalogue = results.finish()
        except OrchestratorError as error:
            state, message = State.FAILED, message or str(error)
        self._observe(
            Event(self._run, Kind.RUN_CLOSED, detail={"state": state, "message": message})
        )
        return RunReport(
            id=self._run,
            folder=self._folder,
            state=state,
            message=message,
            failed_node=outcome.failed_node,
            seconds=outcome.seconds,
            counts=outcome.counts,
            catalogue=catalogue,
            results=read_results(self._folder),
            notices=tuple(self._notices),
            notices_left_out=self._notices_left_out,
        )

    def _call_memory(self, backend: Backend) -> AbstractContextManager[RunCalls | None]:
        def place(node: str) -> str | None:
            if not backend.shares_folder:
                return None
            return f"{self._backend} {BackendRecord(self._folder).image(node).get('id', '')}"

        def warn(message: str) -> None:
            self._observe(Event(self._run, Kind.NOTICE, detail={"message": message}))

        return run_calls(
            self._settings,
            self._plan,
            components=self._components,
            place=place,
            shared=self._folder / "shared",
            warn=warn,
        )

    def _observe(self, event: Event) -> None:
        if event.kind in {Kind.NOTICE, Kind.DEAD_LETTER}:
            if len(self._notices) < MAX_NOTICES:
                self._notices.append(event)
            else:
                self._notices_left_out += 1
        self._observers(event)

    def _log(self, node: str, record: Mapping[str, Any]) -> None:
        operation = str(record.get("operation", ""))
        if isinstance(record.get("progress"), dict):
            self._observe(Event(self._run, Kind.PROGRESS, node, operation, record["progress"]))
        elif record.get("notice"):
            detail = {"message": record["message"]}
            self._observe(Event(self._run, Kind.NOTICE, node, operation, detail))

    def _tell(self, node: str, kind: Kind, detail: Mapping[str, Any]) -> None:
        self._observe(Event(self._run, kind, node, detail=detail))

    def _emitted(self, step: Step, message: Message, path: Path) -> None:
        detail = {"message": message.id, "parents": list(message.parents), "path": str(path)}
        self._observe(Event(self._run, Kind.RESULT, step.node, step.operation, detail))


def _as_begun(settings: OrchestratorSettings, resume: RunRecord) -> OrchestratorSettings:
    """Return the settings with what a run that goes on was told when it began, unless told anew."""
    if resume.cache is None or "cache" in settings.model_fields_set:
        return settings
    return settings.model_copy(update={"cache": resume.cache})


def _make_folder(runs_folder: Path, pipeline: str) -> tuple[str, Path]:
    """Return the id of a new run and its folder, made; the id sorts by time and reads well."""
    while True:
        time = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
        run = f"{pipeline}-{time}-{secrets.token_hex(2)}"
        folder = runs_folder.resolve() / run
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue  # of many runs that begin in one second, some draw the same number
        except OSError as error:
            raise SettingsError(f"cannot make {folder}: {error.strerror}") from error
        return run, folder


def _write_pipeline(folder: Path, text: str) -> None:
    try:
        (folder / PIPELINE_FILE).write_text(text, encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"cannot write into {folder}: {error.strerror}") from error
