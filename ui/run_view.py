"""A run as the journal and its folder tell of it: running, ended, or died."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import psutil

from orchestrator.engine.run import State
from orchestrator.events import Kind
from orchestrator.result_files import Result, read_results

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.events import Event
    from orchestrator.journal import Journal, RunRecord

DIED: Final = "died"
"""State of a run whose process is gone although the journal does not know of an end."""

_CLOCK_S: Final = 2.0
"""How far the start of a process, as the system keeps it, may be off."""


@dataclass(frozen=True)
class NodeView:
    """What one node did. The numbers are those of all its operations together."""

    name: str
    component: str
    received: int
    answered: int
    failed: int
    seconds: float | None
    """Until its work ended; None if it did not."""
    has_failed: bool
    log: Path | None


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
    try:
        made = psutil.Process(record.process).create_time()
    except psutil.NoSuchProcess:
        return DIED
    except psutil.AccessDenied:
        return record.state
    # Another process may have got the same number since.
    return DIED if made > record.started.timestamp() + _CLOCK_S else record.state


def read_run(journal: Journal, name: str) -> RunView:
    """Return the run of that id, the only one whose id starts so, or the `last` one.

    Raises RunNotFoundError, and SettingsError if the journal cannot be read.
    """
    record = journal.run(name)
    events = journal.events(record.id)
    failed = next((e.node for e in events if e.kind is Kind.NODE_FAILED), "")
    catalogue = record.folder / "catalog.json"
    state = state_of(record)
    ended = record.ended or (events[-1].time if state == DIED and events else None)
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
            for e in events
            if e.kind in {Kind.NOTICE, Kind.DEAD_LETTER}
        ),
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
    views = []
    for name, component in components.items():
        log = record.folder / "logs" / f"{name}.log"
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
                seconds=_seconds(counts),
                has_failed=name == failed,
                log=log if log.exists() else None,
            )
        )
    return views


def _total(counts: Sequence[Mapping[str, Any]], name: str) -> int:
    return sum(int(operation.get(name, 0)) for operation in counts)


def _seconds(counts: Sequence[Mapping[str, Any]]) -> float | None:
    if not counts or not all(operation.get("ended") for operation in counts):
        return None
    return max(float(operation.get("seconds", 0.0)) for operation in counts)
