"""Pipelines on a real cluster of one node: kubelet, containerd, its network and its volumes.

The images are those that a real engine has built of the code as it is now.
"""

from __future__ import annotations

import hashlib
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml
from grpc_health.v1 import health_pb2, health_pb2_grpc

from composer.graph import compose
from composer.pipeline_file import load_pipeline
from composer.registry import Registry
from orchestrator.backends.kubernetes.apply import Deployer
from orchestrator.backends.kubernetes.channels import PortForward
from orchestrator.backends.kubernetes.cluster import Cluster
from orchestrator.backends.kubernetes.deployments import undeploy
from orchestrator.backends.kubernetes.objects import ObjectKey, key_of, selector_of
from orchestrator.backends.kubernetes.readiness import wait_until_ready
from orchestrator.backends.kubernetes.results import fetch_runs
from orchestrator.images.build import BuiltImage
from orchestrator.profiles import Images, Profile, Requests, Storage, load_profile
from orchestrator.render import RenderOptions, render
from orchestrator.render.project import render_project
from tests.data import ROOT, cluster_folder, require
from tests.orchestrator.kubernetes.cluster_services import CLASS
from tests.orchestrator.kubernetes.control_plane import wait_for
from tests.orchestrator.kubernetes.node import Node, running_node

NAMES = ("sample-scenes", "s2-preprocess", "s2-change")
NAMESPACE = "forest"
READY_S = 240.0


@pytest.fixture(scope="module")
def programs() -> Path:
    """Those of a cluster; without them no image is built for it."""
    require("cluster")
    return cluster_folder()


@pytest.fixture(scope="module")
def node(
    programs: Path,
    tmp_path_factory: pytest.TempPathFactory,
    component_images: dict[str, BuiltImage],
    orchestrator_image: BuiltImage,
) -> Iterator[Node]:
    folder = tmp_path_factory.mktemp("node")
    references = [component_images[name].reference for name in NAMES]
    with running_node(programs, folder) as found:
        archive = folder / "images.tar"
        command = ["docker", "save", "--output", archive, *references, orchestrator_image.reference]
        subprocess.run(command, check=True)
        found.import_images(archive)
        archive.unlink()
        yield found


@pytest.fixture(scope="module")
def cluster(node: Node) -> Iterator[Cluster]:
    with closing(node.connect(namespace=NAMESPACE)) as found:
        for an_object in render_project(NAMESPACE, site()):
            found.apply(an_object)
        account = ObjectKey("v1", "ServiceAccount", NAMESPACE, "default")
        wait_for(lambda: found.get(account) is not None)
        yield found


def site() -> Profile:
    return replace_in(
        load_profile("kind"),
        images=Images(registry="eoloom"),
        storage=Storage(storage_class=CLASS, size="2Gi"),
    )


def replace_in(profile: Profile, **fields: Any) -> Profile:
    return profile.model_copy(update=fields)


def pipeline(folder: Path, cpu: float = 0.1) -> Path:
    """The demo pipeline, for a node with two cores."""
    content = yaml.safe_load((ROOT / "examples" / "demo.yaml").read_text())
    for node in content["nodes"].values():
        node["resources"] = {"cpu": cpu, "memory": "512Mi"}
    file = folder / "demo.yaml"
    file.write_text(yaml.safe_dump(content))
    return file


def deployer(cluster: Cluster, file: Path, name: str, profile: Profile) -> Deployer:
    graph = compose(load_pipeline(file), Registry.discover())
    return Deployer(cluster, render(graph, profile, RenderOptions(name=name, namespace=NAMESPACE)))


