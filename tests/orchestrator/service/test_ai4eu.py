"""What initialize, run, observe and get_status answer, also to clients who mean no good."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.service.ai4eu import MAX_LABEL
from protos.orchestrator.v1 import orchestrator_pb2 as v1
from protos.orchestrator.v1.orchestrator_pb2_grpc import RunsStub
from tests.orchestrator.service.conftest import Serve, Service
from tests.orchestrator.service.containers import (
    RELAY,
    Solution,
    relay,
    serving,
    sink,
    solution,
    source,
)

CHAIN = ["source.next -> relay.double", "relay.double -> sink.keep"]


def chain() -> Solution:
    """A solution whose containers do not serve."""
    return solution("chain", [source(), relay(), sink([])], CHAIN)


async def test_before_initialize_nothing_runs(service: Service) -> None:
    status = await service.ai4eu.get_status()
    assert (status.success, status.code, status.message) == (False, 0, "not initialized")
    status = await service.ai4eu.run()
    assert (status.success, status.code, status.message) == (False, -1, "not initialized")


async def test_a_pipeline_that_is_refused_does_not_leave_the_one_before(service: Service) -> None:
    assert (await service.ai4eu.initialize(chain())).success
    bad = Solution("{", chain().dockerinfo, {})
    status = await service.ai4eu.initialize(bad)
    assert not status.success
    assert status.code != 0
    assert "blueprint.json: not JSON" in status.message
    assert (await service.ai4eu.get_status()).message == status.message
    assert "blueprint.json: not JSON" in (await service.ai4eu.run()).message


async def test_the_solution_of_another_case_is_taken(service: Service) -> None:
    """The deployer of the original writes names of containers in lower case into dockerinfo."""
    kept: list[int] = []
    parts = [source(2, "Source1"), relay(name="Relay1"), sink(kept, "Sink1")]
    links = ["Source1.next -> Relay1.double", "Relay1.double -> Sink1.keep"]
    given = solution("Case", parts, links)
    ports = json.loads(given.dockerinfo.lower())
    for entry in ports["docker_info_list"]:
        entry["port"] = str(entry["port"])
    given.dockerinfo = json.dumps(ports)
    async with serving(*parts):
        assert (await service.ai4eu.initialize(given, iterations=9)).success
        await service.ai4eu.run()
        assert (await service.ai4eu.end()).success
    assert kept == [2, 4]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"dockerinfo": '{"docker_info_list": []}'}, "dockerinfo.json has no address of relay"),
        ({"dockerinfo": "[]"}, "dockerinfo.json: not a JSON object"),
        ({"protofiles": {}}, "there is no contract of source"),
        ({"blueprint": "{}"}, "it has no nodes"),
        ({"blueprint": "[" * 100_000}, "blueprint.json: not JSON"),
        ({"blueprint": '{"nodes": 7}'}, "nodes"),
    ],
)
async def test_what_is_missing_is_named(
    service: Service, change: dict[str, Any], reason: str
) -> None:
    status = await service.ai4eu.initialize(Solution(**{**vars(chain()), **change}))
    assert not status.success
    assert reason in status.message


@pytest.mark.parametrize(
    ("host", "port"),
    [
        ("unix:/run/secret.sock", 8061),
        ("/run/secret.sock", 8061),
        ("dns://evil.example/host", 8061),
        ("xds:///host", 8061),
        ("host%0a", 8061),
        ("host", 0),
        ("host", 65_536),
        ("host", "8061/x"),
        ("", 8061),
    ],
)
async def test_an_address_is_a_host_and_a_port_and_nothing_else(
    service: Service, host: str, port: Any
) -> None:
    given = chain()
    entry = {"container_name": "relay", "ip_address": host, "port": port}
    given.dockerinfo = json.dumps({"docker_info_list": [entry]})
    status = await service.ai4eu.initialize(given)
    assert not status.success
    assert "dockerinfo.json" in status.message


async def test_ten_thousand_nodes_are_refused(service: Service) -> None:
    given = chain()
    blueprint = json.loads(given.blueprint)
    blueprint["nodes"] = [{"container_name": f"n{i}"} for i in range(10_000)]
    given.blueprint = json.dumps(blueprint)
    status = await service.ai4eu.initialize(given)
    assert status.message.startswith("not initialized: blueprint.json: it has 10000 nodes")


async def test_many_protofiles_are_refused(service: Service) -> None:
    given = chain()
    given.protofiles = {f"{i}.proto": RELAY for i in range(5_000)}
    assert "5000 protofiles" in (await service.ai4eu.initialize(given)).message


async def test_a_message_that_is_too_large_is_refused_and_the_service_goes_on(
    serve: Serve,
) -> None:
    async with serve(max_request_bytes=100_000) as service:
        given = chain()
        given.blueprint += " " * 200_000
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await service.ai4eu.initialize(given)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert (await service.ai4eu.initialize(chain())).success


async def test_bytes_that_are_no_message_are_refused_and_the_service_goes_on(
    service: Service,
) -> None:
    call: Any = service.channel.unary_unary("/Orchestrator/initialize")
    with pytest.raises(grpc.aio.AioRpcError):
        await call(b"\xff\xff\xff")
    assert (await service.ai4eu.initialize(chain())).success


async def test_a_negative_queue_is_refused(service: Service) -> None:
    status = await service.ai4eu.initialize(chain(), queuesize=-1)
    assert "queuesize is -1" in status.message


@pytest.mark.parametrize("label", ["a" * (MAX_LABEL + 1), "a\nb", "\0"])
async def test_a_label_is_short_and_printable(service: Service, label: str) -> None:
    await service.ai4eu.initialize(chain())
    status = await service.ai4eu.run(label)
    assert not status.success
    assert "label" in status.message


async def test_what_is_observed_must_be_a_regular_expression(service: Service) -> None:
    events = service.ai4eu.observe("(")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await events.read()
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "name_regex" in caught.value.details()


async def test_a_fault_of_a_pipeline_is_observed_as_an_exception(service: Service) -> None:
    """As the original's client shows it: with its method and its traceback."""
    events = service.ai4eu.observe("", "orchestrator")
    await events.initial_metadata()
    await service.ai4eu.initialize(Solution("{", "{}", {}))
    event = await events.read()
    events.cancel()
    assert (event.name, event.component) == ("exception", "orchestrator")
    assert event.detail["method"] == "initialize"
    assert "not JSON" in event.detail["traceback"]


