"""Events: what happens in a run, as told to the journal and to observers.

An observer is called for each event and must return at once. Counts of messages are told at a
bounded rate, never one event per message, so that watching costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What happened; the comment names the keys of `detail`."""

    RUN_STARTED = "run-started"  # pipeline, digest, folder
    RUN_ENDED = "run-ended"  # state, message, seconds: nothing is moved any more
    RUN_CLOSED = "run-closed"  # state, message: the results are written
    NODE_STARTING = "node-starting"  # component, version
    NODE_READY = "node-ready"  # seconds
    NODE_STOPPED = "node-stopped"
    NODE_FAILED = "node-failed"  # message
    USAGE = "usage"  # cpu_s: what a process or container has used by its end
    PROGRESS = "progress"  # done, total, message: reported by the component
    NOTICE = "notice"  # message: a warning from the component or the engine
    WEB_PAGE = "web-page"  # url: a page that the component serves while it runs
    COUNTS = "counts"  # received, answered, bytes_in, bytes_out, queued, in_flight
    OPERATION_ENDED = "operation-ended"  # received, answered, seconds
    RETRY = "retry"  # message, attempt
    DEAD_LETTER = "dead-letter"  # message, input
    RESULT = "result"  # item, path


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened in a run. `time` is UTC.

    number: where it stands in the journal; 0 for one that does not come from there.
    """

    run: str
    kind: Kind
    node: str = ""
    operation: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)
    time: datetime = field(default_factory=lambda: datetime.now(UTC))
    number: int = field(default=0, compare=False)


Observer = Callable[[Event], None]
