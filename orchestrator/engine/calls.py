"""Calling an operation with bytes: channels, metadata, deadlines, retries, statuses as errors."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from orchestrator.engine.plan import Step
from orchestrator.errors import OperationError
from orchestrator.settings import OrchestratorSettings

logger = logging.getLogger(__name__)

T = TypeVar("T")

# Statuses that may pass by themselves.
TEMPORARY: Final = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
    }
)

# How a source without streaming says that it has no more (AI4EU container specification).
END_OF_DATA: Final = frozenset({grpc.StatusCode.NOT_FOUND, grpc.StatusCode.OUT_OF_RANGE})

# What grpc.aio says of a write to a call that has ended, and how long its real end may take.
_WRITE_FAILED: Final = "Internal error from Core"
_STATUS_NEWS_S: Final = 2.0

Retried = Callable[[int, OperationError], None]


def open_channel(address: str, max_message_bytes: int) -> grpc.aio.Channel:
    """Return a channel that finds a component which starts late within a tenth of a second."""
    return grpc.aio.insecure_channel(
        address,
        options=[
            ("grpc.max_receive_message_length", max_message_bytes),
            ("grpc.max_send_message_length", max_message_bytes),
            ("grpc.max_metadata_size", 1024 * 1024),
            ("grpc.initial_reconnect_backoff_ms", 50),
            ("grpc.min_reconnect_backoff_ms", 50),
            ("grpc.max_reconnect_backoff_ms", 500),
            ("grpc.enable_http_proxy", 0),
            # Channels to one address share a connection otherwise, and then its flow control.
            ("grpc.use_local_subchannel_pool", 1),
        ],
    )


async def wait_until_ready(channel: grpc.aio.Channel, timeout_s: float) -> None:
    """Return when the component serves; components without health count when they answer.

    Raises TimeoutError.
    """
    health = health_pb2_grpc.HealthStub(channel)
    async with asyncio.timeout(timeout_s):
        while True:
            try:
                answer = await health.Check(
                    health_pb2.HealthCheckRequest(), wait_for_ready=True, timeout=timeout_s
                )
            except grpc.aio.AioRpcError as error:
                if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                    return
                logger.debug("health: %s", error.details())
            else:
                if answer.status == health_pb2.HealthCheckResponse.SERVING:
                    return
            await asyncio.sleep(0.05)


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


class Caller:
    """Calls one step on one channel. Requests and responses are serialised messages."""

    def __init__(
        self, step: Step, channel: grpc.aio.Channel, run: str, settings: OrchestratorSettings
    ) -> None:
        self._step = step
        self._settings = settings
        self.timeout_s = step.timeout_s or settings.call_timeout_s
        self._metadata = (
            ("eoloom-params", step.params_json),
            ("eoloom-run", run),
            ("eoloom-node", step.node),
            # https://www.w3.org/TR/trace-context/
            ("traceparent", f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"),
        )
        # Without serialisers gRPC passes bytes through.
        self._unary: Any = channel.unary_unary(step.path)
        self._unary_stream: Any = channel.unary_stream(step.path)
        self._stream_stream: Any = channel.stream_stream(step.path)

    async def unary(self, payload: bytes, retried: Retried) -> bytes:
        """Return the answer to one message. Raises OperationError when all attempts failed."""

        async def call() -> bytes:
            answer: bytes = await self._unary(
                payload, timeout=self.timeout_s, metadata=self._metadata
            )
            return answer

        return await self._with_retries(call, retried)

    def stream(self, payload: bytes) -> Any:
        """Open a call that answers one message with a stream."""
        return self._unary_stream(payload, metadata=self._metadata)

    def requests(self) -> Any:
        """Open a call that takes a stream; its answers are read as a stream too.

        On the wire a single answer is a stream of one, and so it is not lost when the component
        answers before its input has ended.
        """
        return self._stream_stream(metadata=self._metadata)

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
        attempts = self._settings.attempts if self._step.idempotent else 1
        for attempt in range(1, attempts + 1):
            try:
                return await call()
            except grpc.aio.AioRpcError as error:
                failure = self.error(error.code(), error.details())
                if failure.code not in TEMPORARY or attempt == attempts:
                    raise failure from error
                retried(attempt, failure)
                await asyncio.sleep(self._settings.backoff_s * 2 ** (attempt - 1))
        raise AssertionError("the loop returns or raises")  # pragma: no cover
