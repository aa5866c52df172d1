"""Reading JSON documents of a catalogue, on disk or over HTTP, and following its links."""

from __future__ import annotations

import json
import stat
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urljoin, urlsplit

import requests

from components.kit import ComponentError, InputError, MissingDataError
from components.kit.documents import display_url
from components.stac_source.http import DOCUMENT_LIMIT_BYTES, HttpReader

# Item documents that are read at a time from one server.
_CONNECTIONS = 8
_USUAL_PORTS = {"http": 80, "https": 443}


class ElsewhereError(Exception):
    """A link that leaves the catalogue's folder or server."""


class Documents(Protocol):
    """Where a catalogue's documents are. A location is an absolute path or URL."""

    def read(self, location: str) -> Any:
        """Return a JSON document. Raises a ComponentError that names it."""

    def read_all(self, locations: Iterable[str]) -> Iterator[tuple[str, Any]]:
        """Yield each location with its document, or with the ComponentError instead."""

    def follow(self, location: str, href: str) -> str:
        """Return the location that an href in a document means. Raises ElsewhereError."""

    def show(self, location: str) -> str:
        """Return a location for messages."""


class LocalDocuments:
    """Documents below one folder. Nothing outside is read, links of the file system included."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    def read(self, location: str) -> Any:
        """Return a JSON document. Raises MissingDataError or InputError naming the path."""
        try:
            if not stat.S_ISREG(Path(location).stat().st_mode):
                raise MissingDataError(f"{location} is not a file")
            with Path(location).open("rb") as stream:
                content = stream.read(DOCUMENT_LIMIT_BYTES + 1)
        except FileNotFoundError as error:
            raise MissingDataError(f"{location} does not exist") from error
        except OSError as error:
            raise MissingDataError(f"{location} cannot be read: {error.strerror}") from error
        if len(content) > DOCUMENT_LIMIT_BYTES:
            raise InputError(f"{location} is larger than {DOCUMENT_LIMIT_BYTES >> 20} MiB")
        return parse_json(content, location)

    def read_all(self, locations: Iterable[str]) -> Iterator[tuple[str, Any]]:
        """Yield each location with its document, or with the ComponentError instead."""
        for location in locations:
            yield location, _or_error(self, location)

    def follow(self, location: str, href: str) -> str:
        """Return the path that an href means. Raises ElsewhereError if it leaves the folder."""
        parts = urlsplit(href)
        if parts.scheme == "file" and parts.netloc in {"", "localhost"}:
            href = unquote(parts.path)
        elif "://" in href:
            raise ElsewhereError(href)
        try:
            path = (Path(location).parent / href).resolve()
            if not path.exists() and "%" in href:
                path = (Path(location).parent / unquote(href)).resolve()
        except (OSError, ValueError, RuntimeError) as error:
            # A name that is too long, a null byte, a loop of links.
            raise ElsewhereError(href) from error
        if not path.is_relative_to(self.root):
            raise ElsewhereError(href)
        return str(path)

    def show(self, location: str) -> str:
        """Return a location for messages: the path within the catalogue's folder."""
        return Path(location).relative_to(self.root).as_posix()


class RemoteDocuments:
    """Documents of one HTTP server."""

    def __init__(self, start: str) -> None:
        self._server = _server(start)
        self.http = HttpReader()

    def read(self, location: str) -> Any:
        """Return a JSON document. Raises a ComponentError naming the URL."""
        content = self.http.read(requests.Request("GET", location))
        return parse_json(content, display_url(location))

    def read_all(self, locations: Iterable[str]) -> Iterator[tuple[str, Any]]:
        """Yield each location with its document, or with the ComponentError instead, in order."""
        waiting: deque[tuple[str, Future[Any]]] = deque()
        with ThreadPoolExecutor(_CONNECTIONS) as executor:
            try:
                for location in locations:
                    waiting.append((location, executor.submit(_or_error, self, location)))
                    if len(waiting) > 2 * _CONNECTIONS:
                        done, future = waiting.popleft()
                        yield done, future.result()
                while waiting:
                    done, future = waiting.popleft()
                    yield done, future.result()
            finally:
                executor.shutdown(wait=False, cancel_futures=True)

    def follow(self, location: str, href: str) -> str:
        """Return the URL that an href means. Raises ElsewhereError if it leaves the server."""
        try:
            url = urljoin(location, href)
            server = _server(url)
        except ValueError as error:
            raise ElsewhereError(href) from error
        if server != self._server:
            raise ElsewhereError(href)
        return url.partition("#")[0]

    def show(self, location: str) -> str:
        """Return a location for messages."""
        return display_url(location)


def _server(url: str) -> tuple[str | None, int | None]:
    """Return host and port; http and https on their usual ports are one. Raises ValueError."""
    parts = urlsplit(url)
    if parts.scheme not in _USUAL_PORTS:
        raise ValueError(f"{url!r} is not an http(s) URL")
    return parts.hostname, None if parts.port == _USUAL_PORTS[parts.scheme] else parts.port


def parse_json(content: bytes, shown: str) -> Any:
    """Return a JSON document. Raises InputError naming where it came from."""
    try:
        # NaN is no JSON, but some catalogues have it for a missing number.
        return json.loads(content, parse_constant=lambda _: None)
    except RecursionError as error:
        raise InputError(f"{shown} is nested too deeply to be a STAC document") from error
    except ValueError as error:
        raise InputError(f"{shown} is not JSON: {error}") from error


def _or_error(documents: Documents, location: str) -> Any:
    try:
        return documents.read(location)
    except ComponentError as error:
        return error
