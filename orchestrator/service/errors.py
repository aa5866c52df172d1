"""What the service refuses.

OrchestratorError
├── PermanentError
│   ├── UnauthenticatedError  no credentials, or not valid ones
│   ├── RequestError          a request that cannot be understood or is out of bounds
│   └── FileNotServedError    no such file of a run, or not one to be read
└── TemporaryError
    ├── TooManyError          a user, or all of them, have as much as they may have at once
    ├── StoppingError         the service is ending and takes no new runs
    └── IdentityProviderError  whoever introspects tokens does not answer
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any, Final
from urllib.parse import quote

import grpc

from composer.errors import ComposerError, StoreUnavailableError
from orchestrator.errors import (
    NotResumableError,
    OrchestratorError,
    PermanentError,
    RunNotFoundError,
    TemporaryError,
)


class UnauthenticatedError(PermanentError):
    """The caller showed no credentials, or none that are valid."""


class RequestError(PermanentError):
    """A request that cannot be understood, or is out of bounds."""


class FileNotServedError(PermanentError):
    """A run has no such file, or it is none that is given to callers."""


class TooManyError(TemporaryError):
    """There are as many runs or observers already as there may be at once."""


class StoppingError(TemporaryError):
    """The service is ending."""


class IdentityProviderError(TemporaryError):
    """Tokens cannot be introspected at the moment."""


# gRPC sends the words of a status percent-encoded in a header, of which many take 8 KiB at most.
_MAX_ENCODED: Final = 6000
_UNENCODED: Final = " !\"#$&'()*+,/:;<=>?@[\\]^`{|}"

_STATUSES: Final = (
    (UnauthenticatedError, grpc.StatusCode.UNAUTHENTICATED),
    (RequestError, grpc.StatusCode.INVALID_ARGUMENT),
    (StoreUnavailableError, grpc.StatusCode.UNAVAILABLE),
    (ComposerError, grpc.StatusCode.INVALID_ARGUMENT),
    (RunNotFoundError, grpc.StatusCode.NOT_FOUND),
    (FileNotServedError, grpc.StatusCode.NOT_FOUND),
    (NotResumableError, grpc.StatusCode.FAILED_PRECONDITION),
    (TooManyError, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (TemporaryError, grpc.StatusCode.UNAVAILABLE),
)


def status_of(error: OrchestratorError | ComposerError) -> grpc.StatusCode:
    """Return the gRPC status that says what kind of error it is."""
    for kind, code in _STATUSES:
        if isinstance(error, kind):
            return code
    return grpc.StatusCode.FAILED_PRECONDITION


@contextlib.asynccontextmanager
async def refusing(context: Any) -> AsyncIterator[None]:
    """End a call with the status of an error that is raised within."""
    try:
        yield
    except (ComposerError, OrchestratorError) as error:
        await context.abort(status_of(error), fitting(str(error)))


def fitting(text: str) -> str:
    """Return as much of a text as the header of a status can hold."""
    encoded = len(quote(text, safe=_UNENCODED, errors="replace"))
    if encoded > _MAX_ENCODED:
        text = f"{text[: len(text) * _MAX_ENCODED // encoded]} ..."
    return text
