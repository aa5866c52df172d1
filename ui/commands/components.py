"""`eoloom components`: what components there are, and what one of them can do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ui.commands.options import AsJson, ComponentFolders

if TYPE_CHECKING:
    from composer.component import Component
    from composer.registry import Registry
    from ui.output import Output

EPILOG = """
[b]Examples[/b]

  eoloom components

  eoloom components s2-change

  eoloom components --components ./my-components --json
"""


def components(
    name: Annotated[
        str,
        typer.Argument(
            metavar="[NAME]",
            help="Show this component with its contract and parameters; NAME@VERSION for one "
            "version.",
            show_default=False,
        ),
    ] = "",
    component_folders: ComponentFolders = None,
    as_json: AsJson = False,
) -> None:
    """List the components that pipelines can be made of, or show one in detail."""
    from composer.registry import Registry
    from ui.documents import broken_document, component_details, component_document
    from ui.output import Output
    from ui.tables import components_table

    output = Output(as_json=as_json)
    registry = Registry.discover(component_folders or ())
    for broken in registry.broken:
        output.warn(f"{broken.folder} cannot be used: {broken.error}")
    if name:
        component = registry.find(name)
        versions = registry.versions(component.manifest.name)
        output.document(component_details(component, versions))
        if not as_json:
            _show(component, registry, output)
        return
    output.document(
        {
            "components": [component_document(each) for each in registry.components],
            "broken": [broken_document(each) for each in registry.broken],
        }
    )
    if not as_json:
        output.show(components_table(registry.components))
        output.line("`eoloom components NAME` shows one with its parameters", "dim")


def _show(component: Component, registry: Registry, output: Output) -> None:
    from rich.padding import Padding
    from rich.text import Text

    from ui.component_view import operation_views
    from ui.formatting import format_path, format_seconds
    from ui.tables import parameters_table

    manifest = component.manifest
    output.show(Text.assemble((component.reference, "bold"), f"  {manifest.title}"))
    output.console.print(Padding(Text(manifest.description), (0, 0, 1, 2)))
    versions = registry.versions(manifest.name)
    if len(versions) > 1:
        output.line(f"versions   {', '.join(versions)}")
    output.line(f"licence    {manifest.licence}")
    resources = manifest.resources
    gpu = f", {resources.gpu} GPU" if resources.gpu else ""
    output.line(f"needs      {resources.cpu:g} CPU, {resources.memory}{gpu}")
    output.line(f"service    {component.contract.service}")
    output.line(f"contract   {format_path(component.root / manifest.proto)}")
    output.line()
    output.line("operations", "bold")
    for view in operation_views(component):
        output.show(Text.assemble("  ", (view.name, "bold cyan"), f": {view.ports}"))
        output.console.print(Padding(Text(view.description), (0, 0, 0, 4)))
        for label, value in (
            ("accepts", view.accepts),
            ("emits", view.emits),
            ("is", ", ".join(view.promises)),
            ("timeout", format_seconds(view.timeout_s)),
        ):
            if value:
                output.line(f"    {label:8} {value}", "dim")
    table = parameters_table(component)
    output.line()
    output.line("parameters" if table else "no parameters", "bold")
    if table:
        output.show(table)
