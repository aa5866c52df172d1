"""Workers of operations with a stream on either side."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

import grpc

from orchestrator.engine.calls import ComponentStatus
from orchestrator.engine.memory import OrderedInlet
from orchestrator.engine.message import Message, Received
from orchestrator.engine.worker import Worker
from orchestrator.errors import OperationError


class StreamWorker(Worker):
    """What workers of streams share: statuses as errors, and a deadline for silence."""

    @contextlib.asynccontextmanager
    async def _watched(self, call: Any) -> Any:
        """Turn the end of a stream into errors: its status, or silence until the deadline."""
        self._touched = time.monotonic()
        self.counts.in_flight += 1
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
            call.cancel()
            self.counts.in_flight -= 1

    async def _watch(self, call: Any) -> None:
        """Cancel a call that has work and stays silent for its whole timeout."""
        timeout = self._caller.timeout_s
        while (idle := time.monotonic() - self._touched) < timeout:
            await asyncio.sleep(min(timeout - idle, 1.0))
            if self.inlet.waiting or self._outlet.waiting:
                self._touched = time.monotonic()
        call.cancel()


class AnswerStreamWorker(StreamWorker):
    """Makes one call per message, each answered with a stream; a source is called once."""

    async def _work(self) -> None:
        if self.step.source:
            await self._source()
            return
        while (request := await self._take()) is not None:
            if self._memory.is_done(request):
                for message in self._memory.replay(request.id):
                    await self._forward(message, repeated=True)
                continue
            try:
                await self._call(request.payload, request.origins, request.id)
            except OperationError as error:
                if not self._skip(request, error):
                    raise
            else:
                self._memory.keep_done(request)

    async def _source(self) -> None:
        """Call a source once, or in a live run again and again."""
        await self._call(b"", ())
        while self._live_pause_s is not None:
            await asyncio.sleep(self._live_pause_s)
            await self._call(b"", (), index=self.counts.answered)

    async def _call(
        self, payload: bytes, parents: tuple[str, ...], request: str = "", index: int = 0
    ) -> None:
        call = self._caller.stream(self.step.literals + payload)
        async with self._watched(call):
            async for answer in call:
                self._touched = time.monotonic()
                message = self._memory.message(answer, parents, request=request, index=index)
                index += 1
                await self._forward(message)


class RequestStreamWorker(StreamWorker):
    """Makes one call that takes all input as a stream, half-closed at the end of data."""

    async def _work(self) -> None:
        call = self._caller.requests()
        received = Received()
        fed = asyncio.Event()
        feed = asyncio.create_task(self._feed(call, received, fed))
        try:
            async with self._watched(call):
                await self._answers(call, received)
            if not fed.is_set():
                self.inlet.abandon()
        finally:
            feed.cancel()
            await asyncio.gather(feed, return_exceptions=True)

    async def _answers(self, call: Any, received: Received) -> None:
        index = 0
        async for payload in call:
            self._touched = time.monotonic()
            if self.step.sink:
                self.counts.answered += 1
                continue
            message = self._memory.message(payload, received.parents(), index=index)
            index += 1
            await self._forward(message)

    async def _feed(self, call: Any, received: Received, fed: asyncio.Event) -> None:
        """Write everything that arrives; what had been written before comes first."""
        if self.step.source:
            await self._write(call, Message(b"", ""))
        else:
            before = self._memory.taken
            known = set(before)
            inlet = OrderedInlet(self.inlet, before) if before else self.inlet
            while (message := self._taken(await inlet.get())) is not None:
                received.add(message)
                if message.id not in known:
                    self._memory.keep_taken(message)
                if not await self._write(call, message):
                    return  # whoever reads the answers learns why the call has ended
        fed.set()
        with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
            await call.done_writing()

    async def _write(self, call: Any, message: Message) -> bool:
        try:
            await call.write(self.step.literals + message.payload)
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            return False
        self._touched = time.monotonic()
        return True