async def test_warnings_are_observed(service: Service) -> None:
    events = service.ai4eu.observe("initialized")
    await events.initial_metadata()
    given = chain()
    blueprint = json.loads(given.blueprint)
    blueprint["nodes"].append({"container_name": "probe1", "node_type": "Probe"})
    given.blueprint = json.dumps(blueprint)
    assert (await service.ai4eu.initialize(given)).success
    event = await events.read()
    events.cancel()
    assert "Probe probe1" in event.detail["warnings"]


async def test_observers_who_go_are_forgotten_and_too_many_are_refused(serve: Serve) -> None:
    async with serve(max_observers_per_user=2) as service:
        for _ in range(5):
            events = service.ai4eu.observe()
            await events.initial_metadata()
            events.cancel()
            await asyncio.sleep(0.05)
        kept = [service.ai4eu.observe() for _ in range(2)]
        for events in kept:
            await events.initial_metadata()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await service.ai4eu.observe().read()
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        for events in kept:
            events.cancel()


async def test_a_run_is_known_by_its_id_too(service: Service) -> None:
    events = service.ai4eu.observe("run-started")
    await events.initial_metadata()
    parts = [source(1), relay(), sink([])]
    async with serving(*parts):
        await service.ai4eu.initialize(solution("known", parts, CHAIN), iterations=9)
        await service.ai4eu.run()
        event = await events.read()
        events.cancel()
        await service.ai4eu.end()
        assert (await service.ai4eu.get_status(event.run)).message == "succeeded"


async def test_its_runs_are_among_those_of_our_own_service(service: Service) -> None:
    parts = [source(2), relay(), sink([])]
    async with serving(*parts):
        await service.ai4eu.initialize(solution("both", parts, CHAIN), iterations=9)
        await service.ai4eu.run("nightly")
        await service.ai4eu.end("nightly")
    runs = RunsStub(service.channel)
    (run,) = (await runs.list(v1.ListRequest())).runs
    assert (run.pipeline, run.label, run.state) == ("both", "nightly", v1.STATE_SUCCEEDED)
    kinds = [event.kind async for event in runs.watch(v1.WatchRequest(run=run.id))]
    assert (kinds[0], kinds[-1]) == ("run-started", "run-closed")
    assert [r async for r in runs.results(v1.ResultsRequest(run=run.id))] == []


