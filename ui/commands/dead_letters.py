"""`eoloom dead-letters`: what failed and was skipped, and another attempt at it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from ui.commands.options import AsJson, ComponentFolders, Live, RunArgument, RunsFolder
from ui.commands.run import execute

EPILOG = """
[b]Examples[/b]

  eoloom dead-letters last

  eoloom dead-letters s2-change-20240513 --redrive
"""


def dead_letters(
    run: RunArgument,
    *,
    redrive: Annotated[
        bool, typer.Option("--redrive", help="Try them again, and all that comes behind them.")
    ] = False,
    runs_folder: RunsFolder = None,
    live: Live = True,
    component_folders: ComponentFolders = None,
    as_json: AsJson = False,
) -> None:
    """List the messages that failed in a run with `on_error: skip`, and why."""
    from orchestrator.dead_letters import read_dead_letters
    from orchestrator.embedded import load_resumable, load_run
    from orchestrator.events import Kind
    from ui.output import Output
    from ui.registry import find_components
    from ui.settings import load_settings
    from ui.tables import dead_letters_table

    settings = load_settings(runs_folder)
    registry = find_components(component_folders)
    output = Output(as_json=as_json)
    if redrive:
        record, graph = load_resumable(run, registry, settings, redrive=True)
        execute(graph, settings, output, live=live, resume=record, redrive=True)
    letters = read_dead_letters(*load_run(run, registry, settings, kinds=[Kind.DEAD_LETTER]))
    output.document([asdict(letter) for letter in letters])
    if as_json:
        return
    if letters:
        output.show(dead_letters_table(letters))
        output.line("`eoloom dead-letters RUN --redrive` tries them again", "dim")
    else:
        output.line("no dead letters")
