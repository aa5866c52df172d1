"""A receiver of JSON documents by HTTP POST on a free loopback port."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Received:
    """Documents in the order in which they came. delay_s: before each is answered."""

    url: str = ""
    documents: list[dict[str, Any]] = field(default_factory=list)
    paths: set[str] = field(default_factory=set)
    delay_s: float = 0.0


@contextlib.contextmanager
def http_receiver(delay_s: float = 0.0) -> Iterator[Received]:
    """Serve while inside."""
    received = Received(delay_s=delay_s)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            time.sleep(received.delay_s)
            received.documents.append(json.loads(body))
            received.paths.add(self.path)
            with contextlib.suppress(OSError):  # the sender may have given up
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    received.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield received
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
