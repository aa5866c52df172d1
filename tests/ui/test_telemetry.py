"""What a run sends to those who watch it, with components as processes of their own."""

import json
import re
import signal
import socket
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from composer.graph import compose
from composer.pipeline_file import parse_pipeline
from composer.registry import Registry
from orchestrator.events import Event, Kind
from orchestrator.provenance.lineage_sender import LineageSender
from tests.fakes.http_receiver import http_receiver
from tests.fakes.otlp_receiver import Receiver, otlp_receiver
from tests.ui.conftest import Start
from tests.ui.fake import PIPELINE

Finish = Callable[..., tuple[int, str, str]]

CALL = "eoloom.s2_preprocess.v1.S2Preprocess/prepare"


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Receiver:
    with otlp_receiver() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint)
        yield receiver  # type: ignore[misc]


def test_a_trace_goes_from_the_run_into_the_components(
    receiver: Receiver, finish: Finish, workplace: Path
) -> None:
    code, _, stderr = finish("run", "pipeline.yaml", "--json", "--set", "scenes.count=3")
    assert code == 0, stderr
    (run,) = receiver.named("run fake-change")
    (node,) = receiver.named("node clean")
    (start,) = receiver.named("start clean")
    calls = receiver.named(CALL)
    clients = [span for span in calls if span.service == "eoloom-orchestrator"]
    servers = [span for span in calls if span.service == "s2-preprocess"]
    assert run.parent == ""
    assert run.attributes["eoloom.run.state"] == "succeeded"
    assert (node.parent, start.parent) == (run.id, node.id)
    assert [span.parent for span in clients] == [node.id] * 3
    assert {span.parent for span in servers} == {span.id for span in clients}
    assert {span.trace for span in receiver.spans} == {run.trace}
    assert servers[0].attributes["eoloom.run"] == run.attributes["eoloom.run"]
    assert servers[0].attributes["eoloom.node"] == "clean"
    log = next(workplace.glob("runs/*/logs/clean.log")).read_text().splitlines()
    records = [json.loads(line) for line in log]
    (warning,) = [record for record in records if record.get("notice")]
    assert warning["trace_id"] == run.trace
    assert warning["span_id"] in {span.id for span in servers}


def test_a_failing_call_is_marked_on_both_sides(receiver: Receiver, finish: Finish) -> None:
    assert finish("run", "pipeline.yaml", "--set", "clean.fail_at=2")[0] == 1
    orchestrator = "eoloom-orchestrator"
    assert sorted((span.service, span.name) for span in receiver.spans if span.failed) == [
        (orchestrator, CALL),
        (orchestrator, "node clean"),
        (orchestrator, "run fake-change"),
        ("s2-preprocess", CALL),
    ]


def test_without_a_receiver_the_run_goes_on(
    finish: Finish, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("EOLOOM_OPENLINEAGE_URL", "http://127.0.0.1:9")
    started = time.monotonic()
    code, _, stderr = finish("run", "pipeline.yaml")
    assert code == 0, stderr
    assert time.monotonic() - started < 40
    assert "OpenLineage: an event could not be sent" in stderr


@pytest.mark.parametrize("variable", ["EOLOOM_OPENLINEAGE_URL", "OPENLINEAGE_URL"])
def test_lineage_is_sent_while_the_run_goes(
    variable: str, finish: Finish, monkeypatch: pytest.MonkeyPatch
) -> None:
    with http_receiver() as received:
        monkeypatch.setenv(variable, received.url)
        code, _, stderr = finish("run", "pipeline.yaml")
        assert code == 0, stderr
    assert received.paths == {"/api/v1/lineage"}
    told = [(event["eventType"], event["job"]["name"]) for event in received.documents]
    assert told[0] == ("START", "fake-change")
    assert told[-1] == ("COMPLETE", "fake-change")
    operations = {"scenes.generate", "clean.prepare", "change.detect"}
    for state in ("START", "COMPLETE"):
        assert {(state, f"fake-change.{operation}") for operation in operations} < set(told)


def test_metrics_are_served_while_the_run_goes(
    start: Start, monkeypatch: pytest.MonkeyPatch, workplace: Path
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    monkeypatch.setenv("EOLOOM_METRICS_PORT", str(port))
    gate = workplace / "gate"
    with start("run", "pipeline.yaml", "--set", f"change.wait_for={gate}") as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "clean        done" in line:
                break
        time.sleep(0.5)
        url = f"http://127.0.0.1:{port}/metrics"
        with urllib.request.urlopen(url, timeout=10) as answer:
            text = answer.read().decode()
        gate.touch()
        process.communicate(timeout=60)
    labels = '{component="fake-clean",node="clean",operation="prepare",pipeline="fake-change"}'
    assert f"eoloom_messages_answered_total{labels} 3.0" in text
    assert 'eoloom_runs_running{pipeline="fake-change"} 1.0' in text
    assert re.search(r'eoloom_call_seconds_count\{component="fake-clean".*\} 3.0', text)
    assert "fake-change-20" not in text


def test_a_port_that_is_taken_is_said_before_the_run(
    finish: Finish, monkeypatch: pytest.MonkeyPatch
) -> None:
    with http_receiver() as taken:
        monkeypatch.setenv("EOLOOM_METRICS_PORT", taken.url.rpartition(":")[2])
        code, _, stderr = finish("run", "pipeline.yaml")
    assert code == 3
    assert "EOLOOM_METRICS_PORT" in stderr
    assert json.loads(finish("runs", "--json")[1]) == []


def test_the_service_serves_metrics_before_its_first_run(start: Start) -> None:
    with start("serve", "--port", "0", "--metrics-port", "0") as process:
        assert process.stdout is not None
        said = re.search(r"http://127\.0\.0\.1:(\d+)/metrics", process.stdout.readline())
        assert said is not None
        assert "listens on" in process.stdout.readline()
        with urllib.request.urlopen(f"http://127.0.0.1:{said[1]}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert "# TYPE eoloom_runs_running gauge" in text


def test_a_slow_receiver_of_lineage_holds_nobody_up(fake_components: Path) -> None:
    graph = compose(parse_pipeline(PIPELINE), Registry.discover([fake_components]))
    started = Event("run", Kind.RUN_STARTED, detail={"pipeline": "p", "digest": ""})
    with http_receiver(delay_s=2.0) as received:
        sender = LineageSender(graph, received.url)
        before = time.monotonic()
        for _ in range(20_000):
            sender.observe(started)
        assert time.monotonic() - before < 2.0
        sender.close(0.2)
        assert time.monotonic() - before < 4.0
