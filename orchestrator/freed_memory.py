"""What runs have freed goes back to the system; a process of many runs would else hold their peaks.

A run allocates in many threads of gRPC. glibc gives threads arenas of their own, raises by itself
the size up to which buffers lie in them, and returns little of what lies there: memory grows for
many runs although nothing is kept. So large buffers are mapped one by one, arenas are few, and
what is free is returned at the end of every run.

Source: https://man7.org/linux/man-pages/man3/mallopt.3.html and malloc_trim.3.html.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import sys
from collections.abc import AsyncIterator, Callable
from typing import Final

# Of <malloc.h>.
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8

# The default of glibc, which it does not change any more once it has been set.
_THRESHOLD_BYTES: Final = 128 * 1024

# Python's threads wait for each other anyway.
_ARENAS: Final = 1


@contextlib.asynccontextmanager
async def freed_memory_returned() -> AsyncIterator[None]:
    """Return to the system what is free at the end; nothing happens without glibc.

    Settings of glibc in the environment (`MALLOC_*`, `GLIBC_TUNABLES`) are left as they are.
    """
    trim = _trim()
    try:
        yield
    finally:
        trim(0)


@functools.cache
def _trim() -> Callable[[int], object]:
    """Set up the allocator, once per process, and return what trims it."""
    try:
        library = ctypes.CDLL(None)
        trim, mallopt = library.malloc_trim, library.mallopt
    except (OSError, AttributeError, TypeError):  # another C library
        return lambda _: None
    trim.argtypes, trim.restype = [ctypes.c_size_t], ctypes.c_int
    if sys.platform == "linux" and not _is_set_by_user():
        mallopt(_M_MMAP_THRESHOLD, _THRESHOLD_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _THRESHOLD_BYTES)
        mallopt(_M_ARENA_MAX, _ARENAS)
    return trim


def _is_set_by_user() -> bool:
    return any(name.startswith("MALLOC_") or name == "GLIBC_TUNABLES" for name in os.environ)