async def test_a_run_without_end_can_be_cancelled_by_our_own_service(service: Service) -> None:
    parts = [source(), relay(), sink([])]
    async with serving(*parts):
        await service.ai4eu.initialize(solution("endless", parts, CHAIN))
        await service.ai4eu.run()
        runs = RunsStub(service.channel)
        (run,) = (await runs.list(v1.ListRequest())).runs
        assert (await runs.cancel(v1.CancelRequest(run=run.id))).state == v1.STATE_CANCELLED
        status = await service.ai4eu.get_status()
    assert (status.success, status.code, status.active_threads) == (False, 0, 0)
    assert status.message == "cancelled; the run was stopped"


NAMES = st.sampled_from(["source", "relay", "sink", "collator", "a/b", "..", "", "x" * 400])
OPERATIONS = st.sampled_from(["next", "double", "keep", "no", "1", ""])
TEXTS = st.one_of(st.text(max_size=20), NAMES, OPERATIONS)
SIGNATURES = st.fixed_dictionaries(
    {"operation_name": OPERATIONS},
    optional={
        "input_message_name": TEXTS,
        "output_message_stream": st.one_of(st.booleans(), TEXTS),
    },
)
LINKS = st.fixed_dictionaries({"container_name": NAMES, "operation_signature": SIGNATURES})
FIELDS = st.fixed_dictionaries(
    {"mapped_to_field": TEXTS, "parameter_tag": st.sampled_from(["", "1", "-1", "9" * 30])},
    optional={"source_name": NAMES, "target_name": NAMES, "other_attributes": TEXTS},
)
NODES = st.fixed_dictionaries(
    {"container_name": NAMES},
    optional={
        "node_type": st.sampled_from(["MLModel", "Collator", "Splitter", "SharedFolder", "?"]),
        "image": TEXTS,
        "operation_signature_list": st.lists(
            st.fixed_dictionaries(
                {"operation_signature": SIGNATURES, "connected_to": st.lists(LINKS, max_size=3)}
            ),
            max_size=3,
        ),
        "collator_map": st.fixed_dictionaries(
            {"map_inputs": st.lists(st.fixed_dictionaries({"input_field": FIELDS}), max_size=3)}
        ),
        "eoloom": st.one_of(TEXTS, st.dictionaries(TEXTS, TEXTS, max_size=2)),
    },
)
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=10,
)
BLUEPRINTS = st.one_of(
    st.builds(
        json.dumps, st.fixed_dictionaries({"name": TEXTS, "nodes": st.lists(NODES, max_size=4)})
    ),
    st.builds(json.dumps, JSON),
    st.text(max_size=100),
)
DOCKERINFOS = st.one_of(
    st.just(chain().dockerinfo), st.builds(json.dumps, JSON), st.text(max_size=50)
)
PROTOFILES = st.one_of(
    st.just(chain().protofiles), st.dictionaries(TEXTS, st.text(max_size=50), max_size=2)
)


async def test_nothing_that_is_initialized_crashes_the_service(service: Service) -> None:
    """Every answer is a status, never an error, and afterwards a good pipeline is taken."""
    client = service.ai4eu
    loop = asyncio.get_running_loop()

    @settings(
        max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
    )
    @given(BLUEPRINTS, DOCKERINFOS, PROTOFILES, st.integers(-(2**31), 2**31 - 1))
    def fuzz(blueprint: str, dockerinfo: str, protofiles: dict[str, str], queuesize: int) -> None:
        sent = Solution(blueprint, dockerinfo, protofiles)
        answer = client.initialize(sent, queuesize=queuesize, iterations=1)
        status = asyncio.run_coroutine_threadsafe(answer, loop).result(30)
        assert status.success is (status.code == 0), status.message
        assert "a fault in the orchestrator" not in status.message

    await asyncio.to_thread(fuzz)
    assert (await client.initialize(chain())).success
