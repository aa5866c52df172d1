"""A run in progress: what its events so far add up to. Knows no terminal and no web page.

Times come from the events, so the same events give the same state whenever they are read.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from orchestrator.events import Event, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from composer.graph import Graph

_RATE_WINDOW_S: Final = 10.0
"""Rates are those of the last seconds, so that a slow start does not weigh on them for ever."""


class NodeState(StrEnum):
    """How a node stands."""

    WAITING = "waiting"  # not started yet
    STARTING = "starting"
    READY = "ready"  # serves, nothing to do yet
    WORKING = "working"
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"  # ended before its work did


ENDED: Final = frozenset({NodeState.DONE, NodeState.FAILED, NodeState.STOPPED})


@dataclass(frozen=True)
class NodeLabel:
    """What is known of a node before the run: its operations in use, and what it is."""

    name: str
    component: str
    operations: tuple[str, ...]


def labels_of(graph: Graph) -> list[NodeLabel]:
    """Return what a composed pipeline says of its nodes."""
    return [
        NodeLabel(
            name,
            node.component.reference,
            tuple(planned.operation.name for planned in graph.operations_of(name)),
        )
        for name, node in graph.nodes.items()
    ]


@dataclass
class OperationProgress:
    """Counts of one operation, as last told."""

    received: int = 0
    answered: int = 0
    failed: int = 0
    cached: int = 0
    queued: int = 0
    in_flight: int = 0
    ended: bool = False


@dataclass
class NodeProgress:
    """How one node stands."""

    label: NodeLabel
    state: NodeState = NodeState.WAITING
    operations: dict[str, OperationProgress] = field(default_factory=dict)
    done: float = 0.0
    """Of `total`, as the component last reported; `message` says what it is at."""
    total: float = 0.0
    message: str = ""
    started: datetime | None = None
    ended: datetime | None = None
    _answers: deque[tuple[datetime, int]] = field(default_factory=deque)

    @property
    def received(self) -> int:
        """Messages taken, over all operations; likewise below."""
        return sum(operation.received for operation in self.operations.values())

    @property
    def answered(self) -> int:
        """Messages given."""
        return sum(operation.answered for operation in self.operations.values())

    @property
    def failed(self) -> int:
        """Messages set aside because they failed."""
        return sum(operation.failed for operation in self.operations.values())

    @property
    def cached(self) -> int:
        """Calls that were not made, because an earlier run had made them."""
        return sum(operation.cached for operation in self.operations.values())

    @property
    def queued(self) -> int:
        """Messages that wait to be taken."""
        return sum(operation.queued for operation in self.operations.values())

    @property
    def fraction(self) -> float | None:
        """How much of what it is at is done, 0 to 1; None if the component does not say."""
        if self.state is NodeState.DONE:
            return 1.0
        return min(max(self.done / self.total, 0.0), 1.0) if self.total > 0 else None

    def seconds(self, now: datetime) -> float:
        """Return how long it has served, or did until it ended."""
        if self.started is None:
            return 0.0
        return max(((self.ended or now) - self.started).total_seconds(), 0.0)

    def rate(self, now: datetime) -> float:
        """Return messages given per second: of late, or on the whole once it has ended."""
        if self.state in ENDED:
            seconds = self.seconds(now)
            return self.answered / seconds if seconds > 0 else 0.0
        recent = [
            (time, number)
            for time, number in self._answers
            if (now - time).total_seconds() <= _RATE_WINDOW_S
        ]
        if not recent:
            return 0.0
        seconds = (now - recent[0][0]).total_seconds()
        return (self.answered - recent[0][1]) / seconds if seconds > 0 else 0.0

    def count(self, event: Event) -> None:
        """Take the counts of one operation."""
        detail = event.detail
        operation = self.operations.setdefault(event.operation, OperationProgress())
        for name in ("received", "answered", "failed", "cached", "queued", "in_flight"):
            setattr(operation, name, int(detail.get(name, getattr(operation, name))))
        self._answers.append((event.time, self.answered))
        while len(self._answers) > 1 and (
            (event.time - self._answers[0][0]).total_seconds() > _RATE_WINDOW_S
        ):
            self._answers.popleft()


class RunProgress:
    """All nodes of a run and what was said; fed with its events in their order."""

    def __init__(self, labels: Iterable[NodeLabel]) -> None:
        self.nodes = {label.name: NodeProgress(label) for label in labels}
        for node in self.nodes.values():
            node.operations = {name: OperationProgress() for name in node.label.operations}
        self.run = ""
        self.results = 0
        self.notices: list[Event] = []
        """Warnings, retries and dead letters."""

    def observe(self, event: Event) -> None:
        """Take one event; an observer of the run."""
        self.run = event.run
        if event.kind in {Kind.NOTICE, Kind.RETRY, Kind.DEAD_LETTER}:
            self.notices.append(event)
        elif event.kind is Kind.RESULT:
            self.results += 1
        node = self.nodes.get(event.node)
        if node is not None:
            _observe_node(node, event)


def _observe_node(node: NodeProgress, event: Event) -> None:
    kind = event.kind
    if kind is Kind.NODE_STARTING:
        node.state = NodeState.STARTING
    elif kind is Kind.NODE_READY:
        node.started = event.time
        if node.state in {NodeState.WAITING, NodeState.STARTING}:  # else it has given what is known
            node.state = NodeState.READY
    elif kind is Kind.COUNTS:
        node.count(event)
        if node.received or node.answered:
            _work(node)
    elif kind is Kind.PROGRESS:
        node.done = float(event.detail.get("done", 0.0))
        node.total = float(event.detail.get("total", 0.0))
        node.message = str(event.detail.get("message", ""))
        _work(node)
    elif kind is Kind.OPERATION_ENDED:
        node.count(event)
        node.operations[event.operation].ended = True
        if all(operation.ended for operation in node.operations.values()):
            _end(node, NodeState.DONE, event)
    elif kind is Kind.NODE_FAILED:
        _end(node, NodeState.FAILED, event)
    elif kind is Kind.NODE_STOPPED:
        _end(node, NodeState.STOPPED, event)


def _work(node: NodeProgress) -> None:
    if node.state not in ENDED:
        node.state = NodeState.WORKING


def _end(node: NodeProgress, state: NodeState, event: Event) -> None:
    """End a node once: what comes first says how."""
    if node.state not in ENDED:
        node.state, node.ended = state, event.time
