"""The account of a run: its operations with their times, and which results came from which."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.engine.run import State
from orchestrator.events import Kind
from orchestrator.lineage import message_graph
from orchestrator.result_files import read_results

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from composer.graph import Graph
    from composer.plan import PlannedNode, PlannedOperation
    from orchestrator.events import Event
    from orchestrator.journal import RunRecord
    from orchestrator.result_files import Result


@dataclass(frozen=True)
class OperationAccount:
    """What one operation did. started, ended: None where it never came to work.

    inputs: the results of the operations that are linked to it. error: why it failed, or that it
    was stopped.
    """

    planned: PlannedOperation
    state: State
    started: datetime | None
    ended: datetime | None
    inputs: tuple[Result, ...]
    outputs: tuple[Result, ...]
    error: str = ""


@dataclass(frozen=True)
class RunAccount:
    """What a run did. parents: what each result was made from, by the path of its document.

    untraced: results whose messages are no longer in the run's log, so that nobody can tell.
    """

    record: RunRecord
    graph: Graph
    operations: tuple[OperationAccount, ...]
    results: tuple[Result, ...]
    parents: Mapping[Path, tuple[Result, ...]] = field(default_factory=dict)
    untraced: tuple[Result, ...] = ()

    @property
    def shared_folder(self) -> Path:
        """Where the components wrote; absolute."""
        return self.record.folder.resolve() / "shared"


def read_account(record: RunRecord, graph: Graph, events: Sequence[Event]) -> RunAccount:
    """Return the account of a run that has ended, however it did.

    events: all of the run's. Raises SettingsError where its message log cannot be read.
    """
    results = read_results(record.folder)
    by_operation: dict[str, list[Result]] = {}
    for result in results:
        by_operation.setdefault(f"{result.node}.{result.operation}", []).append(result)
    operations = []
    for planned in graph.operations:
        senders = dict.fromkeys(str(link.source.whole) for link in planned.incoming)
        inputs = tuple(result for sender in senders for result in by_operation.get(sender, ()))
        outputs = tuple(by_operation.get(str(planned), ()))
        operations.append(_account_of(planned, record, events, inputs, outputs))
    parents = _parents(record, graph, results)
    untraced = tuple(result for result in results if result.path not in parents)
    return RunAccount(record, graph, tuple(operations), results, parents, untraced)


def _account_of(
    planned: PlannedOperation,
    record: RunRecord,
    events: Sequence[Event],
    inputs: tuple[Result, ...],
    outputs: tuple[Result, ...],
) -> OperationAccount:
    started = ended = None
    error = ""
    for event in (event for event in events if event.node == planned.node.name):
        if event.kind is Kind.NODE_READY:
            started, ended, error = event.time, None, ""
        elif event.kind is Kind.NODE_FAILED:
            ended, error = event.time, str(event.detail.get("message", ""))
        elif event.kind is Kind.OPERATION_ENDED and event.operation == planned.operation.name:
            ended = event.time
            started = ended - timedelta(seconds=float(event.detail.get("seconds", 0.0)))
            return OperationAccount(planned, State.SUCCEEDED, started, ended, inputs, outputs)
    state = State.FAILED if error else State.CANCELLED
    error = error or "stopped before its work had ended"
    ended = ended or (record.ended if started else None)
    return OperationAccount(planned, state, started, ended, inputs, outputs, error)


def _parents(
    record: RunRecord, graph: Graph, results: Sequence[Result]
) -> Mapping[Path, tuple[Result, ...]]:
    made = message_graph(record, graph)
    by_message = {message_of(result): result for result in results}
    return {
        result.path: tuple(
            by_message[parent] for parent in made.predecessors(message) if parent in by_message
        )
        for message, result in by_message.items()
        if message in made
    }


def open_parameters(node: PlannedNode) -> Iterator[tuple[str, Any]]:
    """Yield the parameters that the pipeline gives a node, without those that are secret."""
    for name, value in node.params.items():
        if not node.component.schema.is_secret(name):
            yield name, value


def message_of(result: Result) -> str:
    """Return the id of the message that left a result."""
    if result.item:
        return str(result.properties.get("eoloom:message", ""))
    number = result.path.stem.rpartition("-")[2]
    return f"{result.node}.{result.operation}#{int(number)}"
