"""Synchronous service methods as asynchronous gRPC handlers.

A method is plain Python: it takes a message or an iterator of messages and a Call, and returns a
message or yields messages. It runs in a worker thread, so that the event loop keeps answering
health checks, and its errors become gRPC statuses. This is the only place where they do.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import errno
import functools
import logging
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Generic, TypeAlias, TypeVar

import grpc
from google.protobuf.message import DecodeError, Message
from pydantic import BaseModel

from components.kit.call import (
    NODE_KEY,
    NOTICES_KEY,
    PARAMS_KEY,
    RUN_KEY,
    Call,
    CallCancelledError,
    encode_notices,
    parse_name,
    parse_params,
    read_metadata,
)
from components.kit.errors import ComponentError, InputError, storage_error
from components.kit.logs import log_context
from components.kit.storage import Storage
from components.kit.tracing import Tracing, Untraced

logger = logging.getLogger(__name__)

P = TypeVar("P", bound=BaseModel)
T = TypeVar("T")

# The text of a status travels in a header, percent-encoded; beyond 8 KiB of headers a caller may
# refuse the whole status.
_DETAILS_LIMIT_BYTES: Final = 6000

# gRPC ends the request stream of a caller that has gone slightly before it says that it has gone.
_END_OF_STREAM_S: Final = 0.02

# Errors of the system that only writing meets, wherever the component wrote.
_FULL_DISK: Final = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


@dataclass(frozen=True)
class Operation(Generic[P]):
    """One rpc: its name, the method that does the work, and what a call of it needs.

    request, response: the message classes of the contract. component: the node's name where the
    caller gives none. max_message_bytes: the largest answer. service: full name, for traces.
    """

    name: str
    method: Callable[..., Any]
    request: type[Message]
    response: type[Message]
    component: str
    params: type[P]
    shared_folder: Path
    executor: concurrent.futures.Executor
    max_message_bytes: int
    service: str = ""
    tracing: Tracing = field(default_factory=Untraced)

    def handler(
        self, *, client_streaming: bool, server_streaming: bool
    ) -> Callable[[Any, Context], Coroutine[Any, Any, bytes | None]]:
        """Return the asynchronous handler, from bytes to bytes, of the contract's form."""

        async def answer(request: Any, context: Context) -> bytes | None:
            exchange = _Exchange(self, context)
            return await exchange.run(
                None if client_streaming else request, streaming=server_streaming
            )

        return answer


@dataclass(frozen=True)
class _Failure:
    """How a call ended that did not succeed."""

    code: grpc.StatusCode
    details: str


