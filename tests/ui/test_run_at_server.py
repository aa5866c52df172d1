"""`eoloom run --server`: a run at a service of another process, as the command line shows it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.orchestrator.service.scripted import CHAIN, RESULT, make_registry

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """The address of a service with components that are not known here."""
    make_registry(tmp_path / "components")
    module = "tests.orchestrator.service.service_process"
    command = [sys.executable, "-m", module, tmp_path / "components", tmp_path / "there"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()


def eoloom(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"EOLOOM_RUNS_FOLDER": str(folder / "here")} | variables
    command = [sys.executable, "-m", "ui", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60
    )


def test_a_run_at_a_service_is_shown_like_one_of_this_machine(server: str, tmp_path: Path) -> None:
    file = tmp_path / "chain.yaml"
    file.write_text(CHAIN)
    done = eoloom(
        tmp_path, "run", str(file), "--set", "source.count=5", "--json", EOLOOM_SERVER=server
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["state"] == "succeeded"
    assert Path(document["folder"]).parent == tmp_path / "here"
    (result,) = document["results"]
    assert Path(result["path"]).read_bytes() == RESULT
    assert {node["name"]: node["answered"] for node in document["nodes"]} == {
        "source": 5,
        "work": 5,
        "all": 1,
    }
    shown = json.loads(eoloom(tmp_path, "show", "last", "--json").stdout)
    assert shown["results"] == document["results"]
    again = eoloom(tmp_path, "resume", "last", EOLOOM_SERVER=server)
    assert (again.returncode, "has succeeded" in again.stderr) == (2, True)
    # A token goes where it was said, not where the folder says.
    elsewhere = eoloom(tmp_path, "resume", "last", EOLOOM_SERVER_TOKEN="x" * 20)
    assert elsewhere.returncode == 3
    assert f"give --server {server}" in elsewhere.stderr


def test_what_the_service_decides_cannot_be_asked_for(tmp_path: Path) -> None:
    done = eoloom(tmp_path, "run", "examples/demo.yaml", "--server", "127.0.0.1:1", "--no-cache")
    assert done.returncode == 2
    assert "the service decides this" in done.stderr


def test_a_service_that_is_not_there(tmp_path: Path) -> None:
    done = eoloom(tmp_path, "run", "examples/demo.yaml", "--server", "127.0.0.1:1")
    assert done.returncode == 3
    assert "the service at 127.0.0.1:1 does not answer" in done.stderr
    assert "Traceback" not in done.stderr
