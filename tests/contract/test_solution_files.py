"""The programs that a solution.zip carries: they run as its readme says."""

import io
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path

import grpc
import pytest

from composer.graph import compose
from composer.onboarding import onboard
from composer.pipeline_file import load_pipeline, parse_pipeline
from composer.registry import Registry
from composer.solution import export_solution, import_solution
from protos.orchestrator.ai4eu import orchestrator_pb2, orchestrator_pb2_grpc

CONTRACT = """
syntax = "proto3";
message Empty {}
message Word { string text = 1; }
service Text { rpc list(Empty) returns (stream Word); rpc show(stream Word) returns (Empty); }
"""
PIPELINE = """
name: words
nodes: {a: {component: text, shared_folder: /data}, b: {component: text}}
links: [a.list -> b.show]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A solution, unpacked."""
    graph = compose(parse_pipeline(PIPELINE), Registry([onboard("example/text:1", CONTRACT)]))
    with zipfile.ZipFile(io.BytesIO(export_solution(graph).content)) as archive:
        archive.extractall(tmp_path / "solution")
    return tmp_path / "solution"


class Orchestrator(orchestrator_pb2_grpc.OrchestratorServicer):
    """Ends a run after two looks at it."""

    def __init__(self, *, code: int = 0) -> None:
        self.code = code
        self.calls: list[object] = []

    def initialize(self, request, context):  # type: ignore[no-untyped-def]  # a servicer's method
        self.calls.append(request)
        return orchestrator_pb2.OrchestrationStatus(success=True, message="initialized")

    def observe(self, request, context):  # type: ignore[no-untyped-def]  # a servicer's method
        for name in ("started", "sent"):
            yield orchestrator_pb2.OrchestrationEvent(
                run="r1", component="a", name=name, detail={"n": "1"}
            )
        context.add_callback(lambda: None)

    def run(self, request, context):  # type: ignore[no-untyped-def]  # a servicer's method
        self.calls.append(request)
        return orchestrator_pb2.OrchestrationStatus(success=True, message="started")

    def get_status(self, request, context):  # type: ignore[no-untyped-def]  # a servicer's method
        self.calls.append("get_status")
        ended = self.calls.count("get_status") > 1
        return orchestrator_pb2.OrchestrationStatus(
            success=ended and not self.code, code=self.code if ended else 0, message="ended"
        )


@pytest.fixture(params=[0, 3], ids=["a run that succeeds", "a run that fails"])
def served(request: pytest.FixtureRequest) -> Iterator[tuple[Orchestrator, str]]:
    orchestrator = Orchestrator(code=request.param)
    server = grpc.server(futures.ThreadPoolExecutor(4))
    orchestrator_pb2_grpc.add_OrchestratorServicer_to_server(orchestrator, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield orchestrator, f"127.0.0.1:{port}"
    server.stop(None).wait()


def test_the_client_runs_the_solution(folder: Path, served: tuple[Orchestrator, str]) -> None:
    orchestrator, endpoint = served
    script = folder / "orchestrator_client" / "orchestrator_client.py"
    command = [sys.executable, script, "--endpoint", endpoint, "--iterations", "2", "-l", "mine"]
    result = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=60, cwd=folder.parent
    )
    assert result.returncode == (1 if orchestrator.code else 0), result.stderr
    configuration, label = orchestrator.calls[:2]
    assert isinstance(configuration, orchestrator_pb2.OrchestrationConfiguration)
    assert configuration.iterations == 2
    assert configuration.blueprint == (folder / "blueprint.json").read_text(encoding="utf-8")
    assert sorted(configuration.protofiles) == ["a.proto", "b.proto"]
    assert label == orchestrator_pb2.RunLabel(label="mine")
    assert "r1 a started n='1'" in result.stdout
    assert "end: ended" in result.stdout


def test_the_script_gives_kubectl_all_files_and_waits(folder: Path, tmp_path: Path) -> None:
    said = tmp_path / "said"
    kubectl = tmp_path / "bin" / "kubectl"
    kubectl.parent.mkdir()
    kubectl.write_text(f'#!/bin/sh\necho "$@" >> {said}\n')
    kubectl.chmod(0o700)
    environment = {**os.environ, "PATH": f"{kubectl.parent}{os.pathsep}{os.environ['PATH']}"}
    script = [sys.executable, folder / "kubernetes-client-script.py", "--namespace", "mine"]
    subprocess.run(script, check=True, env=environment, capture_output=True)
    subprocess.run([*script, "--delete"], check=True, env=environment, capture_output=True)
    lines = said.read_text().splitlines()
    assert lines[0].startswith("--namespace=mine apply --filename=")
    assert all(str(path) in lines[0] for path in (folder / "deployments").iterdir())
    waited = [line for line in lines if " rollout status " in line]
    assert [Path(line.split("--filename=")[1].split()[0]).name for line in waited] == [
        "a_deployment.yaml",
        "b_deployment.yaml",
        "orchestrator_deployment.yaml",
    ]
    assert lines[-1].startswith("--namespace=mine delete --ignore-not-found --filename=")


def test_a_script_that_fails_says_so(folder: Path, tmp_path: Path) -> None:
    kubectl = tmp_path / "kubectl"
    kubectl.write_text("#!/bin/sh\nexit 7\n")
    kubectl.chmod(0o700)
    script = [sys.executable, folder / "kubernetes-client-script.py", "--namespace", "mine"]
    environment = {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    assert subprocess.run(script, check=False, env=environment).returncode == 7


EXAMPLES = sorted((Path(__file__).resolve().parents[2] / "examples").glob("*.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_goes_out_and_in(path: Path) -> None:
    registry = Registry.discover()
    pipeline = load_pipeline(path).pipeline
    back = import_solution(export_solution(compose(pipeline, registry)).content, registry)
    assert back.pipeline.digest == pipeline.digest
    assert back.onboarded == ()
    assert back.warnings == ()


def test_every_file_that_the_readme_names_is_there(folder: Path) -> None:
    readme = (folder / "deployment-readme.txt").read_text(encoding="utf-8")
    listed = [
        line.split()[0] for line in readme.splitlines() if line.startswith("  ") and "/" in line
    ]
    assert listed
    for name in ("blueprint.json", "dockerinfo.json", "microservice", "deployments"):
        assert (folder / name).exists()
        assert name in readme
