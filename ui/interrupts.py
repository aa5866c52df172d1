"""Ctrl-C: the first stops the run in order, the second ends its processes at once."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from typing import TYPE_CHECKING, Any, Final, TypeVar

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_AT_ONCE: Final = 2
"""Signals after which nothing is waited for."""


def run_interruptibly(
    work: Callable[[], Coroutine[Any, Any, T]],
    say: Callable[[str], None],
    at_once: Callable[[], None] | None = None,
) -> T:
    """Run a coroutine to its end; SIGINT or SIGTERM cancels it.

    A cancelled coroutine may still return something, which is returned. A second signal kills
    every process that this one has started, so that nothing outlives it, and the end is waited
    for. at_once: what else it does, in a thread. Raises KeyboardInterrupt if the coroutine was
    cancelled and returned nothing.
    """
    try:
        return asyncio.run(_run(work, say, at_once))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


async def _run(
    work: Callable[[], Coroutine[Any, Any, T]],
    say: Callable[[str], None],
    at_once: Callable[[], None] | None,
) -> T:
    task = asyncio.create_task(work())
    signals = 0

    def interrupt() -> None:
        nonlocal signals
        signals += 1
        if signals == 1:
            say("stopping the components; Ctrl-C again ends them at once")
            task.cancel()
        else:
            _kill_children()
            if at_once is not None and signals == _AT_ONCE:
                threading.Thread(target=at_once, daemon=True).start()

    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, interrupt)
    try:
        return await task
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)


def _kill_children() -> None:
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()
