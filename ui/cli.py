"""`eoloom`: the command line. Commands are registered here, and live in `ui.commands`."""

from __future__ import annotations

import logging
import sys
from typing import Annotated

import typer

from ui.commands import (
    components,
    dead_letters,
    export,
    graph,
    import_solution,
    lineage,
    new_component,
    resume,
    run,
    runs,
    serve,
    validate,
)
from ui.commands.command import Command
from ui.exits import HELP

app = typer.Typer(
    name="eoloom",
    help="Compose and run Earth-observation pipelines of gRPC components.",
    epilog=HELP,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,
)

app.command("components", cls=Command, epilog=components.EPILOG)(components.components)
app.command("validate", cls=Command, epilog=validate.EPILOG)(validate.validate)
app.command("run", cls=Command, epilog=run.EPILOG)(run.run)
app.command("resume", cls=Command, epilog=resume.EPILOG)(resume.resume)
app.command("dead-letters", cls=Command, epilog=dead_letters.EPILOG)(dead_letters.dead_letters)
app.command("runs", cls=Command, epilog=runs.RUNS_EPILOG)(runs.runs)
app.command("show", cls=Command, epilog=runs.SHOW_EPILOG)(runs.show)
app.command("lineage", cls=Command, epilog=lineage.EPILOG)(lineage.lineage)
app.command("graph", cls=Command, epilog=graph.EPILOG)(graph.graph)
app.command("export", cls=Command, epilog=export.EPILOG)(export.export)
app.command("import", cls=Command, epilog=import_solution.EPILOG)(import_solution.import_solution)
app.command("serve", cls=Command, epilog=serve.EPILOG)(serve.serve)
app.command("new-component", cls=Command, epilog=new_component.EPILOG)(new_component.new_component)


class _StderrHandler(logging.Handler):
    """Writes to what stderr is at the time: a live table takes it over to write above itself."""

    def emit(self, record: logging.LogRecord) -> None:
        sys.stderr.write(f"{self.format(record)}\n")


def _version(value: bool) -> None:
    if value:
        from importlib.metadata import version

        typer.echo(f"eoloom {version('eoloom')}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Write what goes on inside to stderr.")
    ] = False,
) -> None:
    handler = _StderrHandler()
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, handlers=[handler])
