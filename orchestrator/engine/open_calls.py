"""Unary calls under way, which go on while a run heals.

When a component has died, all workers are made anew; a call of another component that was under way
then must not be made twice: it may have taken long, a source has given away its next message, and
not every operation may be repeated. So the call belongs to the run, and whoever asks for the same
call again gets its answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from orchestrator.engine.plan import Step


@dataclass
class _Call:
    payload: bytes
    answer: asyncio.Task[bytes]


class OpenCalls:
    """The unary calls of one run that are under way, by step and request."""

    def __init__(self) -> None:
        self._calls: dict[tuple[str, str, str], _Call] = {}

    async def answer(
        self,
        step: Step,
        request: str,
        payload: bytes,
        make: Callable[[], Coroutine[Any, Any, bytes]],
    ) -> bytes:
        """Return the answer to a request, by the call under way for it or by a new one.

        Whoever is cancelled meanwhile leaves the call under way. Raises what the call raises.
        """
        key = (step.node, step.operation, request)
        call = self._calls.get(key)
        if call is None or call.payload != payload:
            await self._cancel([key])
            call = self._calls[key] = _Call(payload, asyncio.create_task(make()))
        await asyncio.wait({call.answer})
        self._calls.pop(key, None)
        return call.answer.result()

    async def forget(self, node: str) -> None:
        """End the calls of a component that has died."""
        await self._cancel([key for key in self._calls if key[0] == node])

    async def close(self) -> None:
        """End all calls."""
        await self._cancel(list(self._calls))

    async def _cancel(self, keys: list[tuple[str, str, str]]) -> None:
        tasks = [self._calls.pop(key).answer for key in keys if key in self._calls]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
