import http.server
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from components.kit.storage import Storage


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    """The storage of the node `clean` in the shared folder `tmp_path/shared`."""
    folder = tmp_path / "shared"
    folder.mkdir()
    return Storage(folder, "clean")


@dataclass
class Site:
    """A web server on loopback: what it has, and what it was asked for.

    files: content by path, or a status to answer with. redirects: target by path.
    """

    url: str = ""
    files: dict[str, bytes | int] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    headers: list[dict[str, str]] = field(default_factory=list)

    def answer(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        """Answer one request, with ranges as object stores do."""
        self.headers.append(dict(handler.headers))
        path = handler.path.partition("?")[0].strip("/")
        if path in self.redirects:
            handler.send_response(302)
            handler.send_header("Location", self.redirects[path])
            handler.end_headers()
            return
        content = self.files.get(path, 404)
        if isinstance(content, int):
            handler.send_response(content)
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        first, last = _parse_range(handler.headers.get("Range"), len(content))
        part = content[first : last + 1]
        handler.send_response(206 if "Range" in handler.headers else 200)
        handler.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
        handler.send_header("Content-Length", str(len(part)))
        handler.send_header("Accept-Ranges", "bytes")
        handler.end_headers()
        if handler.command == "GET":
            handler.wfile.write(part)


def _parse_range(text: str | None, size: int) -> tuple[int, int]:
    if not text:
        return 0, size - 1
    first, _, last = text.removeprefix("bytes=").partition("-")
    return int(first), min(int(last or size - 1), size - 1)


@pytest.fixture
def site() -> Iterator[Site]:
    """A web server without files."""
    site = Site()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.answer(self)

        do_HEAD = do_GET  # noqa: N815 - the standard library's name

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        site.url = f"http://127.0.0.1:{server.server_address[1]}"
        yield site
        server.shutdown()
        thread.join()
