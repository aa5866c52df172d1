"""One component on a terminal: what it is, its operations with their ports, its parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.padding import Padding
from rich.text import Text

from ui.component_view import operation_views, visibility_text
from ui.formatting import format_path, format_seconds
from ui.tables import parameters_table

if TYPE_CHECKING:
    from composer.component import Component
    from composer.store import StoredComponent
    from ui.output import Output


def show_component(
    component: Component,
    versions: tuple[str, ...],
    stored: StoredComponent | None,
    output: Output,
) -> None:
    """Write all about one component. stored: what the registry database has of it."""
    manifest = component.manifest
    output.show(Text.assemble((component.reference, "bold"), f"  {manifest.title}"))
    output.console.print(Padding(Text(manifest.description), (0, 0, 1, 2)))
    if len(versions) > 1:
        output.line(f"versions   {', '.join(versions)}")
    if stored is not None:
        output.line(f"owner      {stored.owner}, {visibility_text(stored)}")
    if manifest.image is not None:
        output.line(f"image      {manifest.image}")
    output.line(f"licence    {manifest.licence}")
    resources = manifest.resources
    gpu = f", {resources.gpu} GPU" if resources.gpu else ""
    output.line(f"needs      {resources.cpu:g} CPU, {resources.memory}{gpu}")
    output.line(f"service    {', '.join(component.contract.services)}")
    if not component.is_onboarded:
        output.line(f"contract   {format_path(component.root / manifest.proto)}")
    output.line()
    _show_operations(component, output)
    table = parameters_table(component)
    output.line()
    output.line("parameters" if table else "no parameters", "bold")
    if table:
        output.show(table)


def _show_operations(component: Component, output: Output) -> None:
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
