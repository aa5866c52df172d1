"""Solutions of AI4Experiments from the command line, and the service."""

from __future__ import annotations

import json
import signal
import zipfile
from collections.abc import Callable
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.ui.conftest import Start

Finish = Callable[..., tuple[int, str, str]]

ROOT = Path(__file__).parents[2]
EXAMPLE = str(ROOT / "examples" / "s2_change.yaml")


def test_a_pipeline_goes_out_and_comes_back(finish: Finish, workplace: Path) -> None:
    code, stdout, stderr = finish("export", EXAMPLE, "--output", "s2.zip")
    assert code == 0, stderr
    assert "wrote s2.zip" in stdout
    names = set(zipfile.ZipFile(workplace / "s2.zip").namelist())
    assert {"blueprint.json", "dockerinfo.json", "microservice/change.proto"} <= names
    code, _, stderr = finish("import", "s2.zip", "--output", "back.yaml")
    assert code == 0, stderr
    code, stdout, _ = finish("validate", "back.yaml", "--json")
    assert code == 0
    links = json.loads(stdout)["pipeline"]["links"]
    assert sorted(links) == ["clean.prepare -> change.detect", "scenes.search -> clean.prepare"]


def test_a_blueprint_alone(finish: Finish, workplace: Path) -> None:
    assert finish("export", EXAMPLE, "--to", "blueprint", "--output", "blueprint.json")[0] == 0
    blueprint = json.loads((workplace / "blueprint.json").read_text())
    assert [node["container_name"] for node in blueprint["nodes"]] == ["scenes", "clean", "change"]


def test_what_is_no_solution(finish: Finish, workplace: Path) -> None:
    (workplace / "broken.zip").write_bytes(b"PK\x03\x04 and then nothing")
    for name, words in (
        ("broken.zip", "broken.zip: it is no archive"),
        ("missing.zip", "cannot read missing.zip"),
    ):
        code, _, stderr = finish("import", name, "--output", "out.yaml")
        assert code == 2
        assert words in stderr
        assert "Traceback" not in stderr
    assert not (workplace / "out.yaml").exists()


def test_the_service_answers_until_it_is_interrupted(start: Start) -> None:
    with start("serve", "--port", "0") as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        address = line.split("listens on ")[1].partition(";")[0]
        with grpc.insecure_channel(address) as channel:
            health = health_pb2_grpc.HealthStub(channel)
            answer = health.Check(health_pb2.HealthCheckRequest(), timeout=20, wait_for_ready=True)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert process.returncode == 0


def test_the_service_does_not_listen_for_others_without_protection(finish: Finish) -> None:
    everywhere = "0.0.0.0"  # noqa: S104 - what is to be refused
    code, _, stderr = finish("serve", "--host", everywhere, "--port", "0")
    assert code == 3
    assert "Traceback" not in stderr
    assert "TLS" in stderr