def digests(folder: Path) -> dict[str, str]:
    """The files of the only run in a folder of runs, without what differs from run to run."""
    (run,) = [each for each in folder.iterdir() if (each / "shared").is_dir()]
    files = [file for part in ("shared", "results") for file in (run / part).rglob("*")]
    return {
        str(file.relative_to(run)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in files
        if file.is_file()
    }


def pods(cluster: Cluster, name: str) -> list[dict[str, Any]]:
    return cluster.list(cluster.resource("v1", "Pod"), labels=selector_of(name))[0]


def has_succeeded(cluster: Cluster, name: str) -> bool:
    jobs, _ = cluster.list(cluster.resource("batch/v1", "Job"), labels=selector_of(name))
    conditions = [each for job in jobs for each in job.get("status", {}).get("conditions", [])]
    assert not [each for each in conditions if each["type"] == "Failed"], conditions
    return any(each["type"] == "Complete" for each in conditions)


@contextmanager
def killing(cluster: Cluster, name: str, most: int) -> Iterator[list[str]]:
    """Kill running pods of a deployment at random, the orchestrator's among them."""
    killed: list[str] = []
    stopped = threading.Event()
    chance = random.Random(7)

    def kill() -> None:
        while len(killed) < most and not stopped.wait(chance.uniform(3, 7)):
            running = [
                pod["metadata"]["name"]
                for pod in pods(cluster, name)
                if pod["status"]["phase"] == "Running"
                and "deletionTimestamp" not in pod["metadata"]
            ]
            if running:
                killed.append(chance.choice(running))
                key = ObjectKey("v1", "Pod", NAMESPACE, killed[-1])
                path = cluster.resource("v1", "Pod").path(NAMESPACE, key.name)
                cluster.request("DELETE", path, body={"gracePeriodSeconds": 0})

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield killed
    finally:
        stopped.set()
        thread.join(60)


def test_a_run_whose_pods_are_killed_gives_what_a_local_run_gives(
    cluster: Cluster, tmp_path: Path
) -> None:
    file = pipeline(tmp_path)
    deployment = deployer(cluster, file, "killed", site())
    changes = deployment.preview()
    assert {change.action for change in changes} == {"create"}
    assert [change.warnings for change in changes if change.warnings] == []
    deployment.apply()
    with killing(cluster, "killed", most=6) as killed:
        wait_for(lambda: has_succeeded(cluster, "killed"), timeout_s=READY_S)
    assert killed
    assert wait_until_ready(cluster, "killed", timeout_s=READY_S).is_ready

    (serving,) = [pod for pod in pods(cluster, "killed") if "--clean-" in pod["metadata"]["name"]]
    with (
        PortForward(cluster, key_of(serving), 8061) as forward,
        grpc.insecure_channel(f"127.0.0.1:{forward.port}") as channel,
    ):
        stub = health_pb2_grpc.HealthStub(channel)
        answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=20)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING

    again = deployer(cluster, file, "killed", site()).apply()
    assert {change.action for change in again} == {"unchanged"}
    assert has_succeeded(cluster, "killed")

    fetch_runs(cluster, "killed", tmp_path / "fetched")
    local = [sys.executable, "-m", "ui", "run", str(file), "--no-cache"]
    local += ["--runs-folder", str(tmp_path / "local")]
    subprocess.run(local, check=True, capture_output=True)
    assert digests(tmp_path / "fetched") == digests(tmp_path / "local")

    undeploy(cluster, "killed", delete_results=True, timeout_s=READY_S)
    assert pods(cluster, "killed") == []
    path = "/api/v1/persistentvolumes"
    wait_for(lambda: not cluster.request("GET", path).body["items"], timeout_s=30)


def test_a_node_that_is_full_is_no_obstacle_to_a_correction(
    cluster: Cluster, tmp_path: Path
) -> None:
    """The old replica holds what the new one needs, and its run has never begun."""
    whole = replace_in(site(), requests=Requests(cpu=1.0))
    deployer(cluster, pipeline(tmp_path, cpu=1.7), "full", whole).apply()
    found = wait_until_ready(cluster, "full", timeout_s=20)
    assert not found.is_ready
    assert any("no node has enough free cpu" in reason.text for reason in found.reasons)
    deployer(cluster, pipeline(tmp_path, cpu=0.1), "full", whole).apply()
    assert wait_until_ready(cluster, "full", timeout_s=READY_S).is_ready
    undeploy(cluster, "full", delete_results=True, timeout_s=READY_S)


def test_a_registry_that_is_away_is_told(cluster: Cluster, tmp_path: Path) -> None:
    profile = replace_in(site(), images=Images(registry="127.0.0.1:9/eoloom"))
    deployer(cluster, pipeline(tmp_path), "away", profile).apply()
    found = wait_until_ready(cluster, "away", timeout_s=20)
    told = {reason.subject: reason.text for reason in found.reasons}
    assert "the node cannot reach the registry" in told["scenes"]
    assert "127.0.0.1:9/eoloom/sample-scenes" in told["scenes"]
    undeploy(cluster, "away", delete_results=True, timeout_s=READY_S)
