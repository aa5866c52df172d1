"""Instruments: what may watch the calls of a run, such as tracing and metrics.

The engine knows only these protocols. Without instruments a call costs two empty function calls.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    import grpc

    from orchestrator.engine.plan import Step


class CallRecord(Protocol):
    """One call that is under way."""

    @property
    def traceparent(self) -> str:
        """The call's place in a trace, which its metadata carry; empty where nobody traces.

        https://www.w3.org/TR/trace-context/
        """

    def end(self, code: grpc.StatusCode, details: str) -> None:
        """Take note of how the call ended; called once."""


class StepInstrument(Protocol):
    """What watches the calls of one operation. Its methods return at once and do not raise."""

    def begin(self) -> CallRecord | None:
        """Take note that a call begins; None if nobody wants to know."""


class Instruments(Protocol):
    """Gives each operation of a run its instrument."""

    def of_step(self, step: Step) -> StepInstrument:
        """Return what watches the calls of an operation."""


class _Unwatched:
    """Watches nothing."""

    def of_step(self, _: Step) -> _Unwatched:
        return self

    def begin(self) -> None:
        return None


UNWATCHED: Final = _Unwatched()


def unsampled_traceparent() -> str:
    """Return a trace context that nobody records, so that a component's log lines have an id."""
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-00"
