"""Whole documents (XML, JSON) from behind a URL, of bounded size.

HTTP is read with urllib and not with fsspec, which reports every fault of a server as a missing
file and follows chained URLs; s3:// is read with s3fs, which takes the usual `AWS_` variables.
"""

from __future__ import annotations

import base64
import http.client
import os
import urllib.error
import urllib.request
from typing import Final, Protocol
from urllib.parse import unquote, urlsplit, urlunsplit

from components.kit.errors import InputError, MissingDataError, TemporaryError

_TIMEOUT_S: Final = 60.0

# https://www.rfc-editor.org/rfc/rfc9110#section-15.5 and RFC 6585: these pass, other 4xx stay.
PASSING_STATUSES: Final = (408, 425, 429)


class _Stream(Protocol):
    def read(self, size: int, /) -> bytes: ...


def display_url(url: str) -> str:
    """Return a URL for messages and logs: without user, password and signature."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment=""))


def read_url(url: str, limit: int) -> bytes:
    """Return what is behind an s3://, https:// or http:// URL, at most `limit` bytes.

    Raises MissingDataError if it is not there or not to be had, InputError if it is larger or the
    URL is wrong, TemporaryError where the network or the server fails.
    """
    content = _read_s3(url, limit) if urlsplit(url).scheme == "s3" else _read_http(url, limit)
    if len(content) > limit:
        raise InputError(f"{display_url(url)} is larger than {limit} bytes")
    return content


def _read_http(url: str, limit: int) -> bytes:
    name = display_url(url)
    try:
        with _opener().open(_request(url), timeout=_TIMEOUT_S) as response:
            return _read_bounded(response, limit)
    except urllib.error.HTTPError as error:
        with error:
            pass
        if error.code in PASSING_STATUSES or error.code >= 500:
            raise TemporaryError(f"{name}: the server answers {error.code}") from error
        reason = "does not exist" if error.code in (404, 410) else f"is refused ({error.code})"
        raise MissingDataError(f"{name} {reason}") from error
    except (ValueError, http.client.InvalidURL) as error:
        raise InputError(f"{name} is not a URL") from error
    except (OSError, http.client.HTTPException) as error:
        reason = str(getattr(error, "reason", "") or error)
        raise TemporaryError(f"{name} cannot be read: {reason}") from error


def _request(url: str) -> urllib.request.Request:
    """Return the request; user and password of the URL become a header, which urllib wants."""
    parts = urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")
    plain = urlunsplit(parts._replace(netloc=host, fragment=""))
    request = urllib.request.Request(plain)  # noqa: S310 - the opener knows HTTP only
    if user:
        token = base64.b64encode(unquote(user).encode()).decode("ascii")
        request.add_unredirected_header("Authorization", f"Basic {token}")
    return request


def _opener() -> urllib.request.OpenerDirector:
    """Return what opens HTTP only, so that no redirection leads to another scheme."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.UnknownHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPErrorProcessor,
    ):
        opener.add_handler(handler())
    return opener


def _read_s3(url: str, limit: int) -> bytes:
    import fsspec
    from botocore.exceptions import (  # type: ignore[import-untyped]  # ships no types
        BotoCoreError,
        ClientError,
        NoCredentialsError,
    )

    # GDAL's variable for public buckets, so that documents and rasters are opened alike.
    anonymous = os.environ.get("AWS_NO_SIGN_REQUEST", "").upper() in ("YES", "TRUE", "1")
    try:
        with fsspec.filesystem("s3", anon=anonymous).open(url, "rb") as stream:
            return _read_bounded(stream, limit)
    except FileNotFoundError as error:
        raise MissingDataError(f"{url} does not exist") from error
    except (PermissionError, NoCredentialsError) as error:
        raise MissingDataError(f"{url} is refused: {error}") from error
    except (OSError, BotoCoreError, ClientError) as error:
        raise TemporaryError(f"{url} cannot be read: {error}") from error


def _read_bounded(stream: _Stream, limit: int) -> bytes:
    """Return all there is, or more than `limit` bytes where there is more."""
    content = bytearray()
    while len(content) <= limit and (chunk := stream.read(limit + 1 - len(content))):
        content += chunk
    return bytes(content)
