"""A component as a process that makes items with files: for tests of what is remembered of calls.

It notes every call in the file ITEM_NOTES, and fails for the item whose id stands in ITEM_FAIL.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from pathlib import Path

import grpc

from protos.common.v1.item_pb2 import Asset, Item

SERVICE = "tests.Items"
SHARED = Path(os.environ["SHARED_FOLDER_PATH"])


def note(operation: str, text: str) -> None:
    """Write down what was called for what."""
    with Path(os.environ["ITEM_NOTES"]).open("a") as file:
        file.write(f"{operation} {text}\n")


class Call:
    """Parameters and node of a call, and files."""

    def __init__(self, context) -> None:
        metadata = dict(context.invocation_metadata())
        self.params = json.loads(metadata["eoloom-params"])
        self.node = metadata["eoloom-node"]
        self.context = context

    def warn(self, text: str) -> None:
        """End the call with a warning, where the test wants it."""
        if self.params.get("warn"):
            notices = json.dumps([text]).encode()
            self.context.set_trailing_metadata((("eoloom-notices-bin", notices),))

    async def check(self, item: str) -> None:
        """Fail where the test wants it."""
        fail = Path(os.environ["ITEM_FAIL"])
        if fail.exists() and fail.read_text() == item:
            await self.context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"{item} is bad")

    def write(self, item: str, content: str) -> Item:
        """Write a file whole and return its item."""
        path = SHARED / self.node / "data" / f"{item}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        part.write_text(content)
        part.replace(path)
        href = f"{self.node}/data/{item}.txt"
        return Item(id=item, collection="tests", assets=[Asset(key="data", href=href)])

    def read(self, request: bytes) -> tuple[Item, str]:
        """Return an item and the content of its file."""
        item = Item.FromString(request)
        return item, (SHARED / item.assets[0].href).read_text()


async def make(_, context):
    """Source, a stream of items."""
    call = Call(context)
    note("make", "-")
    for number in range(1, call.params["count"] + 1):
        yield call.write(f"i{number}", f"{call.params['text']}{number}").SerializeToString()


async def shape(request, context):
    """Unary: a new file of the old one with a mark."""
    call = Call(context)
    item, content = call.read(request)
    note("shape", item.id)
    call.warn(f"{item.id} is dark")
    await call.check(item.id)
    return call.write(f"{item.id}s", content + call.params.get("mark", "")).SerializeToString()


async def both(request, context):
    """Unary to stream: the item as it came, then one of its own."""
    call = Call(context)
    item, content = call.read(request)
    note("both", item.id)
    yield request
    yield call.write(f"{item.id}b", content + "b").SerializeToString()
    call.warn(f"{item.id} is double")
    await call.check(item.id)


async def pair(requests, context):
    """Stream to stream: an item for each consecutive pair."""
    call = Call(context)
    note("pair", "-")
    before = None
    async for request in requests:
        item, content = call.read(request)
        note("pair", item.id)
        await call.check(item.id)
        if before is not None:
            yield call.write(f"p{item.id}", f"{before}+{content}").SerializeToString()
        before = content
    call.warn("few pairs")


async def total(requests, context):
    """Stream to unary: everything in one file."""
    call = Call(context)
    note("total", "-")
    contents = [call.read(request)[1] async for request in requests]
    return call.write("total", ",".join(contents)).SerializeToString()


async def shout(request, context):
    """Unary, of bytes that tell nothing."""
    note("shout", request.decode())
    return request.upper()


async def words(_, context):
    """Source of bytes."""
    note("words", "-")
    for word in Call(context).params["words"]:
        yield word.encode()


FORMS = {
    "make": grpc.unary_stream_rpc_method_handler,
    "shape": grpc.unary_unary_rpc_method_handler,
    "both": grpc.unary_stream_rpc_method_handler,
    "pair": grpc.stream_stream_rpc_method_handler,
    "total": grpc.stream_unary_rpc_method_handler,
    "shout": grpc.unary_unary_rpc_method_handler,
    "words": grpc.unary_stream_rpc_method_handler,
}


async def main() -> None:
    """Serve until standard input closes."""
    server = grpc.aio.server()
    handlers = {name: form(globals()[name]) for name, form in FORMS.items()}
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, handlers)])
    server.add_insecure_port(os.environ["EOLOOM_ADDRESS"])
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main())
