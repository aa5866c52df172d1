"""A component as a process whose behaviour the tests script: bytes in, bytes out.

The parameters say what to do: count, prefix, fail_at, status, delay_s, die_at, hang, ... It has
operations of all four forms, as source, relay and sink, on plain gRPC without any of our kit.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import threading

import grpc

SERVICE = "tests.Scripted"


class Script:
    """The parameters of a call and what has been seen so far."""

    seen: dict[str, int] = {}  # noqa: RUF012 - one process, one count per operation
    stopping = asyncio.Event()

    def __init__(self, operation: str, context) -> None:
        metadata = dict(context.invocation_metadata())
        self.params = json.loads(metadata.get("eoloom-params", "{}"))
        self.operation = operation
        self.context = context

    async def act(self) -> int:
        """Count one message; fail, die or wait where the script says so."""
        number = Script.seen[self.operation] = Script.seen.get(self.operation, 0) + 1
        params = self.params
        if params.get("die_at") == number:
            print("the script says: die", file=sys.stderr, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        if number in params.get("fail_at", ()):
            code = getattr(grpc.StatusCode, params.get("status", "INVALID_ARGUMENT"))
            # A caller knows that a message has been given when its write has returned.
            await asyncio.sleep(params.get("fail_after_s", 0))
            await self.context.abort(code, f"scripted failure at {number}")
        if params.get("hang_at") == number:
            await asyncio.sleep(3600)
        delays = params.get("delays_s", [0])
        await asyncio.sleep(delays[(number - 1) % len(delays)])
        return number

    async def is_told_to_stop(self, number: int) -> bool:
        """Whether the process is stopped in order at this message: streams end, as if complete.

        Once for all processes where the script names a file that says so.
        """
        params, once = self.params, self.params.get("stop_once")
        if params.get("stop_order_at") == number and not (once and os.path.exists(once)):  # noqa: PTH110
            if once:
                open(once, "x").close()  # noqa: PTH123
            Script.stopping.set()
            # The server stops first, or the stream ends first.
            await asyncio.sleep(params.get("stop_pause_s", 0))
        return Script.stopping.is_set()

    async def open(self) -> None:
        """Count the opening of a stream; fail where the script says so."""
        number = Script.seen["open"] = Script.seen.get("open", 0) + 1
        if number in self.params.get("fail_to_open_at", ()):
            await self.context.abort(grpc.StatusCode.UNAVAILABLE, f"cannot open {number}")

    def note(self, request: bytes) -> None:
        """Write down that a request has come, where the test can read it."""
        if "notes" in self.params:
            with open(self.params["notes"], "ab") as file:  # noqa: PTH123
                file.write(self.operation.encode() + b" " + request + b"\n")

    def answer(self, request: bytes) -> bytes:
        """Return the request with the script's mark."""
        return request + self.params.get("mark", "").encode()


async def poll(_, context):
    """Unary source: `count` messages, then the end of data."""
    script = Script("poll", context)
    number = await script.act()
    if number > script.params["count"]:
        code = getattr(grpc.StatusCode, script.params.get("end", "NOT_FOUND"))
        await context.abort(code, "no more")
    return b"same" if script.params.get("same") else f"m{number}".encode()


async def produce(_, context):
    """Stream source: `count` messages of `size` bytes or more."""
    script = Script("produce", context)
    for index in range(1, script.params["count"] + 1):
        if await script.is_told_to_stop(await script.act()):
            return
        yield f"m{index}".encode().ljust(script.params.get("size", 0), b".")


async def relay(request, context):
    """Unary to unary."""
    script = Script("relay", context)
    script.note(request)
    await script.act()
    return script.answer(request)


async def route(request, context):
    """Unary to stream: the message, unless it has enough marks."""
    script = Script("route", context)
    await script.act()
    if request.count(b"*") < script.params["stop_at"]:
        yield request


async def mark(requests, context):
    """Stream to stream: each message with a mark."""
    script = Script("mark", context)
    async for request in requests:
        await script.act()
        yield script.answer(request)


async def split(request, context):
    """Unary to stream: each message `times` times."""
    script = Script("split", context)
    script.note(request)
    number = await script.act()
    for index in range(script.params.get("times", 2)):
        await asyncio.sleep(script.params.get("pause_s", 0))
        if index and await script.is_told_to_stop(number):
            return
        yield script.answer(request) + f"/{index}".encode()


async def gather(requests, context):
    """Stream to unary: everything, joined; ends only when the stream is half-closed."""
    script = Script("gather", context)
    parts = []
    async for request in requests:
        if await script.is_told_to_stop(await script.act()):
            break
        parts.append(script.answer(request))
    return b",".join(parts)


async def pair(requests, context):
    """Stream to stream: each message joined with the one before it."""
    script = Script("pair", context)
    await script.open()
    before = None
    async for request in requests:
        await script.act()
        if before is not None:
            yield before + b"+" + script.answer(request)
        before = request


async def first(requests, context):
    """Stream to stream that ends by itself after `count` answers."""
    script = Script("first", context)
    left = script.params["count"]
    async for request in requests:
        await script.act()
        yield request
        left -= 1
        if not left:
            return


async def sink(request, context):
    """Unary sink."""
    script = Script("sink", context)
    await script.act()
    with open(script.params["file"], "ab") as file:  # noqa: PTH123
        file.write(request + b"\n")
    return b""


async def drain(requests, context):
    """Stream sink."""
    script = Script("drain", context)
    async for request in requests:
        await script.act()
        with open(script.params["file"], "ab") as file:  # noqa: PTH123
            file.write(request + b"\n")
    return b""


FORMS = {
    "poll": grpc.unary_unary_rpc_method_handler,
    "produce": grpc.unary_stream_rpc_method_handler,
    "relay": grpc.unary_unary_rpc_method_handler,
    "route": grpc.unary_stream_rpc_method_handler,
    "mark": grpc.stream_stream_rpc_method_handler,
    "split": grpc.unary_stream_rpc_method_handler,
    "gather": grpc.stream_unary_rpc_method_handler,
    "pair": grpc.stream_stream_rpc_method_handler,
    "first": grpc.stream_stream_rpc_method_handler,
    "sink": grpc.unary_unary_rpc_method_handler,
    "drain": grpc.stream_unary_rpc_method_handler,
}


async def main() -> None:
    """Serve until standard input closes; start late or badly where the environment says so."""
    behaviour = sys.argv[1] if len(sys.argv) > 1 else ""
    if behaviour == "crash":
        print("no such module: imaginary", file=sys.stderr)
        sys.exit(3)
    if behaviour == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        await asyncio.sleep(3600)
    if behaviour == "late":
        await asyncio.sleep(1.5)
    server = grpc.aio.server(options=[("grpc.max_receive_message_length", -1)])
    handlers = {name: form(globals()[name]) for name, form in FORMS.items()}
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, handlers)])
    server.add_insecure_port(os.environ["EOLOOM_ADDRESS"])
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    await server.start()
    await Script.stopping.wait()
    await server.stop(0.5)


if __name__ == "__main__":
    asyncio.run(main())
