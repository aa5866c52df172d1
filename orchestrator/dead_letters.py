"""Dead letters: messages that failed in a run with `on_error: skip`, and why.

They stay in the run's log until the run goes on with them (`redrive`), so that nothing that failed
is forgotten.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.engine.message_log import MESSAGES_FILE, MessageLog
from orchestrator.events import Kind
from orchestrator.planning import make_plan

if TYPE_CHECKING:
    from collections.abc import Iterable

    from composer.graph import Graph
    from orchestrator.events import Event
    from orchestrator.journal import RunRecord


@dataclass(frozen=True)
class DeadLetter:
    """A message that an operation could not answer. reason: the last error."""

    node: str
    operation: str
    message: str
    reason: str


def read_dead_letters(
    record: RunRecord, graph: Graph, events: Iterable[Event]
) -> tuple[DeadLetter, ...]:
    """Return what is still dead in a run, in the order of the pipeline.

    events: those of the run, from the journal. Raises SettingsError where its log cannot be read.
    """
    reasons = {
        (event.node, event.operation, event.detail.get("input")): str(event.detail.get("message"))
        for event in events
        if event.kind is Kind.DEAD_LETTER
    }
    plan = make_plan(graph)
    with MessageLog(record.folder / MESSAGES_FILE, plan, read_only=True) as log:
        return tuple(
            DeadLetter(
                step.node,
                step.operation,
                request,
                reasons.get((step.node, step.operation, request), ""),
            )
            for step in plan.steps
            for request in sorted(log.histories[step.key].dead)
        )
