"""A component as a process: how it starts, what it logs, how it ends."""

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.components.kit.sums import Client, Number
from tests.components.kit.sums_process import HELD
from tests.data import ROOT

_PATIENCE_S = 30


@dataclass
class Component:
    """A started process: its address and its log records."""

    process: asyncio.subprocess.Process
    address: str = ""
    records: list[dict[str, Any]] = field(default_factory=list)

    async def follow_until(self, pattern: str) -> dict[str, Any]:
        """Read the log up to the first message that matches."""
        assert self.process.stderr is not None
        while line := await asyncio.wait_for(self.process.stderr.readline(), _PATIENCE_S):
            self.records.append(json.loads(line))
            if re.search(pattern, self.records[-1]["message"]):
                return self.records[-1]
        raise AssertionError(f"no {pattern!r} in {self.records}")

    async def end(self) -> int:
        """Wait for the process and return its exit status."""
        return await asyncio.wait_for(self.process.wait(), _PATIENCE_S)


async def start(folder: Path, **environment: str) -> asyncio.subprocess.Process:
    given = {
        "EOLOOM_ADDRESS": "127.0.0.1:0",
        "EOLOOM_LOG_FORMAT": "json",
        "SHARED_FOLDER_PATH": str(folder),
        **environment,
    }
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.components.kit.sums_process",
        cwd=ROOT,
        env={**os.environ, **given},
        stdin=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@contextlib.asynccontextmanager
async def running(folder: Path, **environment: str) -> AsyncIterator[tuple[Component, Client]]:
    process = await start(folder, **environment)
    component = Component(process)
    try:
        record = await component.follow_until("listens on")
        component.address = record["message"].rpartition(" ")[2]
        async with grpc.aio.insecure_channel(component.address) as channel:
            yield component, Client(channel)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def refusal(client: Client) -> grpc.StatusCode:
    """Call until a call is refused, because the signal has arrived, and return the status.

    By unary calls: where a stream ends while grpc.aio writes to it, it says INTERNAL of itself.
    """
    while True:
        try:
            await client.double(Number(value=1))
        except grpc.aio.AioRpcError as error:
            return error.code()


async def test_sigterm_lets_a_call_end_and_takes_no_more(tmp_path: Path) -> None:
    async with running(tmp_path, EOLOOM_STOP_GRACE_S="20") as (component, client):
        call = client.double(Number(value=HELD))
        await component.follow_until("progress 1/2")
        component.process.send_signal(signal.SIGTERM)
        # Cancelled is what had arrived but not begun.
        refused = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
        assert await refusal(client) in refused
        (tmp_path / "go").touch()
        assert (await call).value == 8
        assert await component.end() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_after_the_grace_calls_are_cancelled_and_leave_nothing(
    tmp_path: Path, number: signal.Signals
) -> None:
    async with running(tmp_path, EOLOOM_STOP_GRACE_S="0.1") as (component, client):
        call = client.count(Number(value=4))
        assert (await call.read()).value == 1
        assert len(list((tmp_path / "test-sums").iterdir())) == 1
        component.process.send_signal(number)
        assert await component.end() == 0
        assert list((tmp_path / "test-sums").iterdir()) == []


async def test_a_deaf_computation_does_not_hold_up_the_end(tmp_path: Path) -> None:
    async with running(tmp_path, EOLOOM_STOP_GRACE_S="0.1") as (component, client):
        call = client.total(iter([Number(value=1)]))
        while not (tmp_path / "test-sums" / "begun").exists():
            await asyncio.sleep(0.01)
        component.process.terminate()
        assert await component.end() == 0
        with pytest.raises(grpc.aio.AioRpcError):
            await call


async def test_it_ends_when_standard_input_closes(tmp_path: Path) -> None:
    async with running(tmp_path, EOLOOM_EXIT_WITH_STDIN="1") as (component, _):
        assert component.process.stdin is not None
        component.process.stdin.write(b"what is said here does not matter")
        component.process.stdin.close()
        assert await component.end() == 0


async def test_it_ends_when_its_starter_is_killed(tmp_path: Path) -> None:
    starter = (
        "import subprocess, sys, time\n"
        "p = subprocess.Popen([sys.executable, '-m', 'tests.components.kit.sums_process'], "
        "stdin=subprocess.PIPE)\n"
        "print(p.pid, flush=True); time.sleep(60)"
    )
    given = {
        "EOLOOM_ADDRESS": "127.0.0.1:0",
        "EOLOOM_EXIT_WITH_STDIN": "1",
        "SHARED_FOLDER_PATH": str(tmp_path),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        starter,
        cwd=ROOT,
        env={**os.environ, **given},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    child = int(await process.stdout.readline())
    assert b"listens on" in await process.stderr.readline()
    process.kill()
    await process.wait()
    # The child holds the other end of this pipe until it ends.
    await asyncio.wait_for(process.stderr.read(), _PATIENCE_S)
    assert (
        not Path(f"/proc/{child}/cmdline").exists()
        or not Path(f"/proc/{child}/cmdline").read_bytes()
    )


async def test_every_line_is_json_with_the_call_it_belongs_to(tmp_path: Path) -> None:
    (tmp_path / "go").touch()
    async with running(tmp_path) as (component, client):
        metadata = (("eoloom-run", "r-1"), ("eoloom-node", "twice"))
        await client.double(Number(value=4), metadata=metadata)
        progress = await component.follow_until("progress 1/2 waiting")
        warning = await component.follow_until("the wait is over")
    context = {"run": "r-1", "node": "twice", "operation": "double"}
    assert progress.items() >= {**context, "level": "INFO"}.items()
    assert progress["progress"] == {"done": 1, "total": 2, "message": "waiting"}
    assert warning.items() >= {**context, "level": "WARNING", "notice": True}.items()
    assert "run" not in component.records[0]


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"EOLOOM_THREADS": "many"}, ["EOLOOM_THREADS", "integer"]),
        ({"EOLOOM_LOG_FORMAT": "xml"}, ["EOLOOM_LOG_FORMAT"]),
        ({"EOLOOM_TLS_KEY_FILE": "k.pem"}, ["EOLOOM_TLS_CERTIFICATE_FILE"]),
        ({"EOLOOM_ADDRESS": "unix:/nowhere/socket"}, ["cannot listen on unix:/nowhere/socket"]),
        ({"EOLOOM_ADDRESS": "unix:/tmp/" + "x" * 200}, ["cannot listen on unix:/tmp/xxx"]),
    ],
)
async def test_what_is_wrong_is_said_in_one_line(
    tmp_path: Path, environment: dict[str, str], words: list[str]
) -> None:
    process = await start(tmp_path, **environment)
    _, errors = await asyncio.wait_for(process.communicate(), _PATIENCE_S)
    assert process.returncode == 1
    lines = [line for line in errors.decode().splitlines() if all(word in line for word in words)]
    assert len(lines) == 1
    assert "Traceback" not in errors.decode()
