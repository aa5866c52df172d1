"""Workers of operations that answer one message with one message, and of unary sources."""

from __future__ import annotations

import asyncio
from typing import TypeVar

from orchestrator.engine.call_memory import Answer
from orchestrator.engine.calls import END_OF_DATA
from orchestrator.engine.message import Message
from orchestrator.engine.tasks import first_error
from orchestrator.engine.worker import Worker
from orchestrator.errors import OperationError

T = TypeVar("T")


class PollWorker(Worker):
    """Calls a source again and again until it says that it has no more."""

    async def _work(self) -> None:
        before = list(self._memory.replay())
        for message in before:
            await self._forward(message, repeated=True)
        limit = self.step.iterations
        while limit is None or self.counts.answered < limit:
            try:
                payload = await self._call_unary(b"")
            except OperationError as error:
                if error.code not in END_OF_DATA:
                    raise
                if self._live_pause_s is None:
                    return
                await asyncio.sleep(self._live_pause_s)
                continue
            if self.step.ends_when_empty and not payload:
                return
            position = self._position.given
            if position < len(before) and before[position].payload == payload:
                # Started anew, the source begins again with what it gave before.
                self._position.given += 1
                continue
            message = self._memory.message(payload, (), index=self.counts.answered)
            self._position.given = self.counts.answered + 1
            await self._forward(message)


class UnaryWorker(Worker):
    """Keeps up to `concurrency` calls going on each replica.

    Answers leave in the order of their requests, or as they come where the order does not matter.
    """

    async def _work(self) -> None:
        await (self._concurrently() if self._concurrency > 1 else self._one_by_one())

    async def _one_by_one(self) -> None:
        while (request := await self._take()) is not None:
            self.counts.in_flight += 1
            await self._pass_on(await self._answer(request))

    async def _concurrently(self) -> None:
        slots = asyncio.Semaphore(self._concurrency)
        # In the order in which they are to be delivered; None at the end.
        calls: asyncio.Queue[asyncio.Task[list[Message]] | None] = asyncio.Queue()
        under_way: set[asyncio.Task[list[Message]]] = set()

        def ended(call: asyncio.Task[list[Message]]) -> None:
            under_way.discard(call)
            if not self.step.ordered:
                calls.put_nowait(call)

        async def start() -> None:
            while True:
                await slots.acquire()
                if (request := await self._take()) is None:
                    break
                self.counts.in_flight += 1
                call = asyncio.create_task(self._answer(request))
                under_way.add(call)
                if self.step.ordered:
                    calls.put_nowait(call)
                call.add_done_callback(ended)
            if under_way and not self.step.ordered:
                await asyncio.wait(under_way)
            calls.put_nowait(None)

        async def deliver() -> None:
            while (call := await calls.get()) is not None:
                await self._pass_on(await call)
                slots.release()

        try:
            await first_error([start(), deliver()])
        finally:
            left = {call for call in _drain(calls) if call is not None} | under_way
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
            payload = await self._recall_or_call(request)
        except OperationError as error:
            if not await self._skip(request, error):
                raise
            return []
        if self.step.sink:
            self._memory.keep_done(request)
            return [Message(payload, "")]
        return [self._memory.message(payload, request.origins, request=request.id)]

    async def _recall_or_call(self, request: Message) -> bytes:
        """Return the answer to a request: the one of an earlier run, or the component's."""
        call = await self._remembered_call()
        if call is None:
            return await self._call_unary(request.payload, request.id)
        call.add(self.step.literals + request.payload)
        if known := await call.recall():
            self.counts.cached += 1
            self._tell_again(known.notices)
            return known.answers[0].payload
        notices: list[str] = []
        payload = await self._call_unary(request.payload, request.id, notices)
        call.answered(Answer(payload))
        await call.keep(notices)
        return payload

    async def _pass_on(self, answers: list[Message]) -> None:
        for answer in answers:
            if self.step.sink:
                self.counts.answered += 1
            else:
                await self._forward(answer)
        self.counts.in_flight -= 1


def _drain(queue: asyncio.Queue[T]) -> list[T]:
    return [queue.get_nowait() for _ in range(queue.qsize())]
