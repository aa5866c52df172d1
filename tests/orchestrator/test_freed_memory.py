"""What runs have freed is returned to the system, and gRPC goes on between them."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import textwrap

import psutil
import pytest

from orchestrator.freed_memory import freed_memory_returned

BLOCKS, BLOCK_BYTES = 1000, 64 * 1024

ARENAS = """
    import asyncio, ctypes, os, threading
    from orchestrator.freed_memory import freed_memory_returned

    async def begin():
        async with freed_memory_returned():
            pass

    asyncio.run(begin())
    library = ctypes.CDLL(None)
    barrier = threading.Barrier(4)

    def allocate():
        barrier.wait()
        library.malloc(1000)
        barrier.wait()

    threads = [threading.Thread(target=allocate) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    library.fdopen.restype = ctypes.c_void_p
    library.malloc_info(0, ctypes.c_void_p(library.fdopen(1, b"w")))
    library.fflush(None)
"""

CHANNELS = """
    import asyncio, gc, threading
    from orchestrator.engine.channels import open_channel

    def poller():
        return [thread for thread in threading.enumerate() if "_poll_wrapper" in thread.name]

    async def use():
        channel = open_channel("unix:/nowhere", 1000)
        await channel.close()

    assert not poller()
    asyncio.run(use())
    gc.collect()
    before = poller()
    asyncio.run(use())
    gc.collect()
    assert len(before) == 1 and poller() == before, (before, poller())
"""

needs_glibc = pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="the C library is not glibc"
)


def run(code: str, **environment: str) -> str:
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=os.environ | environment,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


@needs_glibc
async def test_what_is_free_at_the_end_is_returned_to_the_system() -> None:
    library, process = ctypes.CDLL(None), psutil.Process()
    library.malloc.restype = ctypes.c_void_p
    async with freed_memory_returned():
        blocks = [library.malloc(BLOCK_BYTES) for _ in range(BLOCKS)]
        for block in blocks:
            ctypes.memset(block, 1, BLOCK_BYTES)
        held = library.malloc(BLOCK_BYTES)  # the end of the heap is in use
        for block in blocks:
            library.free(ctypes.c_void_p(block))
        before = process.memory_info().rss
    after = process.memory_info().rss
    library.free(ctypes.c_void_p(held))
    assert before - after > BLOCKS * BLOCK_BYTES * 0.8


@needs_glibc
def test_threads_share_an_arena_unless_the_environment_says_otherwise() -> None:
    assert run(ARENAS).count("<heap") == 1
    assert run(ARENAS, MALLOC_ARENA_MAX="8").count("<heap") > 1


def test_grpc_is_not_stopped_with_the_last_channel() -> None:
    """To stop it may take for ever: https://github.com/grpc/grpc/pull/40989."""
    run(CHANNELS)
