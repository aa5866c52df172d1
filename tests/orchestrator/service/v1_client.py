"""What tests do with a stub of our own service."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest

from protos.orchestrator.v1 import orchestrator_pb2 as v1
from tests.orchestrator.test_faults import scripted_processes


async def until(stub: Any, run: v1.Run, *states: v1.State.ValueType) -> v1.Run:
    """Poll until a run is in one of the states."""
    async with asyncio.timeout(20):
        while (answer := await stub.get(v1.GetRequest(run=run.id))).state not in states:
            await asyncio.sleep(0.02)
    return answer


async def ended(stub: Any, run: v1.Run) -> v1.Run:
    """Poll until a run has ended."""
    over = (v1.STATE_SUCCEEDED, v1.STATE_FAILED, v1.STATE_CANCELLED)
    return await until(stub, run, *over)


async def content(stub: Any, run: str, path: str, offset: int = 0) -> bytes:
    """Download a file."""
    request = v1.DownloadRequest(run=run, path=path, offset=offset)
    return b"".join([chunk.data async for chunk in stub.download(request)])


async def refused(call: Any) -> tuple[grpc.StatusCode, str]:
    """The status of a call that is refused."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code(), caught.value.details() or ""


async def until_deaf() -> None:
    """Wait until a component of the pipeline DEAF no longer stops when it is told."""
    async with asyncio.timeout(20):
        while not any(map(_ignores_sigterm, scripted_processes())):
            await asyncio.sleep(0.02)


def _ignores_sigterm(process: psutil.Process) -> bool:
    status = Path(f"/proc/{process.pid}/status").read_text()
    (mask,) = [line.split()[1] for line in status.splitlines() if line.startswith("SigIgn:")]
    return bool(int(mask, 16) & 1 << signal.SIGTERM - 1)
