"""What the engine asks of a memory of calls across runs. `orchestrator.call_memory` is one.

The engine adds the requests of a call as bytes, and is told whether the whole call is known. What
makes two requests equal, and where answers and their files are kept, is the memory's business. A
memory never raises for its own faults: it forgets instead, and the operation is called.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from orchestrator.engine.plan import Step


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of a call. received: how many of its requests the call had been given by then."""

    payload: bytes
    received: int = 1


@dataclass(frozen=True, slots=True)
class Known:
    """A call that was made before: its answers and the component's warnings."""

    answers: Sequence[Answer]
    notices: Sequence[str] = ()


class RememberedCall(Protocol):
    """One call of an operation, while its requests arrive and its answers come."""

    def add(self, request: bytes) -> None:
        """Take the next request, serialised and whole."""
        ...

    async def may_be_known(self) -> bool:
        """Whether a remembered call began with the requests so far."""
        ...

    async def recall(self) -> Known | None:
        """Return the whole call with these requests, its files in place, or None."""
        ...

    def answered(self, answer: Answer) -> None:
        """Take the next answer of a call that is made."""
        ...

    async def keep(self, notices: Sequence[str] = ()) -> None:
        """Remember the call: it has ended well, and no answer is missing."""
        ...


OpenCall = Callable[[], RememberedCall]


class CallMemory(Protocol):
    """The memory that the operations of one run share."""

    def of(self, step: Step) -> OpenCall | None:
        """Return what opens a call of an operation, or None where its calls must be made."""
        ...
