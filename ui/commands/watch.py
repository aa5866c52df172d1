"""`eoloom watch`: a run of another process, while it goes."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Annotated, Final

import typer

from ui.commands.options import AsJson, ComponentFolders, Live, RunsFolder

if TYPE_CHECKING:
    from ui.following import Follower
    from ui.live import Watch

EPILOG = """
[b]Examples[/b]

  eoloom watch

  eoloom watch s2-change-20240513 --no-live
"""

_INTERVAL_S: Final = 0.4


def watch(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN", help="The run's name, the start of it, or `last`.", show_default=True
        ),
    ] = "last",
    *,
    runs_folder: RunsFolder = None,
    live: Live = True,
    component_folders: ComponentFolders = None,
    as_json: AsJson = False,
) -> None:
    """Watch a run that another process has started, until it ends.

    Exits with the run's own exit code. Ctrl-C ends the watching, not the run. Of a run that has
    ended, its end is shown.
    """
    from orchestrator.engine.run import State
    from orchestrator.errors import RunNotFoundError
    from ui.commands.run import exit_code_of, open_watch, tell_end
    from ui.exits import ExitCode
    from ui.following import Follower, read_labels
    from ui.formatting import format_path
    from ui.output import Output
    from ui.registry import find_components
    from ui.run_view import read_run, state_of
    from ui.settings import load_settings, open_journal

    output = Output(as_json=as_json)
    settings = load_settings(runs_folder)
    journal = open_journal(settings)
    if journal is None:
        raise RunNotFoundError(f"there are no runs in {format_path(settings.runs_folder)}")
    with contextlib.closing(journal):
        record = journal.run(run)
        if state_of(record) == State.RUNNING:
            labels = read_labels(record, journal, find_components(component_folders))
            try:
                with open_watch(labels, output, live=live) as shown:
                    _follow(Follower(journal, record.id), shown)
            except KeyboardInterrupt:
                output.tell_error(f"{record.id} goes on; `eoloom watch {record.id}` watches again")
                raise typer.Exit(ExitCode.INTERRUPTED) from None
        view = read_run(journal, record.id)
    tell_end(view, output)
    raise typer.Exit(exit_code_of(view.state))


def _follow(follower: Follower, shown: Watch) -> None:
    """Show what happens until the run has ended."""
    from orchestrator.engine.run import State

    while True:
        state, events = follower.poll()
        for event in events:
            shown.observe(event)
        if state != State.RUNNING:
            return
        time.sleep(_INTERVAL_S)
