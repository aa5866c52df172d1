"""Events of a run there as events of ours."""

from __future__ import annotations

import contextlib
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from google.protobuf.struct_pb2 import ListValue, Struct

from orchestrator.engine.run import State
from orchestrator.events import Event, Kind
from orchestrator.service_client.errors import ServiceAnswerError
from orchestrator.service_client.paths import local_path
from protos.orchestrator.v1 import orchestrator_pb2 as v1

_STATES = {
    v1.STATE_SUCCEEDED: State.SUCCEEDED,
    v1.STATE_FAILED: State.FAILED,
    v1.STATE_CANCELLED: State.CANCELLED,
    v1.STATE_INTERRUPTED: State.FAILED,
}


def event_of(run: str, folder: Path, message: v1.RunEvent) -> Event | None:
    """Return an event as it is told here; None of a kind that is not known here.

    folder: of the run here, to which paths of its results are changed.
    """
    try:
        kind = Kind(message.kind)
    except ValueError:
        return None
    detail = _plain(message.detail)
    if kind is Kind.RESULT:
        detail["path"] = _path(run, folder, str(detail.get("path", "")))
    elif kind is Kind.RUN_CLOSED:
        state = str(detail.get("state", ""))
        known = state in set(State) - {State.RUNNING}
        detail["state"] = state if known else State.FAILED.value
        detail["message"] = str(detail.get("message", ""))
    return Event(run, kind, message.node, message.operation, detail, _time(message))


def counts_of(counts: v1.OperationCounts) -> dict[str, Any]:
    """Return how far an operation is, as the detail of COUNTS; some are known of events only."""
    names = ("received", "answered", "queued", "in_flight", "failed", "bytes_in", "bytes_out")
    return {
        **{name: getattr(counts, name) for name in names},
        "repeated": counts.repeated_messages,
        "seconds": counts.seconds,
        "ended": counts.ended,
    }


def closing_of(run: v1.Run, address: str) -> Event | None:
    """Return the end of a run of which no event tells, if it has ended."""
    state = _STATES.get(run.state)
    if state is None:
        return None
    message = run.message
    if run.state == v1.STATE_INTERRUPTED:
        message = (
            f"the service at {address} was interrupted; `eoloom resume {run.id}` goes on there"
        )
    time = run.ended.ToDatetime(UTC) if run.HasField("ended") else datetime.now(UTC)
    return Event(run.id, Kind.RUN_CLOSED, detail={"state": state, "message": message}, time=time)


def _path(run: str, folder: Path, path: str) -> str:
    """Return where a result lies here; the service tells where it lies there."""
    within = path.rpartition(f"/{run}/")[2]
    with contextlib.suppress(ServiceAnswerError):
        return str(local_path(folder, within))
    return ""


def _time(message: v1.RunEvent) -> datetime:
    try:
        return message.time.ToDatetime(UTC)
    except (ValueError, OverflowError):  # before the year 1, or after 9999
        return datetime.now(UTC)


def _plain(value: Any) -> Any:
    """Return a value of a Struct as every journal takes it."""
    if isinstance(value, Struct):
        return {_plain(key): _plain(below) for key, below in value.items()}
    if isinstance(value, ListValue):
        return [_plain(below) for below in value]
    if isinstance(value, float):  # a Struct has no other numbers
        if not math.isfinite(value):
            return None
        return int(value) if value.is_integer() else value
    return value.replace("\0", "\N{REPLACEMENT CHARACTER}") if isinstance(value, str) else value
