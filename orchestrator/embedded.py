"""The embedded orchestrator: one run of a composed pipeline in this process.

It makes the run's folder, enters the run into the journal, starts the components as local
processes, and leaves a STAC catalogue of everything that was emitted.

    <runs folder>/journal.sqlite
    <runs folder>/<run>/pipeline.yaml   as it ran: versions pinned, paths absolute
    <runs folder>/<run>/shared/<node>/  what the components wrote
    <runs folder>/<run>/catalog.json    the STAC catalogue of what was emitted
    <runs folder>/<run>/results/<node>/ its items
    <runs folder>/<run>/logs/           what the components said
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.backends.local import LocalBackend
from orchestrator.engine.run import Run, State
from orchestrator.engine.worker import Counts
from orchestrator.errors import OrchestratorError, SettingsError
from orchestrator.events import Event, Kind, Observer
from orchestrator.journal import Journal, RunRecord
from orchestrator.planning import make_plan
from orchestrator.result_files import Result, read_results
from orchestrator.results import Results
from orchestrator.settings import OrchestratorSettings

if TYPE_CHECKING:
    from composer.graph import Graph
    from orchestrator.engine.message import Message
    from orchestrator.engine.plan import Plan, Step


@dataclass(frozen=True)
class RunReport:
    """How a run went and what it left, also when it failed.

    catalogue: the root of the STAC catalogue, None if it could not be written. notices: warnings
    of components and engine, in their order.
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


async def run_pipeline(
    graph: Graph, settings: OrchestratorSettings, observers: Sequence[Observer] = ()
) -> RunReport:
    """Run a composed pipeline to its end and report.

    A failed run is reported, not raised; cancelling the task stops the components and is reported
    too. Raises SettingsError where the runs folder or the journal cannot be used.
    """
    plan = make_plan(graph)
    journal = Journal(settings.database_url, settings.runs_folder)
    with contextlib.closing(journal):
        run, folder = _make_folder(settings.runs_folder, plan.name)
        _write_pipeline(folder, graph.pinned().to_yaml())
        journal.open_run(_record(run, plan, folder))
        return await _execute(
            run, plan, folder, journal=journal, settings=settings, observers=observers
        )


async def _execute(
    run: str,
    plan: Plan,
    folder: Path,
    *,
    journal: Journal,
    settings: OrchestratorSettings,
    observers: Sequence[Observer],
) -> RunReport:
    notices: list[Event] = []

    def observe(event: Event) -> None:
        if event.kind in {Kind.NOTICE, Kind.DEAD_LETTER}:
            notices.append(event)
        for observer in (journal.observe, *observers):
            observer(event)

    def log(node: str, record: Mapping[str, Any]) -> None:
        for key, kind in (("progress", Kind.PROGRESS), ("notice", Kind.NOTICE)):
            if key in record:
                detail = record[key] if key == "progress" else {"message": record["message"]}
                observe(Event(run, kind, node, str(record.get("operation", "")), detail))

    def emitted(step: Step, message: Message, path: Path) -> None:
        detail = {"message": message.id, "parents": list(message.parents), "path": str(path)}
        observe(Event(run, Kind.RESULT, step.node, step.operation, detail))

    results = Results(folder, plan, run, emitted)
    backend = LocalBackend(folder, settings, log)
    outcome = await Run(
        run, plan, backend, record=results.record, observer=observe, settings=settings
    ).execute()
    state, message = outcome.state, outcome.message
    catalogue: Path | None = None
    try:
        catalogue = results.finish()
    except OrchestratorError as error:
        state, message = State.FAILED, message or str(error)
    journal.close_run(run, state, message)
    return RunReport(
        id=run,
        folder=folder,
        state=state,
        message=message,
        failed_node=outcome.failed_node,
        seconds=outcome.seconds,
        counts=outcome.counts,
        catalogue=catalogue,
        results=read_results(folder),
        notices=tuple(notices),
    )


def _make_folder(runs_folder: Path, pipeline: str) -> tuple[str, Path]:
    """Return the id of a new run and its folder, made; the id sorts by time and reads well."""
    time = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    run = f"{pipeline}-{time}-{secrets.token_hex(2)}"
    folder = runs_folder.resolve() / run
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise SettingsError(f"cannot make {folder}: {error.strerror}") from error
    return run, folder


def _write_pipeline(folder: Path, text: str) -> None:
    try:
        (folder / "pipeline.yaml").write_text(text, encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"cannot write into {folder}: {error.strerror}") from error


def _record(run: str, plan: Plan, folder: Path) -> RunRecord:
    return RunRecord(
        id=run,
        pipeline=plan.name,
        digest=plan.digest,
        folder=folder,
        state=State.RUNNING,
        message="",
        process=os.getpid(),
        started=datetime.now(UTC),
        ended=None,
    )
