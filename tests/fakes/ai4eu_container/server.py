"""A component as others make them: plain gRPC on 8061, a page on 8062, nothing of EO Loom.

It runs as root, has no health service, writes beside its program and into the shared folder.
"""

import http.server
import os
import threading
import time
from concurrent import futures
from pathlib import Path

import grpc

PAUSE_S = float(os.environ.get("PAUSE_S", "0"))
COUNT = 3


def greeting(text):
    """Serialise a Greeting: field 1, text of less than 128 bytes."""
    return b"\x0a" + bytes([len(text)]) + text.encode()


class Greeter:
    """Greets a few times, then says NOT_FOUND, the end of data; describes any scene."""

    def __init__(self):
        self.number = 0

    def greet(self, _, context):
        time.sleep(PAUSE_S)
        self.number += 1
        if self.number > COUNT:
            context.abort(grpc.StatusCode.NOT_FOUND, "no more")
        Path("/app/state").write_text(str(self.number))
        Path(os.environ["SHARED_FOLDER_PATH"], f"greeting-{self.number}.txt").write_text("hello")
        return greeting(f"hello {self.number} from {os.getuid()}")

    def describe(self, scene, _):
        length = scene[1]  # of the id, field 1
        name = scene[2 : 2 + length].decode()
        files = len(list(Path(os.environ["SHARED_FOLDER_PATH"]).rglob("*.tif")))
        return greeting(f"{name} has {'some' if files else 'no'} files")


def main():
    """Serve both ports."""
    server = grpc.server(futures.ThreadPoolExecutor(4))
    greeter = Greeter()
    handlers = {
        name: grpc.unary_unary_rpc_method_handler(getattr(greeter, name))
        for name in ("greet", "describe")
    }
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("Greeter", handlers)])
    server.add_insecure_port("0.0.0.0:8061")
    page = http.server.ThreadingHTTPServer(
        ("0.0.0.0", 8062),  # noqa: S104 - in a container
        http.server.SimpleHTTPRequestHandler,
    )
    threading.Thread(target=page.serve_forever, daemon=True).start()
    server.start()
    print("greeter serves", flush=True)
    server.wait_for_termination()


main()
