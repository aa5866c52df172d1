"""`eoloom runs` and `eoloom show`: what has run, and what came of it."""

from __future__ import annotations

import contextlib
from typing import Annotated

import typer

from ui.commands.options import AsJson, RunsFolder

RUNS_EPILOG = """
[b]Examples[/b]

  eoloom runs

  eoloom runs --limit 5 --json
"""

SHOW_EPILOG = """
[b]Examples[/b]

  eoloom show

  eoloom show s2-change-20240513

  eoloom show last --json
"""


def runs(
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 20,
    runs_folder: RunsFolder = None,
    as_json: AsJson = False,
) -> None:
    """List the latest runs, the newest first.

    A run whose process is gone although it did not end is shown as died.
    """
    from ui.documents import run_summary
    from ui.formatting import format_path
    from ui.output import Output
    from ui.run_view import read_run
    from ui.settings import load_settings, open_journal
    from ui.tables import runs_table

    output = Output(as_json=as_json)
    settings = load_settings(runs_folder)
    views = []
    journal = open_journal(settings)
    if journal is not None:
        with contextlib.closing(journal):
            views = [read_run(journal, record.id) for record in journal.runs(limit)]
    output.document([run_summary(view) for view in views])
    if as_json:
        return
    if views:
        output.show(runs_table(views))
        output.line("`eoloom show RUN` tells more; the start of its name is enough", "dim")
    else:
        output.line(f"no runs yet in {format_path(settings.runs_folder)}")


def show(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN", help="The run's name, the start of it, or `last`.", show_default=True
        ),
    ] = "last",
    runs_folder: RunsFolder = None,
    as_json: AsJson = False,
) -> None:
    """Show one run: how it stands, its nodes, warnings, results and logs."""
    from orchestrator.errors import RunNotFoundError
    from ui.documents import run_document
    from ui.formatting import format_path
    from ui.output import Output
    from ui.run_view import read_run
    from ui.settings import load_settings, open_journal
    from ui.summary import show_details

    output = Output(as_json=as_json)
    settings = load_settings(runs_folder)
    journal = open_journal(settings)
    if journal is None:
        raise RunNotFoundError(f"there are no runs in {format_path(settings.runs_folder)}")
    with contextlib.closing(journal):
        view = read_run(journal, run)
    output.document(run_document(view))
    if not as_json:
        show_details(view, output)
