"""Following what a container says, in a thread of its own: the engine's API blocks."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from orchestrator.backends.node_log import LINE_LIMIT_BYTES, NodeLog

if TYPE_CHECKING:
    from docker.models.containers import Container

logger = logging.getLogger(__name__)

# Lines on their way from the thread to the event loop: a component that floods its log waits.
_WAITING_LINES: Final = 1000


def follow(container: Container, log: NodeLog) -> asyncio.Future[None]:
    """Give the log every line from the start of the container; the result comes with its end."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()
    waiting = threading.BoundedSemaphore(_WAITING_LINES)

    def take(line: bytes) -> None:
        waiting.release()
        log.take(line)

    def end() -> None:
        log.__exit__()
        if not ended.done():
            ended.set_result(None)

    def read() -> None:
        from docker.errors import DockerException
        from requests.exceptions import RequestException

        # The loop is closed when the run has ended without waiting for us.
        with contextlib.suppress(RuntimeError):
            try:
                for line in _lines(container.logs(stream=True, follow=True)):
                    waiting.acquire()
                    loop.call_soon_threadsafe(take, line)
            except (DockerException, RequestException, OSError) as error:
                logger.debug("the log of %s cannot be followed: %s", container.name, error)
            loop.call_soon_threadsafe(end)

    log.__enter__()
    threading.Thread(target=read, name=f"log of {container.name}", daemon=True).start()
    return ended


def _lines(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Yield whole lines of what comes in parts; what is too long is cut off."""
    rest = b""
    for part in parts:
        *lines, rest = (rest + part).split(b"\n")
        for line in lines:
            yield line[:LINE_LIMIT_BYTES] + b"\n"
        rest = rest[: LINE_LIMIT_BYTES + 1]
    if rest:
        yield rest[:LINE_LIMIT_BYTES] + b"\n"
