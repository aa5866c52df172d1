"""`eoloom`: the command line. Commands are registered here, and live in `ui.commands`."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from ui.commands import (
    components,
    dead_letters,
    deploy,
    deployments,
    export,
    graph,
    images,
    import_solution,
    lineage,
    new_component,
    onboard,
    page,
    provenance,
    resume,
    run,
    runs,
    serve,
    share,
    stop,
    validate,
    watch,
)
from ui.commands.command import Command
from ui.exits import HELP

if TYPE_CHECKING:
    from collections.abc import Callable

app = typer.Typer(
    name="eoloom",
    help="Compose and run Earth-observation pipelines of gRPC components.",
    epilog=HELP,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,
)

# By subject, in the order in which one meets them; the help shows each subject as a box.
_PIPELINES, _RUNS = "Pipelines", "Runs"
_COMPONENTS, _CLUSTER, _SERVICES = "Components and images", "Kubernetes", "Page and service"


def _add(name: str, function: Callable[..., None], epilog: str, subject: str) -> None:
    app.command(name, cls=Command, epilog=epilog, rich_help_panel=subject)(function)


_add("run", run.run, run.EPILOG, _PIPELINES)
_add("validate", validate.validate, validate.EPILOG, _PIPELINES)
_add("graph", graph.graph, graph.EPILOG, _PIPELINES)
_add("export", export.export, export.EPILOG, _PIPELINES)
_add("import", import_solution.import_solution, import_solution.EPILOG, _PIPELINES)

_add("runs", runs.runs, runs.RUNS_EPILOG, _RUNS)
_add("show", runs.show, runs.SHOW_EPILOG, _RUNS)
_add("watch", watch.watch, watch.EPILOG, _RUNS)
_add("stop", stop.stop, stop.EPILOG, _RUNS)
_add("resume", resume.resume, resume.EPILOG, _RUNS)
_add("dead-letters", dead_letters.dead_letters, dead_letters.EPILOG, _RUNS)
_add("lineage", lineage.lineage, lineage.EPILOG, _RUNS)
_add("provenance", provenance.provenance, provenance.EPILOG, _RUNS)

_add("components", components.components, components.EPILOG, _COMPONENTS)
_add("new-component", new_component.new_component, new_component.EPILOG, _COMPONENTS)
_add("onboard", onboard.onboard, onboard.EPILOG, _COMPONENTS)
_add("share", share.share, share.SHARE_EPILOG, _COMPONENTS)
_add("remove", share.remove, share.REMOVE_EPILOG, _COMPONENTS)
app.add_typer(images.app, name="images", rich_help_panel=_COMPONENTS)

_add("deploy", deploy.deploy, deploy.DEPLOY_EPILOG, _CLUSTER)
_add("undeploy", deploy.undeploy, deploy.UNDEPLOY_EPILOG, _CLUSTER)
app.add_typer(deployments.app, name="deployments", rich_help_panel=_CLUSTER)

_add("ui", page.page, page.EPILOG, _SERVICES)
_add("serve", serve.serve, serve.EPILOG, _SERVICES)


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
