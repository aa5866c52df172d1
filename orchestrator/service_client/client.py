"""The calls of `eoloom.orchestrator.v1.Runs`, with errors in words of our own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import grpc

from orchestrator.errors import OrchestratorError, SettingsError
from orchestrator.service_client.errors import (
    PipelineRefusedError,
    ServiceRefusedError,
    ServiceUnreachableError,
    SignInNeededError,
)
from orchestrator.service_client.settings import PREFIX, ServerSettings
from protos.orchestrator.v1 import orchestrator_pb2 as v1
from protos.orchestrator.v1.orchestrator_pb2_grpc import RunsStub

IDLE_S: Final = 15.0
"""After so long without an event it is asked whether the service is still there."""

_MAX_DETAILS: Final = 8000

_GONE: Final = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        # What a stream ends with when its service ends.
        grpc.StatusCode.CANCELLED,
    }
)

T = TypeVar("T")


async def check_sign_in(settings: ServerSettings) -> None:
    """Return where the service answers and takes the caller.

    Raises SignInNeededError, ServiceUnreachableError, ServiceRefusedError and SettingsError.
    """
    async with ServiceClient(settings) as client:
        await client.list(limit=1)


class ServiceClient:
    """A service at `settings.server`; an async context manager, within which it may be called.

    All calls raise SignInNeededError, ServiceUnreachableError, ServiceRefusedError, and
    SettingsError where a file that the settings name cannot be used.
    """

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        self._channel: grpc.aio.Channel | None = None

    @property
    def address(self) -> str:
        """Where the service is, as host:port."""
        return self._settings.server

    async def __aenter__(self) -> Self:
        """Open a channel; nothing is sent before the first call."""
        self._channel = _open_channel(self._settings)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close it; calls that are under way end."""
        if self._channel is not None:
            await self._channel.close()
            self._channel = None

    async def submit(self, pipeline: str, overrides: Iterable[str] = ()) -> v1.Run:
        """Start a run of the text of a pipeline file. Raises PipelineRefusedError."""
        request = v1.SubmitRequest(pipeline=pipeline, overrides=overrides)
        try:
            run: v1.Run = await self._call(lambda stub: stub.submit, request)
        except ServiceRefusedError as error:
            if error.code is grpc.StatusCode.INVALID_ARGUMENT:
                raise PipelineRefusedError(
                    f"the service at {self.address} does not take it: {error.reason}"
                ) from None
            raise
        return run

    async def list(self, limit: int = 0) -> v1.ListResponse:
        """Return the latest runs; as many as the service thinks fit where `limit` is 0."""
        runs: v1.ListResponse = await self._call(
            lambda stub: stub.list, v1.ListRequest(limit=limit)
        )
        return runs

    async def get(self, run: str) -> v1.Run:
        """Return how a run stands."""
        answer: v1.Run = await self._call(lambda stub: stub.get, v1.GetRequest(run=run))
        return answer

    async def cancel(self, run: str) -> v1.Run:
        """Stop a run; one that has ended stays as it is."""
        answer: v1.Run = await self._call(lambda stub: stub.cancel, v1.CancelRequest(run=run))
        return answer

    async def resume(self, run: str) -> v1.Run:
        """Go on with a run that did not come to its end. Else raises ServiceRefusedError."""
        answer: v1.Run = await self._call(lambda stub: stub.resume, v1.ResumeRequest(run=run))
        return answer

    async def watch(self, run: str) -> AsyncGenerator[v1.RunEvent, None]:
        """Yield what has happened in a run, and then what happens until it ends."""
        async with self._stream(lambda stub: stub.watch, v1.WatchRequest(run=run)) as call:
            while (event := await self._next(call, run)) is not grpc.aio.EOF:
                yield event

    async def results(self, run: str) -> AsyncGenerator[v1.Result, None]:
        """Yield what a run has left so far."""
        request = v1.ResultsRequest(run=run)
        async with self._stream(lambda stub: stub.results, request) as call:
            while (result := await self._read(call)) is not grpc.aio.EOF:
                yield result

    async def download(
        self, run: str, path: str, offset: int = 0
    ) -> AsyncGenerator[v1.Chunk, None]:
        """Yield the content of a file of a run from an offset on; at its end an empty chunk."""
        request = v1.DownloadRequest(run=run, path=path, offset=offset)
        async with self._stream(lambda stub: stub.download, request) as call:
            while (chunk := await self._read(call)) is not grpc.aio.EOF:
                yield chunk

    async def _call(self, method: Callable[[Any], Any], request: Any) -> Any:
        token = self._settings.read_token()
        call = method(self._stub())(
            request, metadata=_metadata(token), timeout=self._settings.server_timeout_s
        )
        return await self._in_words(call, token)

    @contextlib.asynccontextmanager
    async def _stream(self, method: Callable[[Any], Any], request: Any) -> AsyncIterator[Any]:
        call = method(self._stub())(request, metadata=_metadata(self._settings.read_token()))
        try:
            yield call
        finally:
            call.cancel()

    async def _next(self, call: Any, run: str) -> Any:
        """Return the next event; while none comes, see to it that the service is still there."""
        read = asyncio.ensure_future(self._in_words(call.read()))
        try:
            while not (await asyncio.wait({read}, timeout=IDLE_S))[0]:
                await self.get(run)
            return await read
        finally:
            read.cancel()

    async def _read(self, call: Any) -> Any:
        """Return the next message of a stream. Raises ServiceUnreachableError if none comes."""
        try:
            async with asyncio.timeout(self._settings.server_timeout_s):
                return await self._in_words(call.read())
        except TimeoutError:
            raise ServiceUnreachableError(
                f"the service at {self.address} has stopped answering"
            ) from None

    async def _in_words(self, answer: Awaitable[T], token: str = "") -> T:
        try:
            return await answer
        except grpc.aio.AioRpcError as error:
            raise self._error(error, token or self._settings.read_token()) from None

    def _error(self, error: grpc.aio.AioRpcError, token: str) -> OrchestratorError:
        details = (error.details() or "no reason given")[:_MAX_DETAILS]
        if token:  # whatever the service says, it is not repeated here
            details = details.replace(token, "(the token)")
        code, address = error.code(), self.address
        if code is grpc.StatusCode.UNAUTHENTICATED:
            wanted = (
                f"the service at {address} does not take the token: {details}"
                if token
                else f"the service at {address} wants to know who calls; put your token into "
                f"{PREFIX}SERVER_TOKEN, or its file into {PREFIX}SERVER_TOKEN_FILE"
            )
            return SignInNeededError(wanted)
        if code in _GONE:
            return ServiceUnreachableError(
                f"the service at {address} does not answer ({self._how()}): {details}"
            )
        return ServiceRefusedError(address, details, code)

    def _how(self) -> str:
        return "called without TLS" if self._settings.is_plaintext else "called by TLS"

    def _stub(self) -> Any:
        if self._channel is None:
            raise RuntimeError("the client is used outside of its `async with`")
        return RunsStub(self._channel)


def _metadata(token: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {token}"),) if token else ()


def _open_channel(settings: ServerSettings) -> grpc.aio.Channel:
    options = [
        # Runs that a client follows may be gone for minutes; the channel is to try again soon.
        ("grpc.max_reconnect_backoff_ms", 5000),
        # A proxy of the web has no way to this machine.
        *([("grpc.enable_http_proxy", 0)] if settings.is_local else []),
    ]
    if settings.is_plaintext:
        return grpc.aio.insecure_channel(settings.server, options=options)
    authority = None
    if settings.server_ca_file is not None:
        try:
            authority = settings.server_ca_file.read_bytes()
        except OSError as error:
            raise SettingsError(
                f"{PREFIX}SERVER_CA_FILE={settings.server_ca_file}: {error.strerror}"
            ) from error
    credentials = grpc.ssl_channel_credentials(authority)
    return grpc.aio.secure_channel(settings.server, credentials, options=options)
