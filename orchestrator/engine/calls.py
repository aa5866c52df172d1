"""Calling an operation with bytes: metadata, deadlines, retries, statuses as errors."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

import grpc

from orchestrator.engine.channels import OF_DEATH
from orchestrator.engine.instruments import (
    UNWATCHED,
    CallRecord,
    StepInstrument,
    unsampled_traceparent,
)
from orchestrator.engine.plan import Step
from orchestrator.engine.replicas import Replica, Replicas
from orchestrator.errors import OperationError
from orchestrator.settings import OrchestratorSettings

T = TypeVar("T")

# Statuses that may pass by themselves.
TEMPORARY: Final = OF_DEATH | {
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
}

# How a source without streaming says that it has no more (AI4EU container specification).
END_OF_DATA: Final = frozenset({grpc.StatusCode.NOT_FOUND, grpc.StatusCode.OUT_OF_RANGE})

# What grpc.aio says of a write to a call that has ended, and how long its real end may take.
_WRITE_FAILED: Final = "Internal error from Core"
_STATUS_NEWS_S: Final = 2.0

# Where a component repeats the warnings of a call, which its log has told already.
_NOTICES_KEY: Final = "eoloom-notices-bin"
_NOTICE_CHARACTERS: Final = 2000

# The longest pause between two attempts, however many there have been.
_LONGEST_PAUSE_S: Final = 30.0
_MOST_DOUBLINGS: Final = 30

Retried = Callable[[int, OperationError], None]


class ComponentStatus:
    """The status with which a component ended a stream.

    Where a write was under way at that moment, grpc.aio sets INTERNAL, "Internal error from Core",
    before or after the component's own status. Each is told to the call's done callbacks.
    """

    def __init__(self, call: Any) -> None:
        self._told = asyncio.Event()
        self._status: tuple[grpc.StatusCode, str] | None = None
        call.add_done_callback(self._keep)

    async def settle(self, error: grpc.aio.AioRpcError) -> tuple[grpc.StatusCode, str]:
        """Return the component's own status, or that of `error` if none comes."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._told.wait(), _STATUS_NEWS_S)
        return self._status or (error.code(), error.details() or "")

    def _keep(self, call: Any) -> None:
        code, details = _result_of(call.code()), _result_of(call.details()) or ""
        if self._status is None and details != _WRITE_FAILED:
            self._status = (code, details)
            self._told.set()


def _result_of(coroutine: Any) -> Any:
    """Return the result of a coroutine that has nothing to wait for: the call is done."""
    try:
        coroutine.send(None)
    except StopIteration as result:
        return result.value
    raise AssertionError("a call that is done has a status")  # pragma: no cover


def _end_of(record: CallRecord) -> Callable[[Any], None]:
    """Return what tells the record of a call how it has ended, once it is done."""

    def tell(call: Any) -> None:
        record.end(_result_of(call.code()), _result_of(call.details()) or "")

    return tell


async def notices_of(call: Any) -> list[str]:
    """Return the warnings with which a component has ended a call; only our kit tells them so."""
    for key, value in await call.trailing_metadata() or ():
        if key == _NOTICES_KEY:
            with contextlib.suppress(ValueError, TypeError):
                return [str(text)[:_NOTICE_CHARACTERS] for text in json.loads(value)]
    return []


class _Stub:
    """How one step is called on one replica. Without serialisers gRPC passes bytes through."""

    def __init__(self, replica: Replica, path: str) -> None:
        self.replica = replica
        self.unary: Any = replica.channel.unary_unary(path)
        self.answers: Any = replica.channel.unary_stream(path)
        self.requests: Any = replica.channel.stream_stream(path)

    def opened(self, call: Any, record: CallRecord | None) -> Any:
        """Count a stream as under way until it ends."""
        self.replica.calls += 1
        call.add_done_callback(self._ended)
        if record is not None:
            call.add_done_callback(_end_of(record))
        return call

    def _ended(self, _: Any) -> None:
        self.replica.calls -= 1


