"""A worker: takes what arrives at an operation, calls it, and sends on what it answers.

One method per form. Whether input and output stream follows from the contract; any form may be
linked to any. A worker ends when its senders have ended and its last answers are taken.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import grpc

from orchestrator.engine.calls import END_OF_DATA, Caller, ComponentStatus
from orchestrator.engine.link import Inlet, Outlet
from orchestrator.engine.message import Message, Received
from orchestrator.engine.plan import OnError, Step
from orchestrator.engine.tasks import first_error
from orchestrator.errors import OperationError
from orchestrator.events import Kind

T = TypeVar("T")

# What a worker tells of: the kind and its detail.
Tell = Callable[[Step, Kind, dict[str, Any]], None]
# Called with every message that a step emits, before it is sent on.
Record = Callable[[Step, Message], None]


@dataclass
class Counts:
    """What an operation has done so far."""

    received: int = 0
    answered: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    in_flight: int = 0
    failed: int = 0
    started_at: float | None = None
    seconds: float = 0.0
    ended: bool = False


class Worker:
    """Works off one operation. `run` returns at the end of data and raises OperationError."""

    def __init__(
        self,
        step: Step,
        caller: Caller,
        *,
        inlet: Inlet,
        outlet: Outlet,
        tell: Tell,
        record: Record,
    ) -> None:
        self.step = step
        self.counts = Counts()
        self._caller = caller
        self.inlet = inlet
        self._outlet = outlet
        self._tell = tell
        self._record = record
        self._touched = time.monotonic()
        self._fed = False

    async def run(self) -> None:
        """Work until the data ends."""
        step = self.step
        self.counts.started_at = time.monotonic()
        if step.client_streaming:
            await self._requests()
        elif step.source:
            await (self._stream(Message(b"", "")) if step.server_streaming else self._poll())
        elif step.server_streaming:
            await self._streams()
        elif step.concurrency > 1:
            await self._concurrently()
        else:
            await self._one_by_one()
        self._end()

    def _end(self) -> None:
        self._outlet.end()
        self.counts.ended = True
        self.counts.seconds = time.monotonic() - (self.counts.started_at or 0.0)
        if self.inlet.discarded:
            self._tell(
                self.step,
                Kind.NOTICE,
                {
                    "message": f"{self.step.operation} ended before its input did; "
                    f"{self.inlet.discarded} messages were not taken"
                },
            )

    # Unary in, unary out

    async def _poll(self) -> None:
        """Call a source again and again until it says that it has no more."""
        while self.step.iterations is None or self.counts.answered < self.step.iterations:
            try:
                answer = await self._caller.unary(b"", self._retried)
            except OperationError as error:
                if error.code in END_OF_DATA:
                    return
                raise
            await self._send(answer, ())

    async def _one_by_one(self) -> None:
        while (message := await self._take()) is not None:
            answer = await self._answer(message)
            if answer is not None:
                await self._send(answer, (message.id,))

    async def _concurrently(self) -> None:
        """Keep `concurrency` calls going; answers leave in the order of their requests."""
        slots = asyncio.Semaphore(self.step.concurrency)
        calls: asyncio.Queue[tuple[Message, asyncio.Task[bytes | None]] | None] = asyncio.Queue()

        async def start() -> None:
            while True:
                await slots.acquire()
                if (message := await self._take()) is None:
                    break
                calls.put_nowait((message, asyncio.create_task(self._answer(message))))
            calls.put_nowait(None)

        async def deliver() -> None:
            while (entry := await calls.get()) is not None:
                message, call = entry
                answer = await call
                if answer is not None:
                    await self._send(answer, (message.id,))
                slots.release()

        try:
            await first_error([start(), deliver()])
        finally:
            left = [entry[1] for entry in _drain(calls) if entry is not None]
            for call in left:
                call.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    async def _answer(self, message: Message) -> bytes | None:
        """Return the answer to a message, or None if it became a dead letter."""
        self.counts.in_flight += 1
        try:
            return await self._caller.unary(message.payload, self._retried)
        except OperationError as error:
            if not self._skip(message, error):
                raise
            return None
        finally:
            self.counts.in_flight -= 1

    # Unary in, stream out

    async def _streams(self) -> None:
        while (message := await self._take()) is not None:
            try:
                await self._stream(message)
            except OperationError as error:
                if not self._skip(message, error):
                    raise

    async def _stream(self, message: Message) -> None:
        """Make one call that answers with a stream, and send on all of it."""
        parents = (message.id,) if message.id else ()
        call = self._caller.stream(message.payload)
        self.counts.in_flight += 1
        try:
            async with self._watched(call):
                async for answer in call:
                    await self._send(answer, parents)
        finally:
            self.counts.in_flight -= 1
            call.cancel()

    # Stream in

    async def _requests(self) -> None:
        """Make one call that takes all input as a stream, half-closed at the end of data."""
        call = self._caller.requests()
        received = Received()
        self.counts.in_flight += 1
        feed = asyncio.create_task(self._feed(call, received))
        try:
            async with self._watched(call):
                async for answer in call:
                    await self._send(answer, received.parents())
            if not self._fed:
                self.inlet.abandon()
        finally:
            self.counts.in_flight -= 1
            call.cancel()
            feed.cancel()
            await asyncio.gather(feed, return_exceptions=True)

    async def _feed(self, call: Any, received: Received) -> None:
        if self.step.source:
            await call.write(b"")
        else:
            while (message := await self._take()) is not None:
                received.add(message)
                try:
                    await call.write(message.payload)
                except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
                    return  # the call has ended; whoever reads its answers learns why
                self._touched = time.monotonic()
        self._fed = True
        with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
            await call.done_writing()

    # Common to all forms

    @contextlib.asynccontextmanager
    async def _watched(self, call: Any) -> Any:
        """Turn the end of a stream into errors: its status, or silence until the deadline."""
        self._touched = time.monotonic()
        status = ComponentStatus(call)
        watch = asyncio.create_task(self._watch(call))
        try:
            yield
        except grpc.aio.AioRpcError as error:
            code, details = await status.settle(error)
            if code is not grpc.StatusCode.OK:
                raise self._caller.error(code, details) from error
        except asyncio.CancelledError:
            if watch.done() and not watch.cancelled():
                raise self._caller.silent() from None
            raise
        finally:
            watch.cancel()

    async def _watch(self, call: Any) -> None:
        """Cancel a call that has work and stays silent for its whole timeout."""
        timeout = self._caller.timeout_s
        while (idle := time.monotonic() - self._touched) < timeout:
            await asyncio.sleep(min(timeout - idle, 1.0))
            if self.inlet.waiting or self._outlet.waiting:
                self._touched = time.monotonic()
        call.cancel()

    async def _take(self) -> Message | None:
        message = await self.inlet.get()
        if message is not None:
            self.counts.received += 1
            self.counts.bytes_in += len(message.payload)
        return message

    async def _send(self, payload: bytes, parents: tuple[str, ...]) -> None:
        counts = self.counts
        counts.answered += 1
        counts.bytes_out += len(payload)
        self._touched = time.monotonic()
        if self.step.sink:
            return
        message = Message(payload, f"{self.step.key}#{counts.answered}", parents)
        self._record(self.step, message)
        await self._outlet.put(message)

    def _retried(self, attempt: int, error: OperationError) -> None:
        self._tell(self.step, Kind.RETRY, {"attempt": attempt, "message": str(error)})

    def _skip(self, message: Message, error: OperationError) -> bool:
        if self.step.on_error != OnError.SKIP:
            return False
        self.counts.failed += 1
        self._tell(self.step, Kind.DEAD_LETTER, {"input": message.id, "message": str(error)})
        return True


def _drain(queue: asyncio.Queue[T]) -> list[T]:
    return [queue.get_nowait() for _ in range(queue.qsize())]