class _Exchange(Generic[P]):
    """One call: a worker thread does the work, the event loop moves the bytes.

    The whole call stays in one thread: GDAL and rasterio keep state for each thread, and a
    generator must be closed where it runs.
    """

    def __init__(self, operation: Operation[P], context: Context) -> None:
        self._operation = operation
        self._context = context
        self._loop = asyncio.get_running_loop()
        self._cancelled = threading.Event()
        self._notices: list[str] = []

    async def run(self, request: bytes | None, *, streaming: bool) -> bytes | None:
        """Do the work; `request` is None where requests come as a stream."""
        metadata = read_metadata(self._context.invocation_metadata() or ())
        try:
            outcome = await self._loop.run_in_executor(
                self._operation.executor, self._work, metadata, request, streaming
            )
        except asyncio.CancelledError:
            self._cancelled.set()
            raise
        if isinstance(outcome, _Failure):
            await self._context.abort(outcome.code, outcome.details)
            raise AssertionError("abort raises")  # pragma: no cover
        if self._notices:
            # Also in the log; with the answers they can be remembered together with them.
            self._context.set_trailing_metadata(((NOTICES_KEY, encode_notices(self._notices)),))
        return outcome

    def _work(
        self, metadata: Mapping[str, str], request: bytes | None, streaming: bool
    ) -> bytes | _Failure | None:
        """Run the method, in the worker thread. What it raises is returned as a failure."""
        operation = self._operation
        run = metadata.get(RUN_KEY, "default")
        node = metadata.get(NODE_KEY, operation.component)
        output = None
        with (
            operation.tracing.call(operation.service, operation.name, metadata) as trace,
            log_context(run=run, node=node, operation=operation.name, **trace.ids),
        ):
            try:
                call = Call(
                    params=parse_params(operation.params, metadata.get(PARAMS_KEY)),
                    run=parse_name(run, "run"),
                    node=parse_name(node, "node"),
                    operation=operation.name,
                    storage=Storage(operation.shared_folder, node),
                    cancelled=self._cancelled,
                    notices=self._notices,
                )
                output = call.storage.root / node
                argument = self._requests() if request is None else self._decode(request)
                result = operation.method(argument, call)
                if not streaming:
                    return self._encode(result)
                self._send(result)
            except BaseException as error:  # noqa: BLE001 - each becomes a status, here only
                failure = _failure(error, operation, output)
                trace.fail(failure.code, failure.details)
                return failure
        return None

    def _requests(self) -> Iterator[Message]:
        """Yield the request stream, in the worker thread; raises if the caller goes."""
        while (message := self._on_loop(self._read)) is not None:
            yield self._decode(message)

    def _send(self, results: Any) -> None:
        """Send what the method yields, and close it whatever happens."""
        with contextlib.ExitStack() as stack:
            if hasattr(results, "close"):
                stack.callback(results.close)
            for result in results:
                message = self._encode(result)
                self._on_loop(functools.partial(self._write, message))

    def _on_loop(self, function: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run a coroutine on the event loop and wait for it; raises if the caller has gone."""
        self._check_cancelled()
        try:
            result = asyncio.run_coroutine_threadsafe(function(), self._loop).result()
        except concurrent.futures.CancelledError as error:  # the event loop ends
            raise CallCancelledError from error
        self._check_cancelled()
        return result

    def _check_cancelled(self) -> None:
        if self._cancelled.is_set():
            raise CallCancelledError

    async def _read(self) -> bytes | None:
        # A call that has ended must not be touched: its memory in the gRPC core is gone.
        if self._cancelled.is_set():
            return None
        try:
            message = await self._context.read()
        except grpc.aio.BaseError as error:
            self._give_up(error)
            return None
        if message is grpc.aio.EOF:
            await asyncio.sleep(_END_OF_STREAM_S)
            return None
        return bytes(message)

    async def _write(self, message: bytes) -> None:
        if self._cancelled.is_set():
            return
        try:
            await self._context.write(message)
        except grpc.aio.BaseError as error:
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        logger.debug("the caller has gone: %s", error)
        self._cancelled.set()

    def _decode(self, message: bytes) -> Message:
        kind = self._operation.request
        try:
            return kind.FromString(message)
        except DecodeError as error:
            raise InputError(f"the message is not a {kind.DESCRIPTOR.full_name}") from error

    def _encode(self, result: object) -> bytes:
        operation = self._operation
        if not isinstance(result, operation.response):
            raise TypeError(
                f"{operation.name} must give {operation.response.DESCRIPTOR.full_name}, "
                f"not {type(result).__name__}"
            )
        message = result.SerializeToString()
        if len(message) > operation.max_message_bytes:
            raise ValueError(
                f"{operation.name} gave a message of {len(message)} bytes; "
                f"EOLOOM_MAX_MESSAGE_BYTES is {operation.max_message_bytes}"
            )
        return message


def _failure(error: BaseException, operation: Operation[P], output: Path | None) -> _Failure:
    """Return the status for what a method raised; a bug is logged with its traceback."""
    if isinstance(error, CallCancelledError):
        logger.info("%s: the caller has gone", operation.name)
        return _Failure(grpc.StatusCode.CANCELLED, "the caller has gone")
    if isinstance(error, OSError):
        error = _as_storage_error(error, output) or error
    if isinstance(error, ComponentError):
        logger.info("%s: %s", operation.name, error)
        return _Failure(error.code, _shorten(str(error)))
    logger.error("%s failed", operation.name, exc_info=error)
    text = f"a fault in {operation.component}: {type(error).__name__}: {error}"
    return _Failure(grpc.StatusCode.INTERNAL, _shorten(text))


def _as_storage_error(error: OSError, output: Path | None) -> ComponentError | None:
    """Return the StorageError for an error of writing that the component did not foresee."""
    if output is None:
        return None
    path = Path(str(error.filename)) if error.filename else output
    refused = error.errno in (errno.EACCES, errno.EPERM) and path.is_relative_to(output)
    return storage_error(path, error) if refused or error.errno in _FULL_DISK else None


def _shorten(text: str) -> str:
    """Return as much of a status text as its header holds, as valid Unicode."""
    text = text.encode("utf-8", "replace").decode("utf-8")
    room = _DETAILS_LIMIT_BYTES
    for position, character in enumerate(text):
        # https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#responses
        room -= 1 if " " <= character <= "~" and character != "%" else 3 * len(character.encode())
        if room < 0:
            return text[:position]
    return text
