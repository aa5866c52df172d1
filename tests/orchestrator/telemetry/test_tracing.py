"""The spans of runs, from events and calls, kept in memory by the SDK's exporter."""

import itertools
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from orchestrator.events import Event, Kind
from orchestrator.telemetry.tracing import RunTracing
from tests.orchestrator.conftest import Execute, Execution, make_plan, step

END = Event("test-run", Kind.RUN_CLOSED, detail={"state": "succeeded", "message": ""})


class Traced:
    """A provider and what it has exported."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracing = RunTracing(self.provider)

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.exporter.get_finished_spans() if span.name == name]


@pytest.fixture
def traced() -> Iterator[Traced]:
    traced = Traced()
    yield traced
    traced.provider.shutdown()


async def _run(traced: Traced, execute: Execute, *steps: object, **settings: object) -> Execution:
    keys = [each.key for each in steps]  # type: ignore[attr-defined]
    links = [f"{a} -> {b}" for a, b in itertools.pairwise(keys)]
    execution = await execute(
        make_plan(list(steps), links),  # type: ignore[arg-type]
        traced.tracing.observe,
        instruments=traced.tracing,
        **settings,
    )
    traced.tracing.observe(END)
    return execution


async def test_each_attempt_at_a_call_is_a_span(traced: Traced, execute: Execute) -> None:
    relay = step("r", "relay", {"idempotent": True}, fail_at=[2], status="UNAVAILABLE")
    await _run(traced, execute, step("s", "produce", count=2), relay)
    calls = traced.named("tests.Scripted/relay")
    assert [span.status.is_ok for span in calls] == [True, False, True]
    assert calls[1].attributes is not None
    assert calls[1].attributes["rpc.grpc.status_code"] == 14
    (node,) = traced.named("node r")
    assert [event.name for event in node.events] == ["retry"]


async def test_polling_to_the_end_of_data_is_no_error(traced: Traced, execute: Execute) -> None:
    execution = await _run(traced, execute, step("s", "poll", count=2), step("r", "relay"))
    assert execution.outcome.state == "succeeded"
    assert len(traced.named("tests.Scripted/poll")) == 3
    failed = [s.name for s in traced.exporter.get_finished_spans() if not s.status.is_ok]
    assert failed == []


async def test_every_span_is_ended_when_the_run_fails(traced: Traced, execute: Execute) -> None:
    relay = step("r", "relay", fail_at=[1])
    await _run(traced, execute, step("s", "produce", count=2), relay)
    names = {span.name for span in traced.exporter.get_finished_spans()}
    assert {"node s", "node r", "start s", "start r"} < names
    assert "tests.Scripted/produce" in names
    (node,) = traced.named("node r")
    assert "scripted failure at 1" in (node.status.description or "")
