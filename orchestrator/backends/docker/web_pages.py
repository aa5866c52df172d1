"""The web page that an AI4EU container may have on port 8062: whether it answers."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

_ATTEMPTS: Final = 60
_PAUSE_S: Final = 1.0
_ANSWER_S: Final = 5.0


async def answers(address: str, port: int) -> bool:
    """Wait until something speaks HTTP there; False if it does not within a minute.

    A published port is open from the start, whether anybody listens in the container or not.
    """
    for _ in range(_ATTEMPTS):
        if await _speaks_http(address, port):
            return True
        await asyncio.sleep(_PAUSE_S)
    return False


async def _speaks_http(address: str, port: int) -> bool:
    try:
        async with asyncio.timeout(_ANSWER_S):
            reader, writer = await asyncio.open_connection(address, port)
            try:
                writer.write(f"GET / HTTP/1.0\r\nHost: {address}:{port}\r\n\r\n".encode())
                await writer.drain()
                return (await reader.read(5)).startswith(b"HTTP/")
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
    except (OSError, TimeoutError):
        return False
