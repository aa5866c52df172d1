"""Stopping runs of other processes, and removing what runs have left that cannot do so themselves.

A run is stopped by its own orchestrator, which gets SIGTERM and stops its components in order. Only
where that process has died is anything removed from here.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import psutil

from orchestrator.backends.name import BackendName
from orchestrator.backends.record import BackendRecord
from orchestrator.engine.run import State
from orchestrator.errors import NotStoppedError, SettingsError
from orchestrator.events import Event, Kind

if TYPE_CHECKING:
    from orchestrator.journal import Journal, RunRecord
    from orchestrator.settings import OrchestratorSettings

logger = logging.getLogger(__name__)

_PATIENCE_S: Final = 30.0
"""What an orchestrator needs to stop, beyond the grace that its components have."""

_PAUSE_S: Final = 0.1

_ALL: Final = 10_000


@dataclass(frozen=True)
class Stopped:
    """What became of one run. removed: containers that its dead orchestrator had left."""

    run: str
    was_running: bool
    had_died: bool
    removed: int


def stop_run(record: RunRecord, journal: Journal, settings: OrchestratorSettings) -> Stopped:
    """Stop a run if it runs, and remove what is left of it; may be called again and again.

    Raises NotStoppedError where its process does not end or is a service with other runs, and
    SettingsError where the engine that has its containers does not answer.
    """
    was_running = record.state == State.RUNNING and record.is_alive
    if was_running:
        _end(record, settings)
    removed = _remove_left(record, settings)
    had_died = journal.run(record.id).state == State.RUNNING
    if had_died:
        detail = {"state": State.CANCELLED, "message": "it was stopped after its process had died"}
        journal.observe(Event(record.id, Kind.RUN_CLOSED, detail=detail))
    return Stopped(record.id, was_running, had_died and not was_running, removed)


def stop_all(journal: Journal, settings: OrchestratorSettings) -> tuple[Stopped, ...]:
    """Stop every run of the journal, and remove what this user's dead runs have left on the engine.

    Runs of other journals whose processes live go on. Raises as `stop_run`.
    """
    running = [record for record in journal.runs(_ALL) if record.state == State.RUNNING]
    stopped = [stop_run(record, journal, settings) for record in running]
    return *stopped, *_remove_orphans({run.run for run in stopped}, settings)


def kill_components(runs: Iterable[str], settings: OrchestratorSettings) -> None:
    """Kill the containers of runs that are being stopped in this process, as far as possible.

    Whoever stops the runs removes them then, without waiting for them.
    """
    for run in runs:
        if BackendRecord(settings.runs_folder / run).backend == BackendName.DOCKER:
            from orchestrator.backends.docker.cleanup import kill_run
            from orchestrator.backends.docker.engine import connect, in_words

            try:
                with closing(connect(settings.docker_publish)) as engine, in_words("kill"):
                    kill_run(engine.client, run)
            except SettingsError as error:
                logger.warning("run %s: %s", run, error)


def _end(record: RunRecord, settings: OrchestratorSettings) -> None:
    if record.runner.is_elsewhere:
        raise NotStoppedError(
            f"run {record.id} goes on on {record.host} (process {record.process}); stop it there"
        )
    try:
        process = psutil.Process(record.process)
        if "serve" in process.cmdline():
            raise NotStoppedError(
                f"run {record.id} is one of the service with the process {process.pid}; cancel it "
                "there (eoloom.orchestrator.v1.Runs/cancel)"
            )
        process.terminate()
    except psutil.NoSuchProcess:
        return
    except psutil.AccessDenied as error:
        raise NotStoppedError(
            f"run {record.id} is another user's (process {record.process})"
        ) from error
    end = time.monotonic() + settings.stop_grace_s + _PATIENCE_S
    while record.is_alive:
        if time.monotonic() > end:
            raise NotStoppedError(
                f"run {record.id} does not stop; end its process {record.process} by SIGKILL and "
                "repeat this command"
            )
        time.sleep(_PAUSE_S)


def _remove_left(record: RunRecord, settings: OrchestratorSettings) -> int:
    """Remove what a run has left outside of its folder; return the number of containers."""
    if BackendRecord(record.folder).backend != BackendName.DOCKER:
        return 0
    from orchestrator.backends.docker.cleanup import remove_run
    from orchestrator.backends.docker.engine import connect, in_words
    from orchestrator.backends.docker.reaper import LEFT_FILE

    with closing(connect(settings.docker_publish)) as engine, in_words("remove containers"):
        removed = remove_run(engine.client, record.id)
        (record.folder / LEFT_FILE).unlink(missing_ok=True)
    return removed


def _remove_orphans(known: set[str], settings: OrchestratorSettings) -> list[Stopped]:
    """Remove what is left of runs of this user that no journal here knows and that have died."""
    try:
        from orchestrator.backends.docker import labels
        from orchestrator.backends.docker.cleanup import left_runs, remove_run
        from orchestrator.backends.docker.engine import connect, in_words

        engine = connect(settings.docker_publish)
    except SettingsError:  # no package or no engine: nothing was started there
        return []
    stopped = []
    with closing(engine), in_words("remove containers"):
        for run, process in left_runs(engine.client, labels.owner()).items():
            if run not in known and not psutil.pid_exists(process):
                removed = remove_run(engine.client, run)
                stopped.append(Stopped(run, was_running=False, had_died=True, removed=removed))
    return stopped
