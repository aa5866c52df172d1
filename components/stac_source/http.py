"""Reading documents over HTTP: bounded in size, time and redirects."""

from __future__ import annotations

import time
from typing import Final

import requests

from components.kit import InputError, MissingDataError, TemporaryError
from components.kit.documents import PASSING_STATUSES, display_url

# A page of 10,000 items with all their assets has about 30 MB.
DOCUMENT_LIMIT_BYTES: Final = 64 * 1024 * 1024
CONNECT_TIMEOUT_S: Final = 10.0
# Between two pieces of an answer, and for all of it.
READ_TIMEOUT_S: Final = 30.0
DOCUMENT_TIMEOUT_S: Final = 120.0
_REDIRECTS = 5
_PIECE_BYTES = 256 * 1024
_GONE = {404, 410}
_REFUSED = {401, 403}


class HttpReader:
    """An HTTP client for documents; may be used by several threads."""

    def __init__(
        self,
        read_timeout_s: float = READ_TIMEOUT_S,
        document_timeout_s: float = DOCUMENT_TIMEOUT_S,
    ) -> None:
        self._session = requests.Session()
        self._session.max_redirects = _REDIRECTS
        self._session.headers["Accept"] = "application/geo+json, application/json;q=0.9, */*;q=0.1"
        self._timeout = (CONNECT_TIMEOUT_S, read_timeout_s)
        self._document_timeout_s = document_timeout_s

    def read(self, request: requests.Request) -> bytes:
        """Send a request and return the whole answer.

        Raises:
            MissingDataError: the server does not have it.
            InputError: it is refused, too large, redirected for ever, or not HTTP.
            TemporaryError: the network or the server fails, or takes too long.
        """
        shown = display_url(str(request.url))
        deadline = time.monotonic() + self._document_timeout_s
        try:
            prepared = self._session.prepare_request(request)
            settings = self._session.merge_environment_settings(
                prepared.url or "", {}, True, None, None
            )
            with self._session.send(prepared, timeout=self._timeout, **settings) as response:
                _check_status(response.status_code, shown)
                return _read_body(response, shown, deadline)
        except requests.TooManyRedirects as error:
            raise InputError(f"{shown} redirects more than {_REDIRECTS} times") from error
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema, ValueError) as e:
            raise InputError(f"{shown} is not an http(s) URL that can be read: {e}") from e
        except (requests.Timeout, TimeoutError) as error:
            raise TemporaryError(f"{shown} does not answer in time") from error
        except (requests.RequestException, OSError) as error:
            raise TemporaryError(f"{shown} cannot be reached: {_cause(error)}") from error


def _check_status(status: int, shown: str) -> None:
    if status in _GONE:
        raise MissingDataError(f"{shown} does not exist (HTTP {status})")
    if status in _REFUSED:
        raise InputError(f"{shown} refuses access (HTTP {status}); it may need credentials")
    if status in PASSING_STATUSES or status >= 500:
        raise TemporaryError(f"{shown} fails for now (HTTP {status})")
    if status >= 400:
        raise InputError(f"{shown} refuses the request (HTTP {status})")


def _read_body(response: requests.Response, shown: str, deadline: float) -> bytes:
    pieces: list[bytes] = []
    size = 0
    for piece in response.iter_content(_PIECE_BYTES):
        size += len(piece)
        if size > DOCUMENT_LIMIT_BYTES:
            raise InputError(f"{shown} is larger than {DOCUMENT_LIMIT_BYTES >> 20} MiB")
        if time.monotonic() > deadline:
            raise TimeoutError
        pieces.append(piece)
    return b"".join(pieces)


def _cause(error: BaseException) -> str:
    """Return the innermost reason; the outer ones repeat the URL with its query."""
    reason = error
    while (inner := reason.__cause__ or reason.__context__) is not None:
        reason = inner
    return str(reason) or type(reason).__name__
