"""The process of a deployed run: its components run already, and its pod may be lost."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
import yaml

from orchestrator import deployed
from orchestrator.deployed import BROKEN, ENVIRONMENT, FAILED, INTERRUPTED, INVALID, SUCCEEDED

Start = Callable[..., subprocess.Popen[str]]

RUN = "forest-1a2b"
PARAMS = {"dates": ["2024-06-01", "2024-07-01", "2024-08-01", "2024-09-01"], "size": 512}
PIPELINE = {
    "name": "forest",
    "nodes": {"scenes": {"component": "sample-scenes", "params": PARAMS}},
    "links": [],
}


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """The volume, as the pods' first container leaves it."""
    (tmp_path / "runs" / RUN / "shared").mkdir(parents=True)
    return tmp_path / "runs"


@pytest.fixture
def component(runs: Path) -> Iterator[str]:
    """The address of a component that somebody else has started."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    env = {
        **os.environ,
        "EOLOOM_ADDRESS": address,
        "SHARED_FOLDER_PATH": str(runs / RUN / "shared"),
    }
    process = subprocess.Popen([sys.executable, "-m", "components.sample_scenes"], env=env)
    yield f"dns:///{address}"
    process.terminate()
    process.wait()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start the orchestrator as the Job's pod does; whatever still runs at the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def begin(address: str, **values: Any) -> subprocess.Popen[str]:
        folder = tmp_path / "input"
        folder.mkdir(exist_ok=True)
        (folder / "pipeline.yaml").write_text(yaml.safe_dump(PIPELINE | values))
        (folder / "addresses.json").write_text(json.dumps({"scenes": address}))
        (folder / "replicas.json").write_text(json.dumps({"scenes": 1}))
        env = {
            **os.environ,
            "EOLOOM_RUNS_FOLDER": str(tmp_path / "runs"),
            "EOLOOM_DEPLOYED_RUN": RUN,
            "EOLOOM_DEPLOYED_FOLDER": str(folder),
            "EOLOOM_DEPLOYED_TERMINATION_LOG": str(tmp_path / "termination-log"),
            "EOLOOM_CACHE": "false",
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "orchestrator.deployed"],
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.wait()
        for pipe in (process.stdout, process.stderr):
            assert pipe is not None
            pipe.close()


def until_result(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if json.loads(line)["event"] == "result":
            return
    raise AssertionError(process.stderr and process.stderr.read())


def test_a_run_whose_pod_was_lost_goes_on_in_the_next(
    start: Start, runs: Path, component: str, tmp_path: Path
):
    image = {"reference": "r.example/x:1", "digest": f"r.example/x@sha256:{'0' * 64}"}
    (tmp_path / "input").mkdir()
    (tmp_path / "input" / "images.json").write_text(json.dumps({"scenes": image}))
    first = start(component)
    until_result(first)
    first.kill()
    first.communicate()
    second = start(component)
    told, said = second.communicate(timeout=120)
    assert second.returncode == SUCCEEDED, said
    events = [json.loads(line) for line in told.splitlines()]
    assert events[-1]["event"] == "run-closed"
    assert events[-1]["detail"]["state"] == "succeeded"
    # What has run is known afterwards, also after its tag has moved.
    kept = json.loads((runs / RUN / "backend.json").read_text())
    assert kept == {"backend": "addresses", "images": {"scenes": image}}
    items = {path.stem for path in (runs / RUN / "results").rglob("*.json")}
    for date in PARAMS["dates"]:
        assert [item for item in items if date.replace("-", "") in item], items
    # Whoever is started once more has nothing left to do.
    third = start(component)
    told, said = third.communicate(timeout=60)
    assert (third.returncode, told) == (SUCCEEDED, "")
    assert "has succeeded already" in said


def test_two_orchestrators_do_not_write_one_run(start: Start, runs: Path, component: str):
    first = start(component)
    until_result(first)
    os.kill(first.pid, signal.SIGSTOP)
    second = start(component)
    assert second.stderr is not None
    waits = next(line for line in second.stderr if "another orchestrator" in line)
    assert str(runs / RUN) in waits
    # It can be asked to end while it waits.
    second.terminate()
    assert second.wait(timeout=20) == INTERRUPTED
    os.kill(first.pid, signal.SIGCONT)
    first.communicate(timeout=120)
    assert first.returncode == SUCCEEDED


def test_asked_to_end_it_ends_and_the_run_goes_on_later(start: Start, runs: Path, component: str):
    first = start(component)
    until_result(first)
    first.terminate()
    first.communicate(timeout=60)
    assert first.returncode == INTERRUPTED
    second = start(component)
    second.communicate(timeout=120)
    assert second.returncode == SUCCEEDED


@pytest.mark.parametrize(
    ("values", "code", "told"),
    [
        ({"nodes": {"scenes": {"component": "gone"}}}, INVALID, "gone"),
        ({"nodes": {"other": {"component": "sample-scenes"}}}, FAILED, "node other"),
    ],
)
def test_what_trying_again_does_not_help_has_a_code_of_its_own(
    values: dict[str, Any], code: int, told: str, start: Start, runs: Path
):
    process = start("dns:///127.0.0.1:1", **values)
    _, said = process.communicate(timeout=60)
    assert process.returncode == code, said
    assert told in said
    assert "Traceback" not in said
    # What the cluster keeps of the container, and `eoloom deploy` tells.
    assert told in (runs.parent / "termination-log").read_text()


def test_a_database_that_is_not_there_may_be_there_later(
    start: Start, runs: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("EOLOOM_DATABASE_URL", "postgresql+psycopg://x:y@127.0.0.1:1/eoloom")
    process = start("dns:///127.0.0.1:1")
    _, said = process.communicate(timeout=60)
    assert process.returncode == ENVIRONMENT
    assert "cannot open the journal" in said
    assert "Traceback" not in said


def test_a_defect_is_not_taken_for_a_run_that_has_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    async def broken(*_: object) -> NoReturn:
        raise KeyError("nothing there")

    monkeypatch.setattr(deployed, "run_deployed", broken)
    monkeypatch.setenv("EOLOOM_DEPLOYED_RUN", RUN)
    monkeypatch.setenv("EOLOOM_DEPLOYED_FOLDER", str(tmp_path))
    assert deployed.main() == BROKEN
    assert "nothing there" in caplog.text


def test_a_volume_that_cannot_be_written_is_the_environment_s_fault(tmp_path: Path, start: Start):
    (tmp_path / "runs").write_text("a file")
    process = start("dns:///127.0.0.1:1")
    _, said = process.communicate(timeout=60)
    assert process.returncode == ENVIRONMENT
    assert str(tmp_path / "runs" / RUN) in said
    assert "Traceback" not in said
