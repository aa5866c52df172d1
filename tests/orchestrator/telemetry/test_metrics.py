"""The metrics of runs, from events and calls."""

import urllib.request

import grpc
import pytest
from prometheus_client import CollectorRegistry

from orchestrator.engine.plan import Plan
from orchestrator.events import Event, Kind
from orchestrator.telemetry.metrics import MOST_PIPELINES, Metrics, MetricsServer
from tests.orchestrator.conftest import Execute, make_plan, step

RELAY = {"pipeline": "test", "node": "r", "component": "scripted", "operation": "relay"}


def _plan(name: str = "test") -> Plan:
    plan = make_plan([step("s", "produce", count=3), step("r", "relay")], ["s.produce -> r.relay"])
    return Plan(name, plan.digest, plan.nodes, plan.steps, plan.links)


def _counts(run: str, **detail: int) -> Event:
    return Event(run, Kind.COUNTS, "r", "relay", detail)


def _value(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    return registry.get_sample_value(f"eoloom_{name}", labels)


def test_two_runs_of_a_pipeline_count_together_and_leave_no_gauge() -> None:
    metrics = Metrics()
    for run in ("one", "two"):
        measured = metrics.of_run(_plan())
        measured.observe(Event(run, Kind.RUN_STARTED))
        measured.observe(_counts(run, received=2, answered=1, queued=4, in_flight=1))
        measured.observe(_counts(run, received=5, answered=5, queued=1, in_flight=0))
        if run == "one":
            assert _value(metrics.registry, "queue_messages", **RELAY) == 1
            measured.observe(Event(run, Kind.RUN_CLOSED, detail={"state": "failed"}))
    assert _value(metrics.registry, "messages_received_total", **RELAY) == 10
    assert _value(metrics.registry, "queue_messages", **RELAY) == 1
    assert _value(metrics.registry, "runs_running", pipeline="test") == 1
    assert _value(metrics.registry, "runs_total", pipeline="test", state="failed") == 1


def test_names_that_users_give_do_not_make_series_without_end() -> None:
    metrics = Metrics()
    for number in range(MOST_PIPELINES + 20):
        measured = metrics.of_run(_plan(f"pipeline-{number}"))
        measured.observe(_counts("run", received=1))
    received = next(m for m in metrics.registry.collect() if m.name == "eoloom_messages_received")
    series = [s for s in received.samples if s.name.endswith("_total")]
    assert len(series) == MOST_PIPELINES + 1
    assert {s.value for s in series if s.labels["pipeline"] == "other"} == {20}


@pytest.mark.parametrize(
    ("code", "errors"),
    [
        (grpc.StatusCode.OK, None),
        (grpc.StatusCode.CANCELLED, None),
        (grpc.StatusCode.UNAVAILABLE, 1),
    ],
)
def test_calls_are_timed_and_failures_counted(code: grpc.StatusCode, errors: int | None) -> None:
    metrics = Metrics()
    record = metrics.of_run(_plan()).of_step(_plan().steps[1]).begin()
    record.end(code, "")
    assert _value(metrics.registry, "call_seconds_count", **RELAY) == 1
    assert _value(metrics.registry, "call_errors_total", **RELAY, code=code.name) == errors


def test_the_end_of_data_of_a_source_is_no_failure() -> None:
    metrics = Metrics()
    source = step("s", "poll", count=3)
    plan = Plan("test", "", (), (source,), ())
    measured = metrics.of_run(Plan("test", "", _plan().nodes, plan.steps, ()))
    measured.of_step(source).begin().end(grpc.StatusCode.NOT_FOUND, "no more")
    errors = next(m for m in metrics.registry.collect() if m.name == "eoloom_call_errors")
    assert errors.samples == []


def test_metrics_are_served_on_loopback() -> None:
    server = MetricsServer(Metrics(), "127.0.0.1", 0)
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics", timeout=10) as page:
            assert b"# TYPE eoloom_runs_running gauge" in page.read()
    finally:
        server.close()


async def test_a_run_is_measured_call_by_call(execute: Execute) -> None:
    metrics = Metrics()
    plan = _plan()
    measured = metrics.of_run(plan)
    await execute(plan, measured.observe, instruments=measured)
    assert _value(metrics.registry, "call_seconds_count", **RELAY) == 3
    assert _value(metrics.registry, "messages_answered_total", **RELAY) == 3
    assert _value(metrics.registry, "calls_in_flight", **RELAY) == 0
