"""Runs, events and results in the messages of our own service."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp

from orchestrator.events import Event
from orchestrator.journal import RunRecord
from orchestrator.result_files import Result as StoredResult
from orchestrator.service.runs import ServiceRun
from orchestrator.service.texts import plain, shortened
from protos.orchestrator.v1 import orchestrator_pb2 as v1

_STATES: Final = {
    "running": v1.STATE_RUNNING,
    "succeeded": v1.STATE_SUCCEEDED,
    "failed": v1.STATE_FAILED,
    "cancelled": v1.STATE_CANCELLED,
}


def run_message(record: RunRecord, known: ServiceRun | None, label: str = "") -> v1.Run:
    """Return a run. known: what this process knows of it, if it is going on here."""
    message = v1.Run(
        id=record.id,
        pipeline=record.pipeline,
        digest=record.digest,
        label=label,
        state=_state(record, known),
        message=shortened(record.message),
        started=_timestamp(record.started),
        operations=[_counts(name, counts) for name, counts in record.operations.items()],
    )
    if record.ended is not None:
        message.ended.CopyFrom(_timestamp(record.ended))
    return message


def event_message(event: Event, dropped: int = 0) -> v1.RunEvent:
    """Return an event, its detail brought to a bounded size."""
    detail = Struct()
    detail.update(plain(event.detail))
    return v1.RunEvent(
        time=_timestamp(event.time),
        kind=event.kind.value,
        node=event.node,
        operation=event.operation,
        detail=detail,
        dropped=dropped,
    )


def result_message(result: StoredResult, folder: Path) -> v1.Result:
    """Return a result; paths are relative to the run's folder where they lie in it."""
    root = folder.resolve()
    return v1.Result(
        node=result.node,
        operation=result.operation,
        item=shortened(result.item),
        path=_within(str(result.path), root),
        terminal=result.terminal,
        files=[
            v1.ResultFile(
                key=shortened(file.key),
                path=_within(file.path, root),
                media_type=shortened(file.media_type),
                title=shortened(file.title),
                roles=[shortened(role) for role in file.roles],
            )
            for file in result.assets
        ],
    )


def _state(record: RunRecord, known: ServiceRun | None) -> v1.State.ValueType:
    if known is not None and known.active:
        return v1.STATE_STOPPING if known.stopping else v1.STATE_RUNNING
    state = _STATES.get(record.state, v1.STATE_UNSPECIFIED)
    # What this process does not know of, it does not run.
    if state == v1.STATE_RUNNING and (record.runner.is_this or not record.is_alive):
        return v1.STATE_INTERRUPTED
    return state


def _counts(name: str, counts: Mapping[str, Any]) -> v1.OperationCounts:
    node, _, operation = name.partition(".")
    return v1.OperationCounts(
        node=node,
        operation=operation,
        received=counts.get("received", 0),
        answered=counts.get("answered", 0),
        queued=counts.get("queued", 0),
        in_flight=counts.get("in_flight", 0),
        failed=counts.get("failed", 0),
        repeated_messages=counts.get("repeated", 0),
        bytes_in=counts.get("bytes_in", 0),
        bytes_out=counts.get("bytes_out", 0),
        seconds=counts.get("seconds", 0.0),
        ended=counts.get("ended", False),
    )


def _within(path: str, root: Path) -> str:
    """Return a path as relative to the run's folder; what lies elsewhere stays as it is."""
    try:
        return Path(path).relative_to(root).as_posix()
    except ValueError:
        return shortened(path)


def _timestamp(time: datetime) -> Timestamp:
    message = Timestamp()
    message.FromDatetime(time)
    return message
