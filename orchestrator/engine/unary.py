"""Workers of operations that answer one message with one message, and of unary sources."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TypeVar

from orchestrator.engine.calls import END_OF_DATA
from orchestrator.engine.message import Message
from orchestrator.engine.tasks import first_error
from orchestrator.engine.worker import Worker
from orchestrator.errors import OperationError

T = TypeVar("T")


class PollWorker(Worker):
    """Calls a source again and again until it says that it has no more."""

    async def _work(self) -> None:
        before = deque(self._memory.replay())
        for message in before:
            await self._forward(message, repeated=True)
        limit = self.step.iterations
        while limit is None or self.counts.answered < limit:
            try:
                payload = await self._caller.unary(self.step.literals, self._retried)
            except OperationError as error:
                if error.code not in END_OF_DATA:
                    raise
                if self._live_pause_s is None:
                    return
                await asyncio.sleep(self._live_pause_s)
                continue
            if before and before[0].payload == payload:
                # Started anew, the source begins again with what it gave before.
                before.popleft()
                continue
            before.clear()
            index = self.counts.answered
            await self._forward(self._memory.message(payload, (), index=index))


class UnaryWorker(Worker):
    """Keeps up to `concurrency` calls going; answers leave in the order of their requests."""

    async def _work(self) -> None:
        await (self._concurrently() if self.step.concurrency > 1 else self._one_by_one())

    async def _one_by_one(self) -> None:
        while (request := await self._take()) is not None:
            self.counts.in_flight += 1
            await self._pass_on(await self._answer(request))

    async def _concurrently(self) -> None:
        slots = asyncio.Semaphore(self.step.concurrency)
        calls: asyncio.Queue[asyncio.Task[list[Message]] | None] = asyncio.Queue()

        async def start() -> None:
            while True:
                await slots.acquire()
                if (request := await self._take()) is None:
                    break
                self.counts.in_flight += 1
                calls.put_nowait(asyncio.create_task(self._answer(request)))
            calls.put_nowait(None)

        async def deliver() -> None:
            while (call := await calls.get()) is not None:
                await self._pass_on(await call)
                slots.release()

        try:
            await first_error([start(), deliver()])
        finally:
            left = [call for call in _drain(calls) if call is not None]
            for call in left:
                call.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    async def _answer(self, request: Message) -> list[Message]:
        """Return the answer to a message; none if it became a dead letter.

        It is in the log as soon as it has come, also where an earlier request keeps it waiting.
        """
        if self._memory.is_done(request):
            answers = list(self._memory.replay(request.id))
            self.counts.repeated += len(answers)
            return answers
        try:
            payload = await self._caller.unary(self.step.literals + request.payload, self._retried)
        except OperationError as error:
            if not self._skip(request, error):
                raise
            return []
        if self.step.sink:
            self._memory.keep_done(request)
            return [Message(payload, "")]
        return [self._memory.message(payload, request.origins, request=request.id)]

    async def _pass_on(self, answers: list[Message]) -> None:
        for answer in answers:
            if self.step.sink:
                self.counts.answered += 1
            else:
                await self._forward(answer)
        self.counts.in_flight -= 1


def _drain(queue: asyncio.Queue[T]) -> list[T]:
    return [queue.get_nowait() for _ in range(queue.qsize())]
