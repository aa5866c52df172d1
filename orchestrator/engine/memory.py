"""What a worker knows of an earlier attempt at the same run, and what it keeps of this one.

A finished call is not made again: its answers are given from the log. A call that had not finished
is made again; where its answers come out as before, they keep their ids and are not kept twice, so
that whoever had used them need not do so again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from orchestrator.engine.link import Inlet
from orchestrator.engine.message import Message
from orchestrator.engine.message_log import Emitted, MessageLog, StepHistory
from orchestrator.engine.plan import Step


class StepMemory:
    """The memory of one step. Without a log it remembers nothing and numbers what is sent."""

    def __init__(self, step: Step, log: MessageLog | None = None) -> None:
        self._step = step
        self._log = log
        history = log.histories.get(step.key, StepHistory()) if log else StepHistory()
        self._history = history
        self._answers = history.answers()
        self._outputs = list(history.outputs.values())
        self._number = max(history.outputs, default=0)

    @property
    def finished(self) -> bool:
        """Whether the operation had ended: it is not called at all."""
        return self._history.finished

    @property
    def is_kept(self) -> bool:
        """Whether anything is kept."""
        return self._log is not None

    @property
    def taken(self) -> list[str]:
        """The messages that a stream of requests had been given, in their order."""
        return self._history.taken

    @property
    def joined(self) -> list[str]:
        """The requests that an earlier attempt had put together from parts.

        What arrives at once arrives in another order the next time. Put together otherwise it would
        be computed again, and what had come of it before would stand beside it.
        """
        return [request for request in [*self.closed, *self.taken] if "+" in request]

    @property
    def closed(self) -> set[str]:
        """The messages that were given to streams which had ended before their input did."""
        return self._history.closed

    def replay_closed(self) -> Iterator[Message]:
        """Yield what those streams had answered."""
        for output in self._outputs[: self._history.closed_answers]:
            yield self._message(output)

    def is_done(self, request: Message) -> bool:
        """Whether the call for this very message had ended."""
        if request.changed:
            return False
        if request.id in self._history.done or request.id in self._history.dead:
            return True
        form = self._step
        single = not (form.client_streaming or form.server_streaming or form.sink)
        return single and request.id in self._answers

    def replay(self, request: str = "") -> Iterator[Message]:
        """Yield the answers to a request as they were given; all outputs for a stream."""
        for output in self._given(request):
            yield self._message(output)

    def count(self, request: str = "") -> int:
        """Return how many answers an earlier attempt had to a request; of a stream, in all."""
        return len(self._given(request))

    def message(
        self, payload: bytes, parents: tuple[str, ...], *, request: str = "", index: int = 0
    ) -> Message:
        """Return the message for a new answer, kept in the log.

        The answer of that index to a request takes the place of that of the earlier attempt.
        """
        given = self._given(request)
        if index < len(given):
            before = self._message(given[index])
            if before.payload == payload:
                return before
            message = Message(payload, before.id, parents, changed=True)
        else:
            self._number += 1
            message = Message(payload, f"{self._step.key}#{self._number}", parents)
        if self._log is not None:
            self._log.emitted(self._step, message)
        return message

    def keep_done(self, request: Message) -> None:
        """Keep that the call for a request has ended, where its answer does not say so."""
        if self._log is not None:
            self._log.done(self._step, request.id)

    def keep_dead(self, request: str) -> None:
        """Keep that a request has failed and was skipped."""
        if self._log is not None:
            self._log.dead(self._step, request)

    def keep_taken(self, message: Message) -> None:
        """Keep that a message goes into the stream of requests."""
        if self._log is not None:
            self._log.taken(self._step, message.id)

    def keep_closed(self, answers: int, left: Message | None) -> None:
        """Keep that a stream of requests has ended before its input, see `MessageLog.closed`."""
        if self._log is not None:
            self._log.closed(self._step, answers, left.id if left else "")

    def keep_finished(self) -> None:
        """Keep that the operation has ended."""
        if self._log is not None and not self._history.finished:
            self._log.finished(self._step)

    def _given(self, request: str) -> list[Emitted]:
        if request:
            return self._answers.get(request, [])
        return self._outputs

    def _message(self, output: Emitted) -> Message:
        assert self._log is not None  # noqa: S101 - what was given is in the log
        payload = self._log.payload(output)
        return Message(payload, f"{self._step.key}#{output.number}", output.parents)


class OrderedInlet:
    """An inlet that gives what a stream had already been given first, in the same order.

    Senders may interleave differently in another attempt; what comes too early waits. What streams
    before it have been given is left out.
    """

    def __init__(self, inlet: Inlet, expected: list[str], left_out: set[str]) -> None:
        self._inlet = inlet
        self._expected = deque(expected)
        self._left_out = left_out
        self._early: dict[str, Message] = {}

    async def get(self) -> Message | None:
        """Return the next message, or None at the end of data."""
        while self._expected:
            if self._expected[0] in self._early:
                return self._early.pop(self._expected.popleft())
            message = await self._next()
            if message is None:
                break
            self._early[message.id] = message
        if self._early:
            return self._early.pop(next(iter(self._early)))
        return await self._next()

    async def _next(self) -> Message | None:
        while (message := await self._inlet.get()) is not None:
            if message.changed or message.id not in self._left_out:
                return message
        return None
