"""executePipeline, as the clients in solutions of the serial orchestrator call it."""

from __future__ import annotations

import asyncio
import io
import zipfile
from typing import Any

import grpc
import pytest

from protos.orchestrator.v1 import orchestrator_pb2 as v1
from protos.orchestrator.v1.orchestrator_pb2_grpc import RunsStub
from tests.orchestrator.service.conftest import Service
from tests.orchestrator.service.containers import (
    SOURCE,
    Container,
    Solution,
    number,
    relay,
    serving,
    sink,
    solution,
    source,
)
from tests.orchestrator.service.contracts import contract

# Written from the description of the interface, so that it checks the numbers of the fields.
MESSAGES = contract("""
syntax = "proto3";
message Config { string blueprint = 1; string dockerinfo = 2; bytes protoszip = 3; }
message Status { int32 statusCode = 1; string statusText = 2; }
""")
CHAIN = ["source.next -> relay.double", "relay.double -> sink.keep"]


def archive(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, text in files.items():
            file.writestr(name, text)
    return buffer.getvalue()


def execute(service: Service, given: Solution, protoszip: bytes | None = None) -> Any:
    call = service.channel.unary_unary(
        "/start_orchestrator/executePipeline",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=MESSAGES.message("Status").FromString,
    )
    config = MESSAGES.message("Config")(
        blueprint=given.blueprint,
        dockerinfo=given.dockerinfo,
        protoszip=archive(given.protofiles) if protoszip is None else protoszip,
    )
    return call(config)


async def test_returns_when_the_source_has_no_more(service: Service) -> None:
    kept: list[int] = []
    parts = [source(3), relay(), sink(kept)]
    async with serving(*parts):
        for _ in range(2):
            status = await execute(service, solution("chain", parts, CHAIN))
            assert (status.statusCode, status.statusText) == (200, "success")
    assert kept == [2, 4, 6] * 2


async def test_an_answer_without_content_ends_a_source(service: Service) -> None:
    kept: list[int] = []
    left = [3, 2, 1]

    async def following(_request: Any, _context: Any) -> Any:
        return number(left.pop() if left else 0)

    parts = [Container("source", SOURCE, "Source", {"next": following}), relay(), sink(kept)]
    async with serving(*parts):
        assert (await execute(service, solution("chain", parts, CHAIN))).statusCode == 200
    assert kept == [2, 4, 6]


async def test_contracts_may_lie_in_a_folder_of_the_archive(service: Service) -> None:
    kept: list[int] = []
    parts = [source(1), relay(), sink(kept)]
    given = solution("chain", parts, CHAIN)
    files = {f"microservice/{name}": text for name, text in given.protofiles.items()}
    files["microservice/readme.txt"] = "of no use here"
    async with serving(*parts):
        assert (await execute(service, given, archive(files))).statusCode == 200
    assert kept == [2]


async def test_a_failed_operation_is_named(service: Service) -> None:
    async def fail(_value: int, context: Any) -> int:
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "no such number")
        raise AssertionError

    parts = [source(3), relay(fail), sink([])]
    async with serving(*parts):
        status = await execute(service, solution("chain", parts, CHAIN))
    assert status.statusCode == 400
    assert "relay" in status.statusText
    assert "no such number" in status.statusText


@pytest.mark.parametrize(
    ("protoszip", "reason"),
    [
        (b"PK nothing", "no archive that can be read"),
        (archive({"../../etc/relay.proto": ""}), "leads outside"),
        (archive({"a/relay.proto": "", "b/relay.proto": ""}), "two .proto files of one name"),
        (archive({}), "no contract of source"),
        (archive({f"{i}.proto": " " * 3_000_000 for i in range(25)}), "may be a bomb"),
        (archive({"x; rm -rf $HOME.proto": "syntax"}), "no contract of source"),
    ],
    ids=["no-archive", "outside", "twice", "empty", "bomb", "hostile-name"],
)
async def test_a_bad_archive_is_refused_with_a_reason(
    service: Service, protoszip: bytes, reason: str
) -> None:
    status = await execute(service, solution("chain", [source(), relay()], CHAIN[:1]), protoszip)
    assert status.statusCode == 400
    assert reason in status.statusText


async def test_a_caller_that_goes_stops_the_run(service: Service) -> None:
    async def slowly(value: int, _context: Any) -> int:
        await asyncio.sleep(0.01)
        return value

    parts = [source(), relay(slowly), sink([])]
    async with serving(*parts):
        call = execute(service, solution("chain", parts, CHAIN))
        runs = RunsStub(service.channel)
        while not (await runs.list(v1.ListRequest())).runs:
            await asyncio.sleep(0.02)
        call.cancel()
        going = (v1.STATE_RUNNING, v1.STATE_STOPPING)
        async with asyncio.timeout(5):
            while (await runs.list(v1.ListRequest())).runs[0].state in going:
                await asyncio.sleep(0.02)
        assert (await runs.list(v1.ListRequest())).runs[0].state == v1.STATE_CANCELLED
