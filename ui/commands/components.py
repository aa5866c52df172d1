"""`eoloom components`: what components there are, and what one of them can do."""

from __future__ import annotations

from typing import Annotated

import typer

from ui.commands.options import AsJson, ComponentFolders

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
            metavar="NAME",
            help="Show this component with its contract and parameters; NAME@VERSION for one "
            "version.",
            show_default=False,
        ),
    ] = "",
    component_folders: ComponentFolders = None,
    as_json: AsJson = False,
) -> None:
    """List the components that pipelines can be made of, or show one in detail."""
    from ui.component_details import show_component
    from ui.component_view import entry_of
    from ui.documents import broken_document, component_details, component_document
    from ui.output import Output
    from ui.registry import find_components, read_stored
    from ui.tables import components_table

    output = Output(as_json=as_json)
    stored = read_stored()
    registry = find_components(component_folders, stored)
    for broken in registry.broken:
        output.warn(f"{broken.folder} cannot be used: {broken.error}")
    if name:
        component = registry.find(name)
        entry = entry_of(component, stored)
        versions = registry.versions(component.manifest.name)
        output.document(component_details(component, versions, entry))
        if not as_json:
            show_component(component, versions, entry, output)
        return
    entries = [(each, entry_of(each, stored)) for each in registry.components]
    output.document(
        {
            "components": [component_document(each, entry) for each, entry in entries],
            "broken": [broken_document(each) for each in registry.broken],
        }
    )
    if not as_json:
        output.show(components_table(entries))
        output.line("`eoloom components NAME` shows one with its parameters", "dim")
