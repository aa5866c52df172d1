"""Who calls: bearer tokens, or the name in a client's certificate.

Nothing but health is answered to callers who have not shown who they are. Where nobody has to,
there are no users, and everybody sees everything.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from contextvars import ContextVar
from typing import Any, Final, TypeAlias

import grpc
from grpc_health.v1 import health

from orchestrator.errors import OrchestratorError
from orchestrator.service.errors import UnauthenticatedError, status_of
from orchestrator.service.settings import ServiceSettings
from orchestrator.service.tokens import MAX_TOKEN, Introspection, TokenFile, Tokens, is_user

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"

_HEALTH: Final = f"/{health.SERVICE_NAME}/"
_SCHEME: Final = "bearer "

# Who has shown a token in the call that is being answered.
_TOKEN_USER: ContextVar[str] = ContextVar("token_user", default="")


class Authentication(grpc.aio.ServerInterceptor):
    """Lets calls through whose caller is known, and says who it is."""

    def __init__(self, tokens: Tokens | None, *, certificates: bool) -> None:
        self._tokens = tokens
        self._certificates = certificates

    @classmethod
    def from_settings(cls, settings: ServiceSettings) -> Authentication:
        """Make what the settings ask for; needs an event loop. Raises SettingsError."""
        tokens: Tokens | None = None
        if settings.tokens_file is not None:
            tokens = TokenFile(settings.tokens_file)
        elif settings.introspection_url:
            tokens = Introspection(settings)
        return cls(tokens, certificates=settings.tls_client_ca_file is not None)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """Refuse a call without a valid token, before its request is read."""
        details: Any = handler_call_details
        if self._tokens is not None and not details.method.startswith(_HEALTH):
            try:
                _TOKEN_USER.set(await self._tokens.user(_bearer(details.invocation_metadata)))
            except OrchestratorError as error:
                return _refusal(status_of(error), str(error))
        return await continuation(handler_call_details)

    async def user(self, context: Any) -> str | None:
        """Return who makes a call; None where nobody has to say. Refuses callers without name."""
        if self._tokens is not None:
            name = _TOKEN_USER.get()
        elif self._certificates:
            names = context.auth_context().get("x509_common_name", ())
            name = bytes(names[0]).decode(errors="replace") if names else ""
        else:
            return None
        if not is_user(name):
            message = "the caller has no name; a client certificate needs a common name"
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, message)
        return name

    async def close(self) -> None:
        """Give connections back."""
        if self._tokens is not None:
            await self._tokens.close()


def _bearer(metadata: Iterable[tuple[str, str | bytes]]) -> str:
    for key, value in metadata:
        if key == "authorization" and isinstance(value, str):
            if value[: len(_SCHEME)].lower() != _SCHEME or len(value) > MAX_TOKEN:
                break
            return value[len(_SCHEME) :].strip()
    raise UnauthenticatedError("give a bearer token in the metadata key authorization")


def _refusal(code: grpc.StatusCode, details: str) -> Handler:
    """Return a handler that refuses without reading a request, whatever the form of the call."""

    async def refuse(_requests: object, context: Any) -> None:
        await context.abort(code, details)

    return grpc.stream_stream_rpc_method_handler(refuse)
