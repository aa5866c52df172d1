"""Sessions, runs and events in the messages of AI4EU Experiments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from orchestrator.engine.run import State
from orchestrator.events import Event, Kind
from orchestrator.service.runs import ServiceRun
from orchestrator.service.texts import shortened
from protos.orchestrator.ai4eu.orchestrator_pb2 import OrchestrationEvent, OrchestrationStatus

ORCHESTRATOR: Final = "orchestrator"
"""The component of events that belong to none."""
INITIALIZED: Final = "initialized"
EXCEPTION: Final = "exception"
"""What the original's clients show in a special way; they read its `method` and `traceback`."""
MAX_MESSAGE: Final = 8000
"""Characters of a status or of one detail of an event."""

_FAILED: Final = -1
_EXCEPTIONS: Final = frozenset({Kind.NODE_FAILED, Kind.DEAD_LETTER})


def event_message(run: ServiceRun, event: Event) -> OrchestrationEvent:
    """Return an event as the original's clients know it: failures have method and traceback."""
    detail = {key: shortened(str(value), MAX_MESSAGE) for key, value in event.detail.items()}
    name = event.kind.value
    if event.operation:
        detail["operation"] = event.operation
    if event.kind in _EXCEPTIONS:
        name = EXCEPTION
        detail["method"] = event.operation
        detail["traceback"] = detail.pop("message", "")
    return OrchestrationEvent(
        run=run.label or run.id,
        name=name,
        component=event.node or ORCHESTRATOR,
        detail=detail,
    )


def own_message(name: str, detail: Mapping[str, str]) -> OrchestrationEvent:
    """Return an event of the orchestrator itself, outside of any run."""
    kept = {key: shortened(text, MAX_MESSAGE) for key, text in detail.items()}
    return OrchestrationEvent(name=name, component=ORCHESTRATOR, detail=kept)


def with_dropped(message: OrchestrationEvent, dropped: int) -> OrchestrationEvent:
    """Return a message that says how many were left out before it; others get it as it is."""
    if not dropped:
        return message
    return OrchestrationEvent(
        run=message.run,
        name=message.name,
        component=message.component,
        detail={**message.detail, "dropped": str(dropped)},
    )


def status_of_initialization(*, done: bool, fault: str) -> OrchestrationStatus:
    """Say whether there is a pipeline, and if not, what is wrong with it."""
    if done:
        return status(INITIALIZED, success=True)
    return status(f"not {INITIALIZED}{f': {fault}' if fault else ''}", failed=bool(fault))


def status_of_run(run: ServiceRun) -> OrchestrationStatus:
    """Say how a run stands: success only where it has ended and nothing of it has failed."""
    failures = ""
    if run.failures:
        failures = f"{run.failures} messages failed, the last one: {run.last_failure}"
    if run.state is State.RUNNING:
        words = "stopping" if run.stopping else "running"
        text = f"{words}; {failures}" if failures else words
        return status(text, failed=bool(failures), active=run.active_operations)
    text = "; ".join(filter(None, (run.state.value, run.message, failures)))
    return status(
        text,
        success=run.state is State.SUCCEEDED and not failures,
        failed=run.state is State.FAILED or bool(failures),
        active=run.active_operations,
    )


def status(
    message: str, *, success: bool = False, failed: bool = False, active: int = 0
) -> OrchestrationStatus:
    """Return a status of bounded size."""
    return OrchestrationStatus(
        success=success,
        code=_FAILED if failed else 0,
        message=shortened(message, MAX_MESSAGE),
        active_threads=active,
    )
