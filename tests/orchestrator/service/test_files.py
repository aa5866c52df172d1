"""Files of runs that callers ask for."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, BinaryIO

import pytest

from orchestrator.service import files

if TYPE_CHECKING:
    from pathlib import Path


async def test_a_caller_that_goes_while_a_file_is_opened_leaves_none_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "catalog.json").write_text("{}")
    is_asked, may_open = threading.Event(), threading.Event()
    given: list[BinaryIO] = []
    open_file = files.open_file

    def slowly(folder: Path, path: str) -> BinaryIO:
        is_asked.set()
        assert may_open.wait(20)
        given.append(open_file(folder, path))
        return given[-1]

    monkeypatch.setattr(files, "open_file", slowly)

    async def read() -> bytes:
        async with files.opened_file(tmp_path, "catalog.json") as file:
            return file.read()

    caller = asyncio.create_task(read())
    assert await asyncio.to_thread(is_asked.wait, 20)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    may_open.set()
    async with asyncio.timeout(20):
        while not (given and given[0].closed):
            await asyncio.sleep(0.01)
    assert await read() == b"{}"
