"""What components that were killed have left half-written in the shared folder of a run."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from typing import Final

# As the component kit calls a file that is not whole yet: with a number of its own, so that two
# writers of one file are never in each other's way.
_UNFINISHED: Final = re.compile(r"\.(.+\.)?[0-9a-f]{32}\.(part|blocks\.tif|cog\.tif)")


def remove_unfinished(shared: Path) -> int:
    """Remove it, and return how many files that were.

    For a run whose calls have all ended well: nobody is writing then. Whose file cannot be removed,
    such as another user's, stays.
    """
    removed = 0
    for folder, _, names in os.walk(shared):
        for name in names:
            if _UNFINISHED.fullmatch(name):
                with contextlib.suppress(OSError):
                    (Path(folder) / name).unlink()
                    removed += 1
    return removed
