"""What the caller sees, and what the log says, when a method fails."""

import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from components.kit import (
    Call,
    InputError,
    MissingDataError,
    StorageError,
    TemporaryError,
)
from tests.components.kit.sums import Client, Number, Parameters, Sums, serving


class Failing(Sums):
    """Does what it is told where Sums would multiply or count."""

    def __init__(self, act: Callable[[Call[Parameters]], Any]) -> None:
        super().__init__()
        self.act = act

    def double(self, number: Any, call: Call[Parameters]) -> Any:
        return self.act(call)

    def count(self, number: Any, call: Call[Parameters]) -> Iterator[Any]:
        yield from super().count(number, call)
        yield self.act(call)


def failing(error: BaseException) -> Failing:
    def act(call: Call[Parameters]) -> None:
        raise error

    return Failing(act)


async def status_of(service: Sums, folder: Path, **settings: Any) -> tuple[grpc.StatusCode, str]:
    async with serving(service, folder, **settings) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await Client(channel).double(Number(value=1))
        return caught.value.code(), caught.value.details() or ""


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (InputError, grpc.StatusCode.INVALID_ARGUMENT),
        (MissingDataError, grpc.StatusCode.NOT_FOUND),
        (StorageError, grpc.StatusCode.FAILED_PRECONDITION),
        (TemporaryError, grpc.StatusCode.UNAVAILABLE),
    ],
)
async def test_errors_on_purpose(tmp_path: Path, kind: type, code: grpc.StatusCode) -> None:
    assert await status_of(failing(kind("B04.tif is cut off")), tmp_path) == (
        code,
        "B04.tif is cut off",
    )


async def test_a_bug_is_internal_and_its_traceback_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    code, details = await status_of(failing(KeyError("B99")), tmp_path)
    assert code is grpc.StatusCode.INTERNAL
    assert details == "a fault in test-sums: KeyError: 'B99'"
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.exc_info is not None
    assert record.exc_info[0] is KeyError


@pytest.mark.parametrize("kind", [StopIteration, SystemExit, KeyboardInterrupt, MemoryError])
async def test_unusual_exceptions_end_the_call_and_not_the_server(
    tmp_path: Path, kind: type[BaseException]
) -> None:
    service = failing(kind())
    async with serving(service, tmp_path) as channel:
        client = Client(channel)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await client.double(Number(value=1), timeout=20)
        assert caught.value.code() is grpc.StatusCode.INTERNAL
        assert kind.__name__ in (caught.value.details() or "")
        assert [n.value async for n in client.running(iter([Number(value=1)]))] == [1]


async def test_results_before_the_failure_arrive(tmp_path: Path) -> None:
    async with serving(failing(InputError("no more")), tmp_path) as channel:
        call = Client(channel).count(Number(value=3))
        assert [(await call.read()).value for _ in range(3)] == [1, 2, 3]
        with pytest.raises(grpc.aio.AioRpcError, match="no more"):
            await call.read()


@pytest.mark.parametrize("result", [None, 7, "text"])
async def test_a_result_of_the_wrong_type_is_a_bug(tmp_path: Path, result: object) -> None:
    code, details = await status_of(Failing(lambda call: result), tmp_path)
    assert code is grpc.StatusCode.INTERNAL
    assert "double must give eoloom.test_sums.v1.Number" in details


async def test_a_full_disk_that_the_component_did_not_foresee(tmp_path: Path) -> None:
    def fill(call: Call[Parameters]) -> None:
        with Path("/dev/full").open("wb", buffering=0) as stream:
            stream.write(b"x")

    code, details = await status_of(Failing(fill), tmp_path)
    assert code is grpc.StatusCode.FAILED_PRECONDITION
    assert details == f"cannot write {tmp_path / 'test-sums'}: the disk is full"


async def test_writing_that_is_not_permitted(tmp_path: Path) -> None:
    target = tmp_path / "test-sums" / "changes.geojson"

    code, details = await status_of(failing(PermissionError(13, "denied", str(target))), tmp_path)
    assert code is grpc.StatusCode.FAILED_PRECONDITION
    assert details == f"cannot write {target}: writing is not permitted"


async def test_other_errors_of_the_system_are_bugs(tmp_path: Path) -> None:
    error = FileNotFoundError(2, os.strerror(2), "/somewhere/else")
    code, _ = await status_of(failing(error), tmp_path)
    assert code is grpc.StatusCode.INTERNAL


async def test_a_shared_folder_that_is_a_file(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.write_text("not a folder")
    code, details = await status_of(Failing(lambda call: call.storage.output), shared)
    assert code is grpc.StatusCode.FAILED_PRECONDITION
    assert details == f"cannot write {shared / 'test-sums'}: Not a directory"


@pytest.mark.parametrize("text", ["ü" * 20_000, "x" * 20_000, "100 %\n\t" * 5_000, "𝄞" * 5_000])
async def test_a_long_text_arrives_shortened(tmp_path: Path, text: str) -> None:
    code, details = await status_of(failing(InputError(text)), tmp_path)
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert text.startswith(details)
    assert len(details) >= 400


async def test_a_file_name_that_is_not_unicode(tmp_path: Path) -> None:
    name = os.fsdecode(b"B04-\xff.tif")
    code, details = await status_of(failing(MissingDataError(f"{name} is missing")), tmp_path)
    assert (code, details) == (grpc.StatusCode.NOT_FOUND, "B04-?.tif is missing")


async def test_bytes_that_are_no_message(tmp_path: Path) -> None:
    async with serving(Sums(), tmp_path) as channel:
        call: Any = channel.unary_unary("/Sums/double")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(b"\xff\xff\xff")
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.details() == "the message is not a eoloom.test_sums.v1.Number"


async def test_a_request_beyond_the_limit(tmp_path: Path) -> None:
    async with serving(Sums(), tmp_path, max_message_bytes=1000) as channel:
        client = Client(channel)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await client.double(Number(value=1, padding=bytes(2000)))
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert (await client.double(Number(value=1, padding=bytes(900)))).value == 2


async def test_an_answer_beyond_the_limit(tmp_path: Path) -> None:
    service = Failing(lambda call: Number(padding=bytes(2000)))
    code, details = await status_of(service, tmp_path, max_message_bytes=1000)
    assert code is grpc.StatusCode.INTERNAL
    assert "2003 bytes" in details
    assert "EOLOOM_MAX_MESSAGE_BYTES" in details
