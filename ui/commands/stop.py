"""`eoloom stop`: stop a run that goes on elsewhere, and remove what a dead one has left."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Annotated

import typer

from ui.commands.options import AsJson, RunsFolder

if TYPE_CHECKING:
    from orchestrator.stopping import Stopped

EPILOG = """
[b]Examples[/b]

  eoloom stop last

  eoloom stop s2-change-20240513

  eoloom stop --all
"""


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
    runs_folder: RunsFolder = None,
    as_json: AsJson = False,
) -> None:
    """Stop a run of another terminal in order: what it has made is kept, and it can be resumed.

    Of a run whose process was killed, containers that were left are removed. A run that has ended
    already stays as it is.
    """
    from dataclasses import asdict

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
            stopped = stop_all(journal, settings)
        else:
            stopped = (stop_run(journal.run(run), journal, settings),)
    output.document([asdict(one) for one in stopped])
    if not as_json:
        for one in stopped:
            output.line(_words(one))
        if not stopped:
            output.line("nothing runs, and nothing is left")


def _words(stopped: Stopped) -> str:
    left = f", and removed {stopped.removed} containers that it had left" if stopped.removed else ""
    if stopped.was_running:
        return f"stopped {stopped.run}{left}; `eoloom resume {stopped.run}` goes on with it"
    if stopped.had_died:
        return f"the process of {stopped.run} had died{left}"
    return f"{stopped.run} had ended already{left}"
