"""A trivial component for the relay benchmark: a stream source, a unary relay, a stream sink.

Plain gRPC on bytes, so that what is measured is the moving of messages and nothing else.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from collections.abc import AsyncIterator
from typing import Any

import grpc

SERVICE = "benchmark.Relay"
OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


async def produce(_: bytes, context: Any) -> AsyncIterator[bytes]:
    """Send `count` messages of `size` bytes, as the parameters say."""
    metadata = dict(context.invocation_metadata())
    params = json.loads(metadata["eoloom-params"])
    message = b"\x0a" + bytes(params["size"] - 1)
    for _ in range(params["count"]):
        yield message


async def relay(request: bytes, _: Any) -> bytes:
    """Answer with what came."""
    return request


async def consume(requests: AsyncIterator[bytes], _: Any) -> bytes:
    """Take everything."""
    async for _message in requests:
        pass
    return b""


async def main() -> None:
    """Serve on the address in the environment until standard input closes."""
    server = grpc.aio.server(options=OPTIONS)
    handlers = {
        "produce": grpc.unary_stream_rpc_method_handler(produce),
        "relay": grpc.unary_unary_rpc_method_handler(relay),
        "consume": grpc.stream_unary_rpc_method_handler(consume),
    }
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, handlers)])
    server.add_insecure_port(os.environ["EOLOOM_ADDRESS"])
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main())
