"""What a run at a service leaves, copied into a folder here: results, their files, and logs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncGenerator, Callable, Iterable
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO, Final, TypeAlias

import grpc

from orchestrator.service_client.errors import ServiceAnswerError, ServiceRefusedError
from orchestrator.service_client.paths import lies_elsewhere, local_path

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from orchestrator.service_client.client import ServiceClient
    from orchestrator.service_client.settings import ServerSettings
    from protos.orchestrator.v1 import orchestrator_pb2 as v1

Chunks: TypeAlias = "AsyncGenerator[v1.Chunk, None]"

MAX_RESULTS: Final = 100_000
"""Results of one run that are copied."""

_MAX_REPLICAS: Final = 1000

_CHANGED: Final = "it changed while it was read"


class Copies:
    """Copies of one run.

    warn: told of every file that is left out, once each. All methods raise what calls of the
    client raise; what was copied by then stays, and a file that was begun is gone on with.
    """

    def __init__(
        self,
        client: ServiceClient,
        settings: ServerSettings,
        run: str,
        folder: Path,
        warn: Callable[[str], None],
    ) -> None:
        self._client = client
        self._settings = settings
        self._run = run
        self._folder = folder
        self._warn = warn
        self._done: set[str] = set()
        self._left_out: set[str] = set()
        # Of every file that was begun or copied: its whole size.
        self._sizes: dict[str, int] = {}
        self._total = 0
        # Documents that were written anew after they had been copied.
        self._anew: set[str] = set()

    def told(self, path: Path) -> None:
        """Take note that a result was written there, maybe once more."""
        with contextlib.suppress(ValueError):
            name = path.relative_to(self._folder.resolve()).as_posix()
            if name in self._done:
                self._done.discard(name)
                self._anew.add(name)

    async def copy_new(self) -> float:
        """Copy results that have not been; return how many seconds the service took to list."""
        began = time.monotonic()
        results = await self._list()
        took = time.monotonic() - began
        for result in results:
            if result.path not in self._done:
                await self._copy_result(result)
        return took

    async def copy_rest(self) -> None:
        """Copy what is left when a run has ended, and see to it that nothing is missing."""
        collections: dict[str, None] = {}
        for result in await self._list():
            # Of documents their size does not tell whether they have changed.
            await self._copy_result(result, is_last=True)
            parent = PurePosixPath(result.path).parent
            if result.item:
                collections[str(parent / "collection.json")] = None
        for path in (*collections, "catalog.json"):
            # A run that was stopped early has none.
            await self._copy(path, again=True, may_lack=True)

    async def copy_logs(self, nodes: Iterable[str]) -> None:
        """Copy what is new in the logs of nodes."""
        for node in nodes:
            if await self._append(f"logs/{node}.log"):
                continue
            for number in range(1, _MAX_REPLICAS):
                if not await self._append(f"logs/{node}-{number}.log"):
                    break

    async def _list(self) -> list[v1.Result]:
        results: list[v1.Result] = []
        async with contextlib.aclosing(self._client.results(self._run)) as listed:
            async for result in listed:
                if len(results) == MAX_RESULTS:
                    self._leave_out("results", f"only the first {MAX_RESULTS} results are copied")
                    break
                results.append(result)
        return results

    async def _copy_result(self, result: v1.Result, *, is_last: bool = False) -> None:
        """Copy the files of a result and then its document: where it is, its files are too."""
        anew = result.path in self._anew
        for file in result.files:
            if (
                file.path
                and not lies_elsewhere(file.path)
                and (anew or file.path not in self._done)
            ):
                await self._copy(file.path, again=anew)
        await self._copy(result.path, again=is_last or anew)
        self._anew.discard(result.path)

    async def _copy(self, path: str, *, again: bool = False, may_lack: bool = False) -> None:
        """Copy a file, unless it is here with the size that it has there. again: in any case."""
        if path in self._left_out:
            return
        try:
            target = local_path(self._folder, path)
            part = target.with_name(f".{target.name}.part")
            if again or not await self._is_here(path, target):
                await self._fetch(path, part)
                part.replace(target)
            self._done.add(path)
        except ServiceRefusedError as error:
            if error.code is not grpc.StatusCode.NOT_FOUND:
                raise
            if not may_lack:
                self._leave_out(path, f"{path} is not copied: the service gives no file of it")
        except ServiceAnswerError as error:
            self._leave_out(path, str(error))
        except OSError as error:
            self._leave_out(path, f"{path} is not copied: {error.strerror}")

    async def _is_here(self, path: str, target: Path) -> bool:
        size = _size(target)
        if size is None:
            return False
        async with self._chunks(path, size) as chunks:
            async for chunk in chunks:
                return chunk.size == size and not chunk.data
        return False

    async def _fetch(self, path: str, part: Path) -> None:
        """Write a file of the service into `part`, from where an earlier attempt was cut off."""
        offset = _size(part) or 0
        if offset > self._sizes.get(path, 0):  # of another process, or of another file
            offset = 0
        part.parent.mkdir(parents=True, exist_ok=True)
        try:
            with _open(part, offset) as file:
                await self._receive(path, file, offset)
        except (ServiceAnswerError, ServiceRefusedError):
            _remove(part)
            raise

    async def _receive(self, path: str, file: BinaryIO, offset: int) -> None:
        size: int | None = None
        async with self._chunks(path, offset) as chunks:
            async for chunk in chunks:
                if size is None:
                    size = self._admit(path, chunk.size)
                end = offset + len(chunk.data)
                if chunk.offset != offset or chunk.size != size or end > size:
                    raise ServiceAnswerError(f"{path} is not copied: {_CHANGED}")
                await asyncio.to_thread(file.write, chunk.data)
                offset = end
        if offset != size:
            raise ServiceAnswerError(f"{path} is not copied: {_CHANGED}")

    async def _append(self, path: str) -> bool:
        """Copy what is new in a log; return whether there is one."""
        if path in self._left_out:
            return True
        try:
            await self._append_to(local_path(self._folder, path), path)
        except ServiceRefusedError as error:
            if error.code is not grpc.StatusCode.NOT_FOUND:
                raise
            return False
        except ServiceAnswerError as error:
            self._leave_out(path, str(error))
        except OSError as error:
            self._leave_out(path, f"{path} is not copied: {error.strerror}")
        return True

    async def _append_to(self, target: Path, path: str) -> None:
        size = _size(target) or 0
        async with self._chunks(path, size) as chunks:
            async for chunk in chunks:
                if self._admit(path, chunk.size) < size:  # it was begun anew
                    _remove(target)
                    return
                if chunk.offset != size:
                    raise ServiceAnswerError(f"{path} is not copied: {_CHANGED}")
                target.parent.mkdir(parents=True, exist_ok=True)
                with _open(target, size) as file:
                    file.write(chunk.data)
                size += len(chunk.data)

    def _chunks(self, path: str, offset: int) -> AbstractAsyncContextManager[Chunks]:
        return contextlib.aclosing(self._client.download(self._run, path, offset))

    def _admit(self, path: str, size: int) -> int:
        """Return the size of a file that is to be copied. Raises ServiceAnswerError."""
        settings = self._settings
        others = self._total - self._sizes.get(path, 0)
        if not 0 <= size <= settings.server_max_file_bytes:
            raise ServiceAnswerError(
                f"{path} is not copied: it has {size} bytes, and EOLOOM_SERVER_MAX_FILE_BYTES is "
                f"{settings.server_max_file_bytes}"
            )
        if others + size > settings.server_max_run_bytes:
            raise ServiceAnswerError(
                f"{path} is not copied: with it the run would have {others + size} bytes here, and "
                f"EOLOOM_SERVER_MAX_RUN_BYTES is {settings.server_max_run_bytes}"
            )
        self._sizes[path], self._total = size, others + size
        return size

    def _leave_out(self, path: str, reason: str) -> None:
        if path not in self._left_out:
            self._left_out.add(path)
            self._warn(reason)


def _size(path: Path) -> int | None:
    """Return the size of a file; None if there is none."""
    return path.stat().st_size if path.is_file() else None


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


def _open(path: Path, offset: int) -> BinaryIO:
    """Open a file to write on at an offset, what is beyond it cut off; follows no link."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    os.ftruncate(descriptor, offset)
    os.lseek(descriptor, offset, os.SEEK_SET)
    return os.fdopen(descriptor, "wb")
