"""`eoloom export`: a pipeline as other systems read it."""

from __future__ import annotations

from typing import Annotated

import typer

from ui.commands.options import (
    AsJson,
    ComponentFolders,
    Force,
    OutputPath,
    Overrides,
    PipelineArgument,
    Profiles,
    ProfileValues,
    RequireDigests,
)
from ui.exports.formats import Format

EPILOG = """
[b]Examples[/b]

  eoloom export examples/s2_change.yaml --output s2-change.zip

  eoloom export examples/s2_change.yaml --to blueprint --output blueprint.json

  eoloom export examples/demo.yaml --to kustomize --profile kind --output demo-kustomize

What a run has done and left is exported by `eoloom provenance`.
"""


ChosenFormat = Annotated[
    Format,
    typer.Option(
        "--to",
        help="solution: AI4Experiments' solution.zip; blueprint: its blueprint.json alone; "
        "kustomize: a folder for `kubectl apply -k`; compose: one for `docker compose up`.",
    ),
]
Pin = Annotated[
    bool,
    typer.Option(
        "--pin",
        help="With kustomize and compose: name images by their digests, as their registries "
        "tell them now, so that a tag that moves changes nothing.",
    ),
]


Namespace = Annotated[
    str, typer.Option("--namespace", help="With kustomize: the namespace of the overlays.")
]


def export(
    file: PipelineArgument,
    *,
    to: ChosenFormat = Format.SOLUTION,
    output: OutputPath,
    profiles: Profiles = None,
    profile_values: ProfileValues = None,
    namespace: Namespace = "",
    pin: Pin = False,
    require_digests: RequireDigests = False,
    overrides: Overrides = None,
    force: Force = False,
    component_folders: ComponentFolders = None,
    as_json: AsJson = False,
) -> None:
    """Write a pipeline in another system's format, with warnings for what has no counterpart."""
    from composer.graph import compose
    from composer.pipeline_file import load_pipeline
    from ui.exports.base import ExportOptions, write_export
    from ui.exports.formats import exporter_of
    from ui.formatting import format_path
    from ui.output import Output
    from ui.output_path import refuse_existing
    from ui.registry import find_components
    from ui.settings import load_settings

    refuse_existing(output, force=force)  # now, not after the work
    registry = find_components(component_folders)
    graph = compose(load_pipeline(file, overrides or ()), registry, cycles=True)
    options = ExportOptions(
        load_settings(),
        tuple(profiles or ["plain"]),
        tuple(profile_values or ()),
        namespace,
        pin=pin or require_digests,
        require_digests=require_digests,
    )
    exported = exporter_of(to)(graph, options)
    write_export(exported, output, force=force)
    told = Output(as_json=as_json)
    for warning in exported.warnings:
        told.warn(warning)
    told.document({"format": to, "output": output.resolve(), "warnings": exported.warnings})
    if not as_json:
        told.line(f"wrote {format_path(output)}")
