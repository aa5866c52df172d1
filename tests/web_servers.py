"""Web servers of tests, and how they end."""

from __future__ import annotations

import asyncio

from aiohttp import web


async def end(runner: web.AppRunner) -> None:
    """End a server with all its connections, so that its event loop can be closed at once.

    aiohttp only begins to close connections; what a client has not read yet would keep them open.
    """
    server = runner.server
    handlers = [] if server is None else server.connections
    transports = [handler.transport for handler in handlers if handler.transport is not None]
    await runner.cleanup()
    for transport in transports:
        transport.abort()
    await asyncio.sleep(0.01)  # in which they are lost
