"""A run in progress at a terminal: a table that lives, or plain lines where it cannot."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Protocol, Self

from rich import box
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from orchestrator.events import Event, Kind
from ui.formatting import format_number, format_rate, format_seconds, format_time
from ui.state import ENDED, NodeState, RunProgress
from ui.tables import STATE_STYLES

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from rich.console import Console

    from ui.state import NodeLabel, NodeProgress

_REFRESHES_PER_S: Final = 8
_LINE_INTERVAL_S: Final = 5.0
"""Least time between two plain lines of progress of one node."""

_TOLD: Final = frozenset({Kind.NOTICE, Kind.RETRY, Kind.DEAD_LETTER, Kind.WEB_PAGE})
"""What gets a line of its own."""
_MARKS: Final = {
    NodeState.WAITING: "·",
    NodeState.READY: "·",
    NodeState.DONE: "✓",
    NodeState.FAILED: "✗",
    NodeState.STOPPED: "■",
}


class Watch(Protocol):
    """Shows a run while it goes; entered before the run and left after it."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def observe(self, event: Event) -> None:
        """Take one event; an observer of the run."""

    def say(self, message: str) -> None:
        """Tell something that is not an event."""


class LiveWatch:
    """A table with a row per node, warnings above it."""

    def __init__(self, labels: Iterable[NodeLabel], console: Console) -> None:
        self._progress = RunProgress(labels)
        self._spinners: dict[str, Spinner] = {}
        self._live = Live(
            console=console,
            get_renderable=self._table,
            refresh_per_second=_REFRESHES_PER_S,
            # What is left standing would repeat the table of the summary.
            transient=True,
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def observe(self, event: Event) -> None:
        """Take one event."""
        self._progress.observe(event)
        if event.kind in _TOLD:
            self._live.console.print(_line_of(event), soft_wrap=True)

    def say(self, message: str) -> None:
        """Write a line above the table."""
        self._live.console.print(Text(message, style="yellow"), soft_wrap=True)

    def _table(self) -> Table:
        now = datetime.now(UTC)
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=True, header_style="bold")
        for header in ("node", "state"):
            table.add_column(header, no_wrap=True)
        for header in ("in", "out", "rate", "queue"):
            table.add_column(header, justify="right", no_wrap=True)
        table.add_column("progress", width=16)
        table.add_column("", ratio=1, no_wrap=True, overflow="ellipsis")
        table.add_column("time", justify="right", no_wrap=True)
        for node in self._progress.nodes.values():
            table.add_row(
                Text(node.label.name, style="bold"),
                self._state(node),
                format_number(node.received),
                format_number(node.answered),
                format_rate(node.rate(now)),
                format_number(node.queued) if node.queued else "",
                _bar(node),
                Text(_words(node), style="dim"),
                format_seconds(node.seconds(now)) if node.started else "",
            )
        return table

    def _state(self, node: NodeProgress) -> Spinner | Text:
        style = STATE_STYLES.get(node.state, "dim")
        if node.state not in {NodeState.STARTING, NodeState.WORKING}:
            return Text(f"{_MARKS[node.state]} {node.state}", style=style)
        # Kept between refreshes, because a spinner turns from when it was made.
        spinner = self._spinners.setdefault(node.label.name, Spinner("dots", style=style))
        spinner.update(text=Text(node.state, style=style))
        return spinner


def _words(node: NodeProgress) -> str:
    """Return what a node is at, or how many of its calls an earlier run had made."""
    if node.state is NodeState.WORKING:
        return node.message
    return f"{node.cached:,} cached" if node.cached else ""


def _bar(node: NodeProgress) -> ProgressBar | Text:
    fraction = node.fraction
    if fraction is None:
        return Text("")
    return ProgressBar(
        total=1.0, completed=fraction, width=16, complete_style="cyan", finished_style="green"
    )


class LineWatch:
    """One line per change of a node, and now and then one on its progress."""

    def __init__(self, labels: Iterable[NodeLabel], console: Console) -> None:
        self._progress = RunProgress(labels)
        self._console = console
        self._told: dict[str, datetime] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to put away."""

    def observe(self, event: Event) -> None:
        """Take one event."""
        node = self._progress.nodes.get(event.node)
        before = node.state if node else None
        self._progress.observe(event)
        if event.kind in _TOLD:
            self._console.print(_line_of(event), soft_wrap=True)
        elif node is not None:
            words = self._words(node, event, changed=before is not node.state)
            if words:
                self._line(event, words)

    def say(self, message: str) -> None:
        """Write a line."""
        self._console.print(Text(message), soft_wrap=True)

    def _words(self, node: NodeProgress, event: Event, *, changed: bool) -> str:
        if event.kind is Kind.PROGRESS and self._is_due(event):
            share = f"{node.fraction:4.0%} " if node.fraction is not None else ""
            return f"{share}{node.message}".strip()
        if not changed or node.state is NodeState.WORKING:
            return ""
        if event.kind is Kind.NODE_READY:
            return f"ready after {format_seconds(float(event.detail.get('seconds', 0.0)))}"
        if node.state in ENDED:
            counts = f"{node.received:,} in, {node.answered:,} out"
            counts += f", {node.cached:,} cached" if node.cached else ""
            return f"{node.state}: {counts}, {format_seconds(node.seconds(event.time))}"
        return str(node.state)

    def _is_due(self, event: Event) -> bool:
        last = self._told.get(event.node)
        if last is not None and (event.time - last).total_seconds() < _LINE_INTERVAL_S:
            return False
        self._told[event.node] = event.time
        return True

    def _line(self, event: Event, words: str) -> None:
        time = format_time(event.time)[11:]
        self._console.print(Text(f"{time} {event.node:12} {words}"), soft_wrap=True)


def _line_of(event: Event) -> Text:
    place = ".".join(filter(None, (event.node, event.operation)))
    if event.kind is Kind.WEB_PAGE:
        return Text.assemble(
            ("page: ", "cyan"), (place, "bold"), f": {event.detail.get('url', '')}"
        )
    word = {Kind.RETRY: "retrying", Kind.DEAD_LETTER: "set aside"}.get(event.kind, "warning")
    message = str(event.detail.get("message", ""))
    return Text.assemble((f"{word}: ", "yellow"), (place, "bold"), f": {message}")
