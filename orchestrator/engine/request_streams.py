"""The worker of operations that take a stream of requests."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final

import grpc

from orchestrator.engine.call_memory import Answer, RememberedCall
from orchestrator.engine.calls import notices_of
from orchestrator.engine.memory import OrderedInlet
from orchestrator.engine.message import Message, Received
from orchestrator.engine.plan import OnError, Step
from orchestrator.engine.streams import StreamWorker
from orchestrator.engine.worker import Surroundings
from orchestrator.errors import OperationError

# How long a stream that may be known waits for its next message. The sender may be held back by
# somebody who waits for an answer of this stream, and then more would never come.
_HOLD_S: Final = 30.0

# Without a log nothing is ever tried again, so that so many are named is enough.
_NAMED_DEAD_LETTERS: Final = 1000


@dataclass
class _Given:
    """What one call has been given. ids: where failed messages are skipped. all: no more comes."""

    ids: deque[str]
    received: Received = field(default_factory=Received)
    all: bool = False


class RequestStreamWorker(StreamWorker):
    """Makes one call that takes all input as a stream, half-closed at the end of data.

    Where the call ends before its input does, another one takes the rest: in a live run, and where
    what has failed is skipped.
    """

    def __init__(self, step: Step, surroundings: Surroundings) -> None:
        super().__init__(step, surroundings)
        taken, closed = self._memory.taken, self._memory.closed
        self._known = set(taken)
        self._requests = OrderedInlet(self.inlet, taken, closed) if taken or closed else self.inlet
        self._answers = 0
        self._failures = 0  # in turn, of calls that had been given nothing
        # A message that was taken and did not get into the call, which had ended.
        self._left: Message | None = None
        # The call in the memory across runs, while one call takes all input.
        self._remembered: RememberedCall | None = None
        self._held: deque[Message] = deque()

    async def _work(self) -> None:
        for message in self._memory.replay_closed():
            await self._forward(message, repeated=True)
            self._answers += 1
        anew = bool(self._memory.closed)
        remembered = None if anew else await self._remembered_call()
        if remembered is not None and await self._recall(remembered):
            return
        while await self._call_for_the_rest():
            self._close()
            if self._live_pause_s is not None:
                await asyncio.sleep(self._live_pause_s)
            else:
                self._left = await self._next()
                if self._left is None:
                    return

    async def _call_for_the_rest(self) -> bool:
        """Make one call; return whether another one is to follow."""
        given = _Given(deque(maxlen=None if self._memory.is_kept else _NAMED_DEAD_LETTERS))
        live = self._live_pause_s is not None
        call = functools.partial(self._call, given)
        try:
            await (self._patiently(call) if self.step.source else call())
        except OperationError as error:
            await self._skip_all(given, error)
        else:
            if not given.all and not live:
                self.inlet.abandon()
                return False
        called_again = live and self.step.source and self.step.iterations is None
        return not given.all or called_again

    async def _skip_all(self, given: _Given, error: OperationError) -> None:
        """Make dead letters of what a failed call was given. Raises the error where it may not.

        A call that fails without having been given anything would do so again, so it is an error;
        a live run tries it again all the same.
        """
        if not given.ids and self._left is not None:
            given.ids.append(self._left.id)  # the component may have seen it all the same
            self._left = None
        live = self._live_pause_s is not None
        if not (given.ids or live) or not await self._may_skip(error):
            raise error
        for request in given.ids:
            self._make_dead_letter(request, error)
        self._failures = 0 if given.ids else self._failures + 1
        if self._failures:
            self._retried(self._failures, error)

    async def _recall(self, call: RememberedCall) -> bool:
        """Give the answers of an earlier run; whether there are any.

        What arrives is held while a remembered call may begin like it, and else given to the
        component at once.
        """
        self._remembered = call
        if self.step.source:
            call.add(self.step.literals)
        elif not await self._hold(call):
            return False
        if (known := await call.recall()) is None:
            return False
        self.counts.cached += 1
        self._tell_again(known.notices)
        for message in self._held:
            if message.id not in self._known:
                self._memory.keep_taken(message)
        received = Received()
        for index, answer in enumerate(known.answers, self._answers):
            while self._held and received.count < answer.received:
                received.add(self._held.popleft())
            parents = received.parents()
            await self._forward(self._memory.message(answer.payload, parents, index=index))
        return True

    async def _hold(self, call: RememberedCall) -> bool:
        """Hold all input; false as soon as the call has to be made."""
        while await call.may_be_known():
            try:
                async with asyncio.timeout(_HOLD_S):
                    message = self._taken(await self._requests.get())
            except TimeoutError:
                return False
            if message is None:
                return True
            self._held.append(message)
            call.add(self.step.literals + message.payload)
        return False

    def _close(self) -> None:
        """Let what the call has been given and has answered stand."""
        self._remembered = None
        self._memory.keep_closed(self._answers, self._left)
        self._known.clear()

    async def _call(self, given: _Given) -> None:
        await self._caller.wait_until_serving()
        call = self._caller.requests()
        feed = asyncio.create_task(self._feed(call, given))
        try:
            async with self._watched(call):
                await self._take_answers(call, given)
            if self._live_pause_s is None:  # a live run opens another one in any case
                await self._caller.confirm_end(ask=self.step.source or not given.all)
            if given.all and self._remembered is not None:
                await self._remembered.keep(await notices_of(call))
        finally:
            feed.cancel()
            await asyncio.gather(feed, return_exceptions=True)

    async def _take_answers(self, call: Any, given: _Given) -> None:
        async for payload in call:
            self._touched = time.monotonic()
            if self.step.sink:
                self.counts.answered += 1
                continue
            parents = given.received.parents()
            message = self._memory.message(payload, parents, index=self._answers)
            self._answers += 1
            if self._remembered is not None:
                self._remembered.answered(Answer(payload, given.received.count))
            await self._forward(message)

    async def _feed(self, call: Any, given: _Given) -> None:
        """Write everything that arrives; what had been written before comes first."""
        if self.step.source:
            await self._write(call, Message(b"", ""))
        else:
            while (message := await self._next()) is not None:
                self._left = message
                if message.id not in self._known:
                    self._memory.keep_taken(message)
                given.received.add(message)
                if not await self._write(call, message):
                    return  # whoever reads the answers learns why the call has ended
                self._left = None
                if self.step.on_error == OnError.SKIP:
                    given.ids.append(message.id)
        given.all = True
        with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
            await call.done_writing()

    async def _next(self) -> Message | None:
        """Return what the call before did not get, or what arrives next."""
        if self._left is not None:
            return self._left
        if self._held:
            return self._held.popleft()
        message = self._taken(await self._requests.get())
        if message is not None and self._remembered is not None:
            self._remembered.add(self.step.literals + message.payload)
        return message

    async def _write(self, call: Any, message: Message) -> bool:
        try:
            await call.write(self.step.literals + message.payload)
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            return False
        self._touched = time.monotonic()
        return True
