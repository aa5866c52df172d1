"""What AI4EU's own orchestrator gets wrong, this one gets right: one test for each fault.

The client knows the contract only, the containers are plain gRPC, everything goes over sockets.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from tests.orchestrator.service.ai4eu_client import Client
from tests.orchestrator.service.conftest import Serve, Service
from tests.orchestrator.service.containers import (
    PAIRS,
    RELAY,
    SOURCE,
    STREAM,
    SUM,
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

CHAIN = ["source.next -> relay.double", "relay.double -> sink.keep"]


async def run(client: Client, given: Solution, **options: Any) -> Any:
    """Initialize, run to the end, and return the last status."""
    status = await client.initialize(given, **{"iterations": 100} | options)
    assert status.success, status.message
    status = await client.run()
    assert status.success, status.message
    return await client.end()


async def fail_at_2(value: int, context: Any) -> int:
    if value == 2:
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "two is bad")
    return value * 2


async def test_1_an_error_does_not_end_the_operation_and_the_status_tells_of_it(
    service: Service,
) -> None:
    kept: list[int] = []
    parts = [source(4), relay(fail_at_2), sink(kept)]
    async with serving(*parts):
        events = service.ai4eu.observe("exception")
        await events.initial_metadata()
        status = await run(service.ai4eu, solution("faulty", parts, CHAIN))
        event = await events.read()
        events.cancel()
    assert kept == [2, 6, 8]
    assert not status.success
    assert status.code != 0
    assert "1 messages failed" in status.message
    assert "two is bad" in status.message
    assert event.component == "relay"
    assert event.detail["method"] == "double"
    assert "two is bad" in event.detail["traceback"]


async def test_1_success_is_told_when_there_is_some(service: Service) -> None:
    parts = [source(3), relay(), sink([])]
    async with serving(*parts):
        status = await run(service.ai4eu, solution("good", parts, CHAIN))
    assert status.success
    assert (status.code, status.message, status.active_threads) == (0, "succeeded", 0)


async def test_1_a_run_that_cannot_go_on_is_not_called_running(service: Service) -> None:
    async def broken(_: Any, context: Any) -> None:
        await context.abort(grpc.StatusCode.INTERNAL, "out of order")

    parts = [Container("source", SOURCE, "Source", {"next": broken}), relay(), sink([])]
    async with serving(*parts):
        status = await run(service.ai4eu, solution("broken", parts, CHAIN))
    assert not status.success
    assert status.message == "failed; node source: next: out of order [INTERNAL]"
    assert status.active_threads == 0


async def test_2_a_component_that_starts_late_is_waited_for(service: Service) -> None:
    kept: list[int] = []
    late, *others = [relay(), source(3), sink(kept)]
    async with serving(*others):
        given = solution("late", [late, *others], CHAIN)
        await service.ai4eu.initialize(given, iterations=100)
        await service.ai4eu.run()
        await asyncio.sleep(0.5)
        assert (await service.ai4eu.get_status()).message == "running"
        async with serving(late):
            assert (await service.ai4eu.end()).success
    assert kept == [2, 4, 6]


async def test_3_streams_in_both_directions_work(service: Service) -> None:
    async def add(requests: AsyncIterator[Any], _: Any) -> AsyncIterator[Any]:
        async for first in requests:
            async for second in requests:
                yield number(first.value + second.value, PAIRS)
                break

    kept: list[int] = []
    parts = [source(4), Container("pairs", PAIRS, "Pairs", {"add": add}), sink(kept)]
    links = ["source.next -> pairs.add", "pairs.add -> sink.keep"]
    async with serving(*parts):
        assert (await run(service.ai4eu, solution("pairs", parts, links))).success
    assert kept == [3, 7]


def summing() -> Container:
    async def total(requests: AsyncIterator[Any], _: Any) -> Any:
        return number(sum([request.value async for request in requests]), SUM)

    return Container("sum", SUM, "Sum", {"sum": total})


async def test_4_an_aggregator_learns_of_the_end_of_its_stream(service: Service) -> None:
    kept: list[int] = []
    parts = [source(4), summing(), sink(kept)]
    links = ["source.next -> sum.sum", "sum.sum -> sink.keep"]
    async with serving(*parts):
        assert (await run(service.ai4eu, solution("sum", parts, links))).success
    assert kept == [10]


async def test_5_iterations_limit_the_calls_of_a_source(service: Service) -> None:
    kept: list[int] = []
    parts = [source(), relay(), sink(kept)]
    async with serving(*parts):
        assert (await run(service.ai4eu, solution("few", parts, CHAIN), iterations=4)).success
    assert kept == [2, 4, 6, 8]


async def test_5_iterations_are_the_calls_of_a_source_of_a_stream_too(service: Service) -> None:
    async def give(*_: Any) -> AsyncIterator[Any]:
        for value in (1, 2):
            yield number(value, STREAM)

    kept: list[int] = []
    parts = [Container("stream", STREAM, "Stream", {"all": give}), relay(), sink(kept)]
    links = ["stream.all -> relay.double", "relay.double -> sink.keep"]
    async with serving(*parts):
        assert (await run(service.ai4eu, solution("few", parts, links), iterations=3)).success
    assert kept == [2, 4] * 3


async def test_5_without_iterations_a_source_is_called_again_after_its_end_of_data(
    service: Service,
) -> None:
    kept: list[int] = []
    parts = [source(2), relay(), sink(kept)]
    async with serving(*parts), asyncio.timeout(20):
        await service.ai4eu.initialize(solution("endless", parts, CHAIN), iterations=0)
        await service.ai4eu.run()
        while len(kept) < 6:
            await asyncio.sleep(0.02)
        status = await service.ai4eu.get_status()
        assert (status.message, status.active_threads) == ("running", 3)
    assert kept[:6] == [2, 4, 2, 4, 2, 4]


@pytest.mark.parametrize(("queuesize", "least", "most"), [(3, 3, 8), (0, 200, 200)])
async def test_5_the_queue_size_bounds_what_waits(
    service: Service, queuesize: int, least: int, most: int
) -> None:
    asked = itertools.count(1)
    last = 0
    release = asyncio.Event()

    async def following(_: Any, context: Any) -> Any:
        nonlocal last
        if last == 200:
            await context.abort(grpc.StatusCode.NOT_FOUND, "no more")
        last = next(asked)
        return number(last)

    async def wait(value: int, _: Any) -> int:
        await release.wait()
        return value

    kept: list[int] = []
    first = Container("source", SOURCE, "Source", {"next": following})
    parts = [first, relay(wait), sink(kept)]
    async with serving(*parts), asyncio.timeout(20):
        given = solution("slow", parts, CHAIN)
        await service.ai4eu.initialize(given, queuesize=queuesize, iterations=1000)
        await service.ai4eu.run()
        before = -1
        while before != last or not last:
            before = last
            await asyncio.sleep(0.2)
        assert least <= last <= most
        release.set()
        assert (await service.ai4eu.end()).success
    assert kept == list(range(1, 201))


async def test_5_labels_tell_runs_apart(service: Service) -> None:
    release = asyncio.Event()

    async def wait(value: int, _: Any) -> int:
        await release.wait()
        return value

    quick, slow = [source(1), relay(), sink([])], [source(1), relay(wait), sink([])]
    async with serving(*quick, *slow):
        await service.ai4eu.initialize(solution("slow", slow, CHAIN), iterations=5)
        await service.ai4eu.run("slow")
        await service.ai4eu.initialize(solution("quick", quick, CHAIN), iterations=5)
        await service.ai4eu.run("quick")
        assert (await service.ai4eu.end("quick")).success
        assert (await service.ai4eu.get_status("slow")).message == "running"
        unknown = await service.ai4eu.get_status("none")
        assert (unknown.success, unknown.message) == (False, "there is no run 'none'")
        release.set()
        assert (await service.ai4eu.end("slow")).success


async def test_6_a_pipeline_is_run_as_often_as_one_likes(service: Service) -> None:
    kept: list[int] = []
    parts = [source(2), relay(), sink(kept)]
    async with serving(*parts):
        await service.ai4eu.initialize(solution("again", parts, CHAIN), iterations=5)
        for _ in range(3):
            assert (await service.ai4eu.run()).success
            assert (await service.ai4eu.end()).success
    assert kept == [2, 4] * 3


async def test_6_initialize_is_called_as_often_as_one_likes(service: Service) -> None:
    kept: list[int] = []
    parts = [source(2), relay(), sink(kept)]
    async with serving(*parts):
        for _ in range(3):
            status = await service.ai4eu.initialize(solution("again", parts, CHAIN), iterations=5)
            assert status.message == "initialized"
            assert (await service.ai4eu.get_status()).message == "initialized"
        await service.ai4eu.run()
        assert (await service.ai4eu.end()).success
    assert kept == [2, 4]


async def test_6_a_run_without_end_makes_way_for_the_next_of_its_label(service: Service) -> None:
    first: list[int] = []
    second: list[int] = []
    before, after = [source(), relay(), sink(first)], [source(2), relay(), sink(second)]
    async with serving(*before, *after):
        await service.ai4eu.initialize(solution("endless", before, CHAIN))
        await service.ai4eu.run()
        await service.ai4eu.initialize(solution("short", after, CHAIN), iterations=5)
        assert (await service.ai4eu.run()).success
        assert (await service.ai4eu.end()).success
        stopped = len(first)
        await asyncio.sleep(0.3)
        assert len(first) == stopped
    assert second == [2, 4]


async def test_7_pipelines_with_the_same_names_do_not_share_anything(service: Service) -> None:
    """The same names of containers, services and messages; other types of fields."""
    texts: list[str] = []
    words = "message Empty {} message Number { string value = 1; }"
    head = f'syntax = "proto3";{words}service'
    text_source = f"{head} Source {{ rpc next(Empty) returns (Number); }}"
    text_sink = f"{head} Sink {{ rpc keep(Number) returns (Empty); }}"
    given = iter(["one", "two"])

    async def following(_: Any, context: Any) -> Any:
        word = next(given, None)
        if word is None:
            await context.abort(grpc.StatusCode.OUT_OF_RANGE, "no more")
        return contract(text_source).message("Number")(value=word)

    async def keep(request: Any, _: Any) -> Any:
        texts.append(request.value)
        return contract(text_sink).message("Empty")()

    numbers: list[int] = []
    links = ["source.next -> sink.keep"]
    first = [source(2), sink(numbers)]
    second = [
        Container("source", text_source, "Source", {"next": following}),
        Container("sink", text_sink, "Sink", {"keep": keep}),
    ]
    async with serving(*first, *second):
        await service.ai4eu.initialize(solution("same", first, links), iterations=5)
        await service.ai4eu.run("numbers")
        await service.ai4eu.initialize(solution("same", second, links), iterations=5)
        await service.ai4eu.run("texts")
        assert (await service.ai4eu.end("numbers")).success
        assert (await service.ai4eu.end("texts")).success
    assert numbers == [1, 2]
    assert texts == ["one", "two"]


async def test_8_messages_of_more_than_4_mib_pass(service: Service) -> None:
    blob = "message Empty {} message Blob { bytes data = 1; }"
    proto = f'syntax = "proto3";{blob}service Blobs {{ rpc all(Empty) returns (stream Blob); }}'
    end = f'syntax = "proto3";{blob}service End {{ rpc keep(Blob) returns (Empty); }}'
    sizes: list[int] = []

    async def everything(_: Any, __: Any) -> AsyncIterator[Any]:
        for _ in range(2):
            yield contract(proto).message("Blob")(data=bytes(9 << 20))

    async def keep(request: Any, _: Any) -> Any:
        sizes.append(len(request.data))
        return contract(end).message("Empty")()

    parts = [
        Container("blobs", proto, "Blobs", {"all": everything}),
        Container("end", end, "End", {"keep": keep}),
    ]
    async with serving(*parts):
        given = solution("large", parts, ["blobs.all -> end.keep"])
        assert (await run(service.ai4eu, given, iterations=1)).success
    assert sizes == [9 << 20] * 2


async def test_9_an_observer_that_does_not_read_slows_nothing_and_fills_nothing(
    serve: Serve,
) -> None:
    """Its queue is bounded; what did not fit is counted."""

    async def fail(_: int, context: Any) -> int:
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "no" * 500)
        return 0

    parts = [source(1000), relay(fail), sink([])]
    window = [("grpc.http2.bdp_probe", 0)]  # 64 KiB, as long as the observer does not read
    async with (
        serving(*parts),
        serve(observer_queue_events=20) as service,
        grpc.aio.insecure_channel(service.address, options=window) as channel,
    ):
        events = Client(channel).observe("exception")
        await events.initial_metadata()
        status = await run(service.ai4eu, solution("noisy", parts, CHAIN), iterations=2000)
        assert "1000 messages failed" in status.message
        received, dropped = 0, 0
        while received + dropped < 1000:
            event = await asyncio.wait_for(events.read(), 10)
            received += 1
            dropped += int(event.detail.get("dropped", 0))
        events.cancel()
    assert dropped > 0


async def test_9_every_observer_sees_everything(service: Service) -> None:
    parts = [source(2), relay(), sink([])]

    async def names(events: Any) -> list[tuple[str, str]]:
        found = []
        async for event in events:
            found.append((event.name, event.component))
            if event.name == "run-closed":
                break
        events.cancel()
        return found

    async with serving(*parts):
        watching = [service.ai4eu.observe() for _ in range(3)]
        few = service.ai4eu.observe("node-ready|run-closed", "r|orch")
        await asyncio.gather(*(events.initial_metadata() for events in (*watching, few)))
        await run(service.ai4eu, solution("seen", parts, CHAIN))
        first, second, third = [await names(events) for events in watching]
        assert first == second == third
        assert {"initialized", "run-started", "node-ready", "operation-ended"} <= dict(first).keys()
        assert await names(few) == [("node-ready", "relay"), ("run-closed", "orchestrator")]


RICH = """
syntax = "proto3";
package somebody.elses.v2;
import "google/protobuf/empty.proto";
enum Kind { UNKNOWN = 0; SMALL = 1; }
message Report {
  Kind kind = 1;
  repeated int32 counts = 2;
  optional string remark = 3;
  map<string, double> values = 4;
}
"""
RICH_SOURCE = RICH + "service Source { rpc next(google.protobuf.Empty) returns (Report); }"
RICH_SINK = RICH + "service Sink { rpc keep(Report) returns (google.protobuf.Empty); }"


async def pass_reports(service: Service, reports: list[Any]) -> list[Any]:
    """Send reports through a pipeline; return what has arrived."""
    arrived: list[Any] = []
    given = iter(reports)

    async def following(_: Any, context: Any) -> Any:
        report = next(given, None)
        if report is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, "no more")
        return report

    async def keep(request: Any, _: Any) -> Any:
        arrived.append(request)
        return contract(RICH_SINK).message("google.protobuf.Empty")()

    parts = [
        Container("source", RICH_SOURCE, "somebody.elses.v2.Source", {"next": following}),
        Container("sink", RICH_SINK, "somebody.elses.v2.Sink", {"keep": keep}),
    ]
    async with serving(*parts):
        given_solution = solution("rich", parts, ["source.next -> sink.keep"])
        assert (await run(service.ai4eu, given_solution)).success
    return arrived


async def test_10_packages_enums_imports_and_optional_fields_are_taken(service: Service) -> None:
    report = contract(RICH_SOURCE).message("somebody.elses.v2.Report")
    arrived = await pass_reports(service, [report(kind="SMALL", remark="", values={"a": 0.5})])
    assert arrived[0].kind == 1
    assert arrived[0].HasField("remark")
    assert dict(arrived[0].values) == {"a": 0.5}


async def test_11_messages_arrive_byte_for_byte(service: Service) -> None:
    """Packed numbers, an enum value that nobody knows, and a field that nobody knows."""
    content = b"\x08\x63" + b"\x12\x03\x01\x02\x03" + b"\x9a\x06\x02hi"
    report = contract(RICH_SOURCE).message("somebody.elses.v2.Report").FromString(content)
    arrived = await pass_reports(service, [report])
    assert arrived[0].SerializeToString() == content


async def test_12_one_message_name_may_have_different_fields_in_two_components(
    service: Service,
) -> None:
    """And the service may be the second of its file, and stand anywhere in its line."""
    other = """
      syntax = "proto3";
      message Empty {} message Number { int64 amount = 1; }
      service First { rpc ping(Empty) returns (Empty); }
        /* here */ service Relay { rpc double(Number) returns (Number); }
    """

    async def double(request: Any, _: Any) -> Any:
        return contract(other).message("Number")(amount=request.amount * 2)

    kept: list[int] = []
    parts = [
        source(3),
        Container("relay", other, "Relay", {"double": double}),
        sink(kept),
    ]
    async with serving(*parts):
        assert (await run(service.ai4eu, solution("names", parts, CHAIN))).success
    assert kept == [2, 4, 6]


HOSTILE = [
    "$(touch owned).proto",
    "`touch owned`.proto",
    "; touch owned ;.proto",
    "a.proto && touch owned",
    "| touch owned",
    "../../../owned.proto",
    "FOLDER/owned.proto",
    "--python_out=owned.proto",
    "@owned.proto",
    "a\nb\u202e.proto",
    "",
]


async def test_13_the_name_of_a_protofile_is_only_a_name(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = tmp_path / "work" / "deep" / "er"
    work.mkdir(parents=True)
    monkeypatch.chdir(work)
    kept: list[int] = []
    parts = [source(2), relay(), sink(kept)]
    given = solution("named", parts, CHAIN)
    names = [name.replace("FOLDER", str(tmp_path)) for name in HOSTILE]
    given.protofiles |= dict.fromkeys(names, RELAY)
    async with serving(*parts):
        assert (await run(service.ai4eu, given)).success
    assert kept == [2, 4]
    # The same names, this time of containers.
    for name in names:
        blueprint = given.blueprint.replace('"relay"', json.dumps(name.removesuffix(".proto")))
        hostile = Solution(blueprint, given.dockerinfo, given.protofiles)
        assert not (await service.ai4eu.initialize(hostile)).success
    assert list(work.iterdir()) == []
    assert not list(tmp_path.rglob("*owned*"))


async def test_14_fan_in_takes_from_all_and_loses_nothing(service: Service) -> None:
    async def everything(_: Any, __: Any) -> AsyncIterator[Any]:
        for value in range(1, 101):
            yield number(value, STREAM)

    kept: list[int] = []
    parts = [
        *(Container(name, STREAM, "Stream", {"all": everything}) for name in ("one", "two")),
        summing(),
        sink(kept),
    ]
    links = ["one.all -> sum.sum", "two.all -> sum.sum", "sum.sum -> sink.keep"]
    async with serving(*parts):
        given = solution("fan-in", parts, links)
        assert (await run(service.ai4eu, given, iterations=1)).success
    assert kept == [2 * 5050]


JOIN = """
syntax = "proto3";
message Empty {}
message Number { int64 value = 1; }
message Both { Number left = 1; Number right = 2; }
service Join { rpc add(Both) returns (Number); }
"""


def with_collator(given: Solution, target: str, inputs: dict[str, int]) -> Solution:
    """The same solution with a Collator between its sources and the operation that joins them."""
    blueprint = json.loads(given.blueprint)
    node, operation = target.split(".")
    for entry in blueprint["nodes"]:
        for signature in entry["operation_signature_list"]:
            if entry["container_name"] in inputs:
                to = {"operation_signature": {"operation_name": "collate"}}
                signature["connected_to"] = [{"container_name": "collator", **to}]
    to = {"container_name": node, "operation_signature": {"operation_name": operation}}
    lines = [{"source_name": name, "mapped_to_field": str(tag)} for name, tag in inputs.items()]
    blueprint["nodes"].append(
        {
            "container_name": "collator",
            "node_type": "Collator",
            "operation_signature_list": [
                {"operation_signature": {"operation_name": "collate"}, "connected_to": [to]}
            ],
            "collator_map": {
                "collator_type": "Parameter-based",
                "map_inputs": [{"input_field": line} for line in lines],
            },
        }
    )
    return Solution(json.dumps(blueprint), given.dockerinfo, given.protofiles)


async def test_14_fan_in_can_join(service: Service) -> None:
    async def add(request: Any, _: Any) -> Any:
        return contract(JOIN).message("Number")(value=request.left.value * 10 + request.right.value)

    kept: list[int] = []
    parts = [
        source(3, name="one"),
        source(3, name="two"),
        Container("join", JOIN, "Join", {"add": add}),
        sink(kept),
    ]
    given = solution("join", parts, ["join.add -> sink.keep"])
    given = with_collator(given, "join.add", {"one": 1, "two": 2})
    async with serving(*parts):
        assert (await run(service.ai4eu, given)).success
    assert kept == [11, 22, 33]


async def test_15_health_and_reflection_are_answered(service: Service) -> None:
    check = health_pb2_grpc.HealthStub(service.channel).Check
    for name in ("", "Orchestrator", "eoloom.orchestrator.v1.Runs"):
        answer = await check(health_pb2.HealthCheckRequest(service=name))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING

    async def questions() -> AsyncIterator[Any]:
        yield reflection_pb2.ServerReflectionRequest(list_services="")

    stub = reflection_pb2_grpc.ServerReflectionStub(service.channel)
    answer = await stub.ServerReflectionInfo(questions()).read()
    names = {entry.name for entry in answer.list_services_response.service}
    assert {"Orchestrator", "eoloom.orchestrator.v1.Runs"} <= names


async def test_15_a_component_that_never_answers_is_given_up(serve: Serve) -> None:
    parts = [source(1), relay(), sink([])]
    async with serving(parts[0], parts[2]), serve(start_timeout_s=0.3) as service:
        status = await run(service.ai4eu, solution("absent", parts, CHAIN))
    assert status.code != 0
    assert "node relay: relay did not become healthy within 0.3 s" in status.message


async def test_15_several_pipelines_run_at_once_in_one_process(service: Service) -> None:
    kept: dict[str, list[int]] = {name: [] for name in "abcd"}
    made = {name: [source(20), relay(), sink(kept[name])] for name in kept}
    async with serving(*(container for parts in made.values() for container in parts)):
        for name, parts in made.items():
            await service.ai4eu.initialize(solution(name, parts, CHAIN), iterations=50)
            await service.ai4eu.run(name)
        statuses = [await service.ai4eu.end(name) for name in made]
    assert all(status.success for status in statuses)
    assert list(kept.values()) == [list(range(2, 42, 2))] * 4
