"""Components and runs as tables of a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich import box
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from ui.component_view import operation_views, parameter_views, visibility_text
from ui.formatting import format_number, format_seconds, format_time

if TYPE_CHECKING:
    from collections.abc import Iterable

    from composer.component import Component
    from composer.store import StoredComponent
    from orchestrator.dead_letters import DeadLetter
    from ui.component_view import ParameterView
    from ui.run_view import NodeView, RunView

STATE_STYLES: Final = {
    "succeeded": "green",
    "done": "green",
    "running": "cyan",
    "working": "cyan",
    "starting": "cyan",
    "failed": "bold red",
    "died": "bold red",
    "cancelled": "yellow",
    "stopped": "yellow",
}


def state_text(state: str) -> Text:
    """Return a state in its colour."""
    return Text(state, style=STATE_STYLES.get(state, "dim"))


def new_table(*headers: str, numbers: Iterable[str] = ()) -> Table:
    """Return an empty table; the columns named in `numbers` are aligned to the right."""
    right = set(numbers)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for header in headers:
        table.add_column(header, justify="right" if header in right else "left", overflow="fold")
    return table


def components_table(components: Iterable[tuple[Component, StoredComponent | None]]) -> Table:
    """Return one row per operation, the component with its title beside the first.

    Whose an onboarded component is, and who may use it, stands below its title.
    """
    table = new_table("component", "operations, and what they accept -> emit")
    table.columns[0].min_width = 22
    for component, stored in components:
        manifest = component.manifest
        name = Text.assemble(
            (manifest.name, "bold"), (f"@{manifest.version}\n{manifest.title}", "dim")
        )
        if stored is not None:
            name.append(f"\nof {stored.owner}, {visibility_text(stored)}", style="dim")
        for view in operation_views(component):
            operation = Text.assemble((view.name, "cyan"), f": {view.ports}")
            # On a line of their own, because names of collections are long.
            collections = f"{view.accepts} -> {view.emits}".strip()
            operation.append("" if collections == "->" else f"\n  {collections}", style="dim")
            table.add_row(name, operation)
            name = Text()
        table.add_section()
    return table


def parameters_table(component: Component) -> Table | None:
    """Return the parameters of a component, or None if it has none."""
    views = parameter_views(component.schema.schema)
    if not views:
        return None
    table = new_table("parameter", "type, bounds, default, meaning")
    table.columns[0].no_wrap = True
    for view in views:
        table.add_row(Text(view.name, style="bold"), _meaning(view))
    return table


def _meaning(view: ParameterView) -> Text:
    """Return what a parameter may be on one line, and what it is on the next."""
    text = Text(view.type, style="cyan")
    details = [view.bounds, f"in {view.unit}" if view.unit else ""]
    details.append(f"default {view.default}" if view.default else "")
    text.append("".join(f", {detail}" for detail in details if detail), style="default")
    text.append(", required" if view.is_required else "", style="yellow")
    text.append(f"\n{view.description}" if view.description else "", style="default")
    if view.examples and view.examples != view.default:
        text.append(f" e.g. {view.examples}", style="dim")
    return text


def nodes_table(nodes: Iterable[NodeView]) -> Table:
    """Return what each node of a run did; columns that would be empty are left out.

    cached: calls that an earlier run had made.
    """
    views = list(nodes)
    has_failures = any(view.failed for view in views)
    is_cached = any(view.cached for view in views)
    headers = ["node", "component", "in", "out"]
    headers += ["set aside"] if has_failures else []
    headers += ["cached"] if is_cached else []
    headers += ["time"]
    table = new_table(*headers, numbers=headers[2:])
    for view in views:
        cells: list[Text | str] = [
            Text(view.name, style="bold red" if view.has_failed else "bold"),
            Text(view.component, style="dim"),
            format_number(view.received),
            format_number(view.answered),
            *([format_number(view.failed)] if has_failures else []),
            *([format_number(view.cached)] if is_cached else []),
            "-" if view.seconds is None else format_seconds(view.seconds),
        ]
        table.add_row(*cells)
    return table


def runs_table(runs: Iterable[RunView]) -> Table:
    """Return one row per run; its name begins with that of its pipeline."""
    table = new_table("run", "state", "started", "time", "results", numbers=("time", "results"))
    # Names of runs are long: little room between columns, and the day above the time at worst.
    table.padding = (0, 1, 0, 0)
    for column in table.columns:
        column.no_wrap = column.header != "started"
        column.min_width = 10 if column.header == "started" else None
    for run in runs:
        table.add_row(
            Text(run.id, style="bold"),
            state_text(run.state),
            format_time(run.started),
            format_seconds(run.seconds),
            format_number(len(run.terminal_results)),
        )
    return table


def dead_letters_table(letters: Iterable[DeadLetter]) -> Table:
    """Return one row per message that failed and was skipped."""
    table = new_table("operation", "message", "why")
    for letter in letters:
        table.add_row(
            f"{letter.node}.{letter.operation}", escape(letter.message), escape(letter.reason)
        )
    return table
