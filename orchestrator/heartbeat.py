"""A sign of life of a run in its journal, for those who cannot see its process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final

from orchestrator.errors import SettingsError

if TYPE_CHECKING:
    from orchestrator.journal import Journal

logger = logging.getLogger(__name__)

INTERVAL_S: Final = 15.0


@contextlib.asynccontextmanager
async def beating(
    journal: Journal, run: str, interval_s: float = INTERVAL_S
) -> AsyncIterator[None]:
    """Say again and again that a run goes on, for as long as the `with` statement lasts."""
    task = asyncio.create_task(_beat(journal, run, interval_s))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _beat(journal: Journal, run: str, interval_s: float) -> None:
    has_failed = False
    while True:
        await asyncio.sleep(interval_s)
        try:
            await asyncio.to_thread(journal.touch, run)
            has_failed = False
        except SettingsError as error:
            if not has_failed:
                logger.warning("run %s: %s", run, error)
            has_failed = True
