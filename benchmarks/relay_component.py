"""A trivial component for benchmarks: a stream source, unary relays, a stream sink.

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
ONE_AT_A_TIME = asyncio.Lock()
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


async def work(request: bytes, context: Any) -> bytes:
    """Answer with what came after `seconds`, one message at a time, as a computation would."""
    metadata = dict(context.invocation_metadata())
    async with ONE_AT_A_TIME:
        await asyncio.sleep(json.loads(metadata["eoloom-params"])["seconds"])
    return request


async def consume(requests: AsyncIterator[bytes], _: Any) -> bytes:
    """Take everything."""
    async for _message in requests:
        pass
    return b""


async def linger(requests: AsyncIterator[bytes], context: Any) -> bytes:
    """Take everything, each message only `seconds` after the one before."""
    metadata = dict(context.invocation_metadata())
    seconds = json.loads(metadata["eoloom-params"])["seconds"]
    async for _message in requests:
        await asyncio.sleep(seconds)
    return b""


async def main() -> None:
    """Serve on the address in the environment until standard input closes."""
    server = grpc.aio.server(options=OPTIONS)
    handlers = {
        "produce": grpc.unary_stream_rpc_method_handler(produce),
        "relay": grpc.unary_unary_rpc_method_handler(relay),
        "work": grpc.unary_unary_rpc_method_handler(work),
        "consume": grpc.stream_unary_rpc_method_handler(consume),
        "linger": grpc.stream_unary_rpc_method_handler(linger),
    }
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, handlers)])
    server.add_insecure_port(os.environ["EOLOOM_ADDRESS"])
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main())
