"""`eoloom import`: a solution of AI4Experiments as a pipeline file with its components."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ui.commands.options import AsJson, ComponentFolders, Force

if TYPE_CHECKING:
    from collections.abc import Sequence

    from composer.blueprint_import import ImportedPipeline
    from composer.registry import Registry

EPILOG = """
[b]Examples[/b]

  eoloom import solution.zip --output sudoku.yaml

  eoloom import blueprint.json --protos microservice --output sudoku.yaml

  eoloom import blueprint.json --proto Solver1=solver/model.proto --output sudoku.yaml
"""


Source = Annotated[
    Path,
    typer.Argument(
        metavar="SOLUTION",
        help="A solution.zip, the folder that it was unpacked to, or a blueprint.json.",
        show_default=False,
    ),
]
PipelineFile = Annotated[
    Path, typer.Option("--output", "-o", help="The pipeline file.", show_default=False)
]
DockerInfo = Annotated[
    Path | None,
    typer.Option(
        "--dockerinfo",
        metavar="FILE",
        help="Else the dockerinfo.json beside the blueprint, if there is one.",
        show_default=False,
    ),
]
Contracts = Annotated[
    list[str] | None,
    typer.Option(
        "--proto",
        "--protos",
        metavar="[CONTAINER=]FILE|DIR",
        help="Contracts beside those in microservice/ and in the blueprint's folder, called as "
        "their containers. Repeatable.",
        show_default=False,
    ),
]


def import_solution(
    source: Source,
    *,
    output: PipelineFile,
    dockerinfo: DockerInfo = None,
    contracts: Contracts = None,
    force: Force = False,
    component_folders: ComponentFolders = None,
    as_json: AsJson = False,
) -> None:
    """Write the pipeline of a solution, with warnings for what has no counterpart.

    What it brings of its own are container images: they are onboarded as components of yours,
    which nobody else sees.
    """
    from composer.pipeline_file import save_pipeline
    from ui.errors import EnvironmentFaultError
    from ui.formatting import format_path
    from ui.output import Output
    from ui.output_path import refuse_existing
    from ui.registry import find_components, keep_components

    refuse_existing(output, force=force)
    imported = _read(source, find_components(component_folders), dockerinfo, contracts or ())
    # First, because without them the file would be of no use.
    keep_components(imported.onboarded)
    try:
        save_pipeline(imported.pipeline, output)
    except OSError as error:
        raise EnvironmentFaultError(f"cannot write {output}: {error.strerror}") from error
    told = Output(as_json=as_json)
    for warning in imported.warnings:
        told.warn(warning)
    references = [component.reference for component in imported.onboarded]
    told.document(
        {
            "output": output.resolve(),
            "onboarded": references,
            "addresses": {node: str(address) for node, address in imported.addresses.items()},
            "warnings": imported.warnings,
        }
    )
    if as_json:
        return
    if references:
        told.line(f"onboarded {', '.join(references)}", "dim")
    told.line(f"wrote {format_path(output)}")


def _read(
    source: Path, registry: Registry, dockerinfo: Path | None, contracts: Sequence[str]
) -> ImportedPipeline:
    """Read a solution. Raises UiError naming it."""
    from composer.errors import MissingContractsError, SolutionError
    from ui.errors import UiError
    from ui.solutions import import_path

    try:
        return import_path(source, registry, dockerinfo=dockerinfo, contracts=contracts)
    except MissingContractsError as error:
        example = error.containers[0][:100]
        raise UiError(
            f"{source}: {error}; put what is missing into microservice/ beside the blueprint, or "
            f"give it as --proto {example}=FILE (the images have it inside, as /model.proto)"
        ) from error
    except SolutionError as error:
        raise UiError(f"{source}: {error}") from error
