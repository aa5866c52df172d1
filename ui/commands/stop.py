"""`eoloom stop`: stop a run that goes on elsewhere, and remove what a dead one has left."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Annotated, Final

import typer

from ui.commands.options import AsJson, RunsFolder, Server

if TYPE_CHECKING:
    from orchestrator.journal import RunRecord
    from orchestrator.settings import OrchestratorSettings
    from orchestrator.stopping import Stopped

EPILOG = """
[b]Examples[/b]

  eoloom stop last

  eoloom stop s2-change-20240513

  eoloom stop --all
"""

_ALL: Final = 10_000
"""Runs that are looked through for those of a service."""


def stop(
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="RUN", help="The run's name, the start of it, or `last`.", show_default=False
        ),
    ] = None,
    *,
    everything: Annotated[
        bool,
        typer.Option(
            "--all", help="All runs, and what your dead runs have left on the Docker engine."
        ),
    ] = False,
    server: Server = None,
    runs_folder: RunsFolder = None,
    as_json: AsJson = False,
) -> None:
    """Stop a run of another terminal in order: what it has made is kept, and it can be resumed.

    Of a run whose process was killed, containers that were left are removed. A run that has ended
    already stays as it is. A run at an orchestrator service is cancelled there.
    """
    from dataclasses import asdict

    from orchestrator.engine.run import State
    from orchestrator.errors import RunNotFoundError
    from orchestrator.stopping import stop_all, stop_run
    from ui.formatting import format_path
    from ui.output import Output
    from ui.settings import load_settings, open_journal

    if (run is None) != everything:
        raise typer.BadParameter("name a run, or give --all", param_hint="RUN")
    output = Output(as_json=as_json)
    settings = load_settings(runs_folder)
    journal = open_journal(settings)
    if journal is None:
        raise RunNotFoundError(f"there are no runs in {format_path(settings.runs_folder)}")
    with contextlib.closing(journal):
        if run is None:
            records = [record for record in journal.runs(_ALL) if record.state == State.RUNNING]
            cancelled = [_cancel(record, server, settings) for record in records]
            stopped = (*filter(None, cancelled), *stop_all(journal, settings))
        else:
            record = journal.run(run)
            cancelled_one = _cancel(record, server, settings)
            stopped = (cancelled_one or stop_run(record, journal, settings),)
    output.document([asdict(one) for one in stopped])
    if not as_json:
        for one in stopped:
            output.line(_words(one))
        if not stopped:
            output.line("nothing runs, and nothing is left")


def _cancel(
    record: RunRecord, server: str | None, settings: OrchestratorSettings
) -> Stopped | None:
    """Stop a run of a service that nobody follows any more; None for every other run."""
    import asyncio

    from orchestrator.engine.run import State
    from orchestrator.service_client.mirrored_run import MirroredRun
    from orchestrator.stopping import Stopped
    from ui.server_settings import settings_of_mirror

    if record.state != State.RUNNING or record.is_alive:
        return None
    service = settings_of_mirror(record, server)
    if service is None:
        return None
    report = asyncio.run(MirroredRun(service, settings).stop(record))
    was_running = report.state == State.CANCELLED
    return Stopped(record.id, was_running=was_running, had_died=False, removed=0)


def _words(stopped: Stopped) -> str:
    left = f", and removed {stopped.removed} containers that it had left" if stopped.removed else ""
    if stopped.was_running:
        return f"stopped {stopped.run}{left}; `eoloom resume {stopped.run}` goes on with it"
    if stopped.had_died:
        return f"the process of {stopped.run} had died{left}"
    return f"{stopped.run} had ended already{left}"
