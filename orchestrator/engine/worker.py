"""A worker: takes what arrives at an operation, calls it, and sends on what it answers.

Here is what all forms share; `unary`, `streams` and `request_streams` hold one worker per form. A
worker ends when its senders have ended and its last answers are taken.
"""

from __future__ import annotations

import abc
import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc

from orchestrator.engine.call_memory import OpenCall, RememberedCall
from orchestrator.engine.calls import Caller
from orchestrator.engine.channels import OF_DEATH
from orchestrator.engine.link import Inlet, Outlet
from orchestrator.engine.memory import StepMemory
from orchestrator.engine.message import Message
from orchestrator.engine.open_calls import OpenCalls
from orchestrator.engine.plan import OnError, Step
from orchestrator.errors import OperationError
from orchestrator.events import Kind

# What a worker tells of: the kind and its detail.
Tell = Callable[[Step, Kind, dict[str, Any]], None]
# Called with every message that a step emits, before it is sent on.
Record = Callable[[Step, Message], None]


@dataclass
class Counts:
    """What an operation has done so far.

    repeated: messages given from an earlier attempt. cached: calls that were not made, because an
    earlier run had made them.
    """

    received: int = 0
    answered: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    in_flight: int = 0  # taken and not yet answered, or streams that are open
    failed: int = 0
    repeated: int = 0
    cached: int = 0
    started_at: float | None = None
    seconds: float = 0.0
    ended: bool = False


@dataclass
class SourcePosition:
    """How much of what a unary source has given in all, its process has given since its start.

    One that is started again begins anew; one that stays goes on, whatever happens to the others.
    """

    given: int = 0


@dataclass(frozen=True)
class Surroundings:
    """What a worker works with: its caller, its links, and whom it tells of what it does.

    concurrency: unary calls at once, over all replicas. open_calls: keeps calls under way where
    the run may heal. death_news_s: how long to wait, before a message is given up whose component
    does not answer, for the news that the component has died. call_memory: opens a call in the
    memory across runs; None where each call must be made. position: of a unary source.
    """

    caller: Caller
    inlet: Inlet
    outlet: Outlet
    memory: StepMemory
    tell: Tell
    record: Record
    live_pause_s: float | None = None  # before a live run's source is called again
    concurrency: int = 1
    open_calls: OpenCalls | None = None
    death_news_s: float = 0.0
    call_memory: OpenCall | None = None
    position: SourcePosition = field(default_factory=SourcePosition)


class Worker(abc.ABC):
    """Works off one operation. `run` returns at the end of data and raises OperationError."""

    def __init__(self, step: Step, surroundings: Surroundings) -> None:
        self.step = step
        self.counts = Counts()
        self.inlet = surroundings.inlet
        self._outlet = surroundings.outlet
        self._caller = surroundings.caller
        self._memory = surroundings.memory
        self._tell = surroundings.tell
        self._record = surroundings.record
        self._live_pause_s = surroundings.live_pause_s
        self._concurrency = surroundings.concurrency
        self._open_calls = surroundings.open_calls
        self._death_news_s = surroundings.death_news_s
        self._call_memory = surroundings.call_memory
        self._position = surroundings.position
        self._touched = time.monotonic()
        self._joined = set(self._memory.joined)

    def is_quiet(self, quiet_s: float) -> bool:
        """Whether it has nothing to do until something arrives.

        A stream may have something left to say, so it counts as quiet after a while only.
        """
        if not self.inlet.waiting or self._outlet.waiting:
            return False
        if self.step.client_streaming or self.step.server_streaming:
            return time.monotonic() - self._touched >= quiet_s
        return self.counts.in_flight == 0

    async def run(self) -> None:
        """Work until the data ends."""
        self.counts.started_at = time.monotonic()
        if self._memory.finished:
            await self._repeat()
        else:
            await self._work()
        self._memory.keep_finished()
        self._outlet.end()
        self.counts.ended = True
        # The start of components is not its work.
        began = max(self.counts.started_at, self._caller.serving_since or 0.0)
        self.counts.seconds = time.monotonic() - began
        if self.inlet.discarded:
            message = (
                f"{self.step.operation} ended before its input did; "
                f"{self.inlet.discarded} messages were not taken"
            )
            self._tell(self.step, Kind.NOTICE, {"message": message})

    @abc.abstractmethod
    async def _work(self) -> None:
        """Call the operation until the data ends."""

    async def _repeat(self) -> None:
        """Give all answers of an operation that had ended; nobody is called."""
        self.inlet.forget()
        for message in self._memory.replay():
            await self._forward(message, repeated=True)

    async def _take(self) -> Message | None:
        message = self._taken(await self.inlet.get())
        if message is not None and len(message.origins) > 1 and message.id not in self._joined:
            self._memory.keep_taken(message)
        return message

    def _taken(self, message: Message | None) -> Message | None:
        if message is not None:
            self.counts.received += 1
            self.counts.bytes_in += len(message.payload)
        return message

    async def _forward(self, message: Message, *, repeated: bool = False) -> None:
        """Send a message on, after it was recorded."""
        self.counts.answered += 1
        self.counts.repeated += repeated
        self.counts.bytes_out += len(message.payload)
        self._touched = time.monotonic()
        self._record(self.step, message)
        try:
            await self._outlet.put(message)
        except ValueError as error:
            raise OperationError(
                self.step.node,
                self.step.operation,
                grpc.StatusCode.DATA_LOSS,
                f"{message.id} is no message of its type: {error}",
            ) from error

    def _tell_again(self, notices: Sequence[str]) -> None:
        """Tell the warnings of a call that was not made because an earlier run had made it."""
        for notice in notices:
            self._tell(self.step, Kind.NOTICE, {"message": notice})

    async def _remembered_call(self) -> RememberedCall | None:
        """Open a call in the memory across runs; None where it must be made.

        What is remembered is of one image, so that it has to be settled which one runs.
        """
        if self._call_memory is None:
            return None
        await self._caller.wait_until_started()
        return self._call_memory()

    async def _call_unary(
        self, payload: bytes, request: str = "", notices: list[str] | None = None
    ) -> bytes:
        """Return the answer to one request, by its id. Raises OperationError."""

        async def call() -> bytes:
            message = self.step.literals + payload
            return await self._caller.unary(message, self._retried, notices)

        if self._open_calls is None:
            return await call()
        return await self._open_calls.answer(self.step, request, payload, call)

    def _retried(self, attempt: int, error: OperationError) -> None:
        self._tell(self.step, Kind.RETRY, {"attempt": attempt, "message": str(error)})

    async def _skip(self, message: Message, error: OperationError) -> bool:
        """Make a dead letter of a failed message where the pipeline says so."""
        if not await self._may_skip(error):
            return False
        self._make_dead_letter(message.id, error)
        return True

    async def _may_skip(self, error: OperationError) -> bool:
        """Whether what has failed is given up; not where its component has died meanwhile."""
        if self.step.on_error != OnError.SKIP:
            return False
        if error.code in OF_DEATH:
            # If it has, the run ends or starts it again, and this worker is cancelled.
            await asyncio.sleep(self._death_news_s)
        return True

    def _make_dead_letter(self, message: str, error: OperationError) -> None:
        self.counts.failed += 1
        self._memory.keep_dead(message)
        self._tell(self.step, Kind.DEAD_LETTER, {"input": message, "message": str(error)})
