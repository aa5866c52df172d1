"""A run as the journal and its folder tell of it: running, ended, or died."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from orchestrator.engine.run import State
from orchestrator.events import Kind
from orchestrator.result_files import Result, read_results

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.events import Event
    from orchestrator.journal import Journal, RunRecord

DIED: Final = "died"
"""State of a run whose process is gone although the journal does not know of an end."""

MAX_NOTICES: Final = 1000
"""Warnings of a run that are read; the journal has the others."""

_NOTICES: Final = (Kind.NOTICE, Kind.DEAD_LETTER)
_OF_NODES: Final = (Kind.NODE_STARTING, Kind.NODE_FAILED, Kind.WEB_PAGE)


@dataclass(frozen=True)
class NodeView:
    """What one node did. The numbers are those of all its operations together."""

    name: str
    component: str
    received: int
    answered: int
    failed: int
    cached: int
    """Calls that were not made, because an earlier run had made them."""
    seconds: float | None
    """Until its work ended; None if it did not."""
    has_failed: bool
    log: Path | None
    web_page: str | None
    """URL of the page that it serves; None once the run has ended."""


@dataclass(frozen=True)
class NoticeView:
    """A warning, or a message that failed and was set aside."""

    time: datetime
    node: str
    operation: str
    message: str


@dataclass(frozen=True)
class RunView:
    """One run, all of it."""

    id: str
    pipeline: str
    digest: str
    state: str
    message: str
    failed_node: str
    folder: Path
    started: datetime
    ended: datetime | None
    seconds: float
    nodes: tuple[NodeView, ...]
    notices: tuple[NoticeView, ...]
    """The first ones."""
    has_more_notices: bool
    results: tuple[Result, ...]
    catalogue: Path | None

    @property
    def terminal_results(self) -> tuple[Result, ...]:
        """The results of the pipeline, without the steps on the way."""
        return tuple(result for result in self.results if result.terminal)

    @property
    def failure_log(self) -> Path | None:
        """The log of the node that failed."""
        return next((node.log for node in self.nodes if node.name == self.failed_node), None)


def state_of(record: RunRecord) -> str:
    """Return the state of a run, or `died` if it says that it runs but its process is gone."""
    if record.state != State.RUNNING:
        return record.state
    return record.state if record.is_alive else DIED


def read_run(journal: Journal, name: str) -> RunView:
    """Return the run of that id, the only one whose id starts so, or the `last` one.

    Raises RunNotFoundError, and SettingsError if the journal cannot be read.
    """
    record = journal.run(name)
    events = journal.events(record.id, kinds=_OF_NODES)
    notices = journal.events(record.id, kinds=_NOTICES, limit=MAX_NOTICES + 1)
    failed = next((e.node for e in events if e.kind is Kind.NODE_FAILED), "")
    catalogue = record.folder / "catalog.json"
    state = state_of(record)
    last = journal.last_event(record.id) if state == DIED else None
    ended = record.ended or (last.time if last is not None else None)
    message = "its process ended without a word" if state == DIED else record.message
    return RunView(
        id=record.id,
        pipeline=record.pipeline,
        digest=record.digest,
        state=state,
        message=message,
        failed_node=failed,
        folder=record.folder,
        started=record.started,
        ended=ended,
        seconds=(ended - record.started).total_seconds() if ended else record.seconds,
        nodes=tuple(_nodes(record, events, failed)),
        notices=tuple(
            NoticeView(e.time, e.node, e.operation, str(e.detail.get("message", "")))
            for e in notices[:MAX_NOTICES]
        ),
        has_more_notices=len(notices) > MAX_NOTICES,
        results=read_results(record.folder),
        catalogue=catalogue if catalogue.exists() else None,
    )


def _nodes(record: RunRecord, events: Sequence[Event], failed: str) -> list[NodeView]:
    """Return the nodes in the order in which they were started."""
    components = {
        event.node: f"{event.detail.get('component', '')}@{event.detail.get('version', '')}"
        for event in events
        if event.kind is Kind.NODE_STARTING
    }
    pages = {event.node: event.detail.get("url") for event in events if event.kind is Kind.WEB_PAGE}
    runs = record.state == State.RUNNING and record.is_alive
    views = []
    for name, component in components.items():
        # Replicas have a log each; the first one stands for them.
        logs = (record.folder / "logs" / f"{file}.log" for file in (name, f"{name}-1"))
        counts = [
            counts for key, counts in record.operations.items() if key.rpartition(".")[0] == name
        ]
        views.append(
            NodeView(
                name=name,
                component=component,
                received=_total(counts, "received"),
                answered=_total(counts, "answered"),
                failed=_total(counts, "failed"),
                cached=_total(counts, "cached"),
                seconds=_seconds(counts),
                has_failed=name == failed,
                log=next((log for log in logs if log.exists()), None),
                web_page=pages.get(name) if runs else None,
            )
        )
    return views


def _total(counts: Sequence[Mapping[str, Any]], name: str) -> int:
    return sum(int(operation.get(name, 0)) for operation in counts)


def _seconds(counts: Sequence[Mapping[str, Any]]) -> float | None:
    if not counts or not all(operation.get("ended") for operation in counts):
        return None
    return max(float(operation.get("seconds", 0.0)) for operation in counts)
