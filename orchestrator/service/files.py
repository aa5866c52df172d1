"""Files of a run, to be read by whoever may see the run: its results, and what components wrote."""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final

from orchestrator.service.errors import FileNotServedError

_SERVED: Final = frozenset({"catalog.json", "results", "shared", "logs"})
"""What of a run's folder is given to callers; the log of messages is for resuming only."""


def open_file(folder: Path, path: str) -> BinaryIO:
    """Open a file of a run. Raises FileNotServedError.

    folder: of the run. path: relative to it; neither it nor a link leads out of the folder.
    """
    missing = FileNotServedError(f"the run has no file {path[:300]!r}")
    parts = PurePosixPath(path).parts
    if not parts or "\0" in path or ".." in parts or parts[0] not in _SERVED:
        raise missing
    root = folder.resolve()
    try:
        resolved = root.joinpath(*parts).resolve(strict=True)
        if not resolved.is_relative_to(root):
            raise missing
        # Neither waits for a FIFO nor follows a link that was put there meanwhile.
        descriptor = os.open(resolved, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (OSError, ValueError) as error:
        raise missing from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise missing
    return os.fdopen(descriptor, "rb")


@contextlib.asynccontextmanager
async def opened_file(folder: Path, path: str) -> AsyncIterator[BinaryIO]:
    """Open a file as `open_file` does, in a thread; closed also if the caller goes meanwhile."""
    opening = asyncio.ensure_future(asyncio.to_thread(open_file, folder, path))
    try:
        file = await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_close)
        raise
    with file:
        yield file


def _close(opening: asyncio.Future[BinaryIO]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()
