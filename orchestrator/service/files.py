"""Files of a run, to be read by whoever may see the run: its results, and what components wrote."""

from __future__ import annotations

import os
import stat
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
