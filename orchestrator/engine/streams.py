"""What workers of streams share, and the worker of operations that answer with a stream."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import Awaitable, Callable
from typing import Any

import grpc

from orchestrator.engine.call_memory import Answer
from orchestrator.engine.calls import ComponentStatus, notices_of
from orchestrator.engine.worker import Worker
from orchestrator.errors import OperationError


class StreamWorker(Worker):
    """What workers of streams share: statuses as errors, a deadline for silence, patience."""

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

    async def _patiently(self, call: Callable[[], Awaitable[None]]) -> None:
        """Call a source; again if it fails for a while before it has given anything.

        In a live run what it has given before does not matter: it is called again all the same.
        """
        failures = 0
        while True:
            before = self.counts.answered
            try:
                await call()
            except OperationError as error:
                gave = self.counts.answered > before
                failures = 1 if gave else failures + 1
                if gave and self._live_pause_s is None:
                    raise
                if not self._caller.may_be_tried_again(failures, error):
                    raise
                self._retried(failures, error)
                await self._caller.pause(failures)
            else:
                return


class AnswerStreamWorker(StreamWorker):
    """Makes one call per message, each answered with a stream; a source is mostly called once."""

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
                if not await self._skip(request, error):
                    raise
            else:
                self._memory.keep_done(request)

    async def _source(self) -> None:
        """Call a source once, in a live run again and again, or as often as the plan says."""
        limit = self.step.iterations
        if limit is None and self._live_pause_s is None:
            limit = 1
        if limit is None:
            # Without end there is no first call to begin with again: what it gave stands.
            for message in self._memory.replay():
                await self._forward(message, repeated=True)
        for number in itertools.count(1):
            await self._patiently(self._once)
            if number == limit:
                return
            if self._live_pause_s is not None:
                await asyncio.sleep(self._live_pause_s)

    async def _once(self) -> None:
        await self._call(b"", (), index=self.counts.answered)

    async def _call(
        self, payload: bytes, parents: tuple[str, ...], request: str = "", index: int = 0
    ) -> None:
        remembered = await self._remembered_call()
        if remembered is not None:
            remembered.add(self.step.literals + payload)
            if (known := await remembered.recall()) is not None:
                self.counts.cached += 1
                self._tell_again(known.notices)
                for number, given in enumerate(known.answers, index):
                    await self._forward(
                        self._memory.message(given.payload, parents, request=request, index=number)
                    )
                return
        await self._caller.wait_until_serving()
        call = self._caller.stream(self.step.literals + payload)
        async with self._watched(call):
            async for answer in call:
                self._touched = time.monotonic()
                message = self._memory.message(answer, parents, request=request, index=index)
                index += 1
                if remembered is not None:
                    remembered.answered(Answer(answer))
                await self._forward(message)
        if index == 0 or index != self._memory.count(request):
            # One that ends again where it had ended before is believed.
            await self._caller.confirm_end(ask=self.step.source)
        if remembered is not None:
            await remembered.keep(await notices_of(call))