class Caller:
    """Calls one step, on the replica of its component that is least busy.

    Requests and responses are serialised messages. live: whether a source is waited for without
    end where it fails for a while.
    """

    def __init__(
        self,
        step: Step,
        replicas: Replicas,
        run: str,
        settings: OrchestratorSettings,
        *,
        live: bool = False,
        instrument: StepInstrument = UNWATCHED,
    ) -> None:
        self._step = step
        self._settings = settings
        self._instrument = instrument
        self._attempts = settings.attempts if step.idempotent or step.source else 1
        self._endless = live and step.source
        self.timeout_s = step.timeout_s or settings.call_timeout_s
        self._always = (
            ("eoloom-params", step.params_json),
            ("eoloom-run", run),
            ("eoloom-node", step.node),
        )
        # Of calls that nobody watches.
        self._metadata = (*self._always, ("traceparent", unsampled_traceparent()))
        self._replicas = replicas
        self._stubs: list[_Stub] = []

    @property
    def serving_since(self) -> float | None:
        """Since when calls may be made, by the monotonic clock; None before."""
        return self._replicas.serving_since

    async def wait_until_started(self) -> None:
        """Return when it is settled what would be called, healthy or not yet."""
        await self._replicas.wait_until_started()

    async def wait_until_serving(self) -> None:
        """Return when the component can be called; streams may be opened then."""
        if not self._stubs:
            await self._replicas.wait_until_serving()
            self._stubs = [_Stub(replica, self._step.path) for replica in self._replicas]

    async def unary(
        self, payload: bytes, retried: Retried, notices: list[str] | None = None
    ) -> bytes:
        """Return the answer to one message, once the components serve.

        notices: takes the warnings with which the component has ended the call. Raises
        OperationError when all attempts failed.
        """

        async def call() -> bytes:
            stub = self._least_busy()
            stub.replica.calls += 1
            record = self._instrument.begin()
            try:
                answering = stub.unary(
                    payload, timeout=self.timeout_s, metadata=self._metadata_of(record)
                )
                if record is not None:
                    answering.add_done_callback(_end_of(record))
                answer: bytes = await answering
                if notices is not None:
                    notices.extend(await notices_of(answering))
            finally:
                stub.replica.calls -= 1
            return answer

        await self.wait_until_serving()
        return await self._with_retries(call, retried)

    def stream(self, payload: bytes) -> Any:
        """Open a call that answers one message with a stream."""
        stub = self._least_busy()
        record = self._instrument.begin()
        return stub.opened(stub.answers(payload, metadata=self._metadata_of(record)), record)

    def requests(self) -> Any:
        """Open a call that takes a stream; its answers are read as a stream too.

        On the wire a single answer is a stream of one, and so it is not lost when the component
        answers before its input has ended.
        """
        stub = self._least_busy()
        record = self._instrument.begin()
        return stub.opened(stub.requests(metadata=self._metadata_of(record)), record)

    async def confirm_end(self, *, ask: bool) -> None:
        """Raise OperationError where a stream has ended because its component is being stopped.

        With OK, as its handler may do then; what it has answered need not be all. ask: where
        nothing else says that it was to end, that is worth a call.
        """
        if not await self._replicas.take_calls(ask=ask):
            reason = "its stream ended while it was being stopped, so that more may be missing"
            raise self.error(grpc.StatusCode.UNAVAILABLE, reason)

    def may_be_tried_again(self, attempt: int, error: OperationError) -> bool:
        """Whether a call may be made again after it has failed so many times in turn."""
        return error.code in TEMPORARY and (self._endless or attempt < self._attempts)

    async def pause(self, attempt: int) -> None:
        """Wait before the call is made again; longer with each attempt, up to a bound."""
        doublings = min(attempt - 1, _MOST_DOUBLINGS)
        await asyncio.sleep(min(self._settings.backoff_s * 2**doublings, _LONGEST_PAUSE_S))

    def error(self, code: grpc.StatusCode, details: str | None) -> OperationError:
        """Return the engine's error for a gRPC status."""
        return OperationError(self._step.node, self._step.operation, code, details or "")

    def silent(self) -> OperationError:
        """Return the error for a stream that had work and said nothing until its deadline."""
        return OperationError(
            self._step.node,
            self._step.operation,
            grpc.StatusCode.DEADLINE_EXCEEDED,
            f"nothing came for {self.timeout_s:g} s although there was work; "
            "raise the node's timeout_s if it needs longer",
        )

    async def _with_retries(self, call: Callable[[], Awaitable[T]], retried: Retried) -> T:
        for attempt in itertools.count(1):
            try:
                return await call()
            except grpc.aio.AioRpcError as error:
                failure = self.error(error.code(), error.details())
                if not self.may_be_tried_again(attempt, failure):
                    raise failure from error
                retried(attempt, failure)
                await self.pause(attempt)
        raise AssertionError("the loop returns or raises")  # pragma: no cover

    def _metadata_of(self, record: CallRecord | None) -> tuple[tuple[str, str], ...]:
        if record is None or not record.traceparent:
            return self._metadata
        return (*self._always, ("traceparent", record.traceparent))

    def _least_busy(self) -> _Stub:
        return min(self._stubs, key=_calls_under_way)


def _calls_under_way(stub: _Stub) -> int:
    return stub.replica.calls
