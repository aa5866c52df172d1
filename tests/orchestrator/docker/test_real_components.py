"""The demonstration in containers of the real components, and as a Compose file."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import shutil
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import EXAMPLES, Ended, run_eoloom
from tests.orchestrator.docker.conftest import left_of
from tests.orchestrator.docker.greeters import put_component

pytestmark = pytest.mark.usefixtures("component_images")

SMALL = ("--set", "scenes.size=256")


@pytest.fixture(scope="session")
def local_run(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the demonstration leaves when its components are processes."""
    folder = tmp_path_factory.mktemp("local")
    ended = run_eoloom(folder, "run", str(EXAMPLES / "demo.yaml"), *SMALL, "--json")
    assert ended.code == 0, ended.stderr
    return digests(Path(ended.document["folder"]))


def digests(run: Path) -> dict[str, str]:
    """The content of all items and files of a run, by their path in it."""
    return {
        str(path.relative_to(run)): hashlib.sha256(path.read_bytes()).hexdigest()
        for part in ("results", "shared")
        for path in sorted((run / part).rglob("*"))
        if path.is_file() and path.name != ".keep"
    }


def run_demo(folder: Path, *arguments: str) -> Ended:
    command = ("run", str(EXAMPLES / "demo.yaml"), *SMALL, "--backend", "docker", "--json")
    return run_eoloom(folder, *command, *arguments)


def test_containers_leave_the_same_as_processes(
    local_run: dict[str, str], tmp_path: Path, client: Any
) -> None:
    ended = run_demo(tmp_path)
    assert ended.code == 0, ended.stderr
    assert digests(Path(ended.document["folder"])) == local_run
    assert len(local_run) > 10
    assert left_of(client, ended.document["run"]) == []


def test_killing_containers_loses_nothing(
    local_run: dict[str, str], tmp_path: Path, client: Any
) -> None:
    from docker.errors import APIError

    killed: list[str] = []
    ended = threading.Event()

    def kill() -> None:
        chance = random.Random(4)
        while not ended.wait(0.5) and len(killed) < 2:
            running = [
                container
                for container in client.containers.list(ignore_removed=True)
                if container.labels.get("org.eoloom.folder", "").startswith(str(tmp_path))
                and b"listens on" in container.logs()
            ]
            if running:
                container = chance.choice(running)
                with contextlib.suppress(APIError):  # it has just ended
                    container.kill()
                killed.append(container.labels["org.eoloom.node"])
                time.sleep(chance.uniform(1, 4))

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        done = run_demo(tmp_path)
        said = done.stderr
        for _ in range(4):
            if done.code != 0:
                done = run_eoloom(tmp_path, "resume", "last", "--json")
                said += done.stderr
    finally:
        ended.set()
        killer.join()
    assert killed
    assert done.code == 0, (killed, said)
    assert digests(Path(done.document["folder"])) == local_run


def test_the_catalogue_of_another_run_is_read_where_it_lies(tmp_path: Path) -> None:
    scenes = tmp_path / "scenes.yaml"
    scenes.write_text("name: scenes\nnodes:\n  scenes: {component: sample-scenes}\n")
    first = run_eoloom(tmp_path, "run", str(scenes), *SMALL, "--backend", "docker", "--json")
    assert first.code == 0, first.stderr
    second = run_eoloom(
        tmp_path,
        "run",
        str(EXAMPLES / "s2_change.yaml"),
        "--set",
        f"scenes.catalogue={first.document['catalogue']}",
        "--backend",
        "docker",
        "--json",
    )
    assert second.code == 0, second.stderr
    assert {result["node"] for result in second.document["results"]} >= {"change"}


DESCRIBED = """\
name: described
nodes:
  scenes: {component: sample-scenes, params: {size: 256}}
  words: {component: describer}
links:
  - scenes.generate -> words.describe
"""


def test_a_component_of_others_works_with_ours(greeter: str, tmp_path: Path) -> None:
    put_component(tmp_path / "components", "describer", greeter, "describe")
    (tmp_path / "described.yaml").write_text(DESCRIBED)
    ended = run_eoloom(
        tmp_path,
        *("run", "described.yaml", "--components", "components", "--backend", "docker", "--json"),
    )
    assert ended.code == 0, ended.stderr
    assert "words: is called in plaintext" in ended.stderr
    assert "scenes: is called in plaintext" not in ended.stderr
    paths = [Path(r["path"]) for r in ended.document["results"] if r["node"] == "words"]
    texts = [path.read_bytes()[2:].decode() for path in paths]
    assert texts == [
        "SIM_33UUU_20240731_0_L2A has some files",
        "SIM_33UUU_20240830_0_L2A has some files",
    ]


def test_a_missing_catalogue_is_named_before_anything_starts(tmp_path: Path, client: Any) -> None:
    ended = run_eoloom(
        tmp_path,
        "run",
        str(EXAMPLES / "s2_change.yaml"),
        "--set",
        "scenes.catalogue=/nowhere/catalog.json",
        "--backend",
        "docker",
        "--json",
    )
    assert ended.code == 1
    assert ended.document["message"] == (
        "node scenes: catalogue=/nowhere/catalog.json does not exist"
    )


@pytest.mark.usefixtures("orchestrator_image")
def test_a_compose_file_runs_the_pipeline(local_run: dict[str, str], tmp_path: Path) -> None:
    command = shutil.which("docker-compose")
    if command is None:
        required = "docker" in os.environ.get("EOLOOM_REQUIRE", "").split(",")
        (pytest.fail if required else pytest.skip)("there is no docker-compose")
    exported = run_eoloom(
        tmp_path, "export", str(EXAMPLES / "demo.yaml"), *SMALL, "--to", "compose", "-o", "demo"
    )
    assert exported.code == 0, exported.stderr
    folder = tmp_path / "demo"
    environment = {**os.environ, "COMPOSE_PROJECT_NAME": f"eoloom-test-{os.getpid()}"}

    def compose(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [command, *arguments],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    try:
        assert compose("config", "--quiet").returncode == 0
        done = compose("up", "--abort-on-container-exit", "--exit-code-from", "orchestrator")
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        assert digests(folder / "results" / "demo") == local_run
        again = compose("up", "--abort-on-container-exit", "--exit-code-from", "orchestrator")
        assert "has succeeded already" in again.stdout
    finally:
        compose("down", "--volumes")
    assert json.loads((folder / "results" / "demo" / "catalog.json").read_text())["id"] == "demo"
