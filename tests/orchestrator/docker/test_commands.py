"""`eoloom run --backend docker` and `eoloom stop`, with a component as others make them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.backends.docker.reaper import LEFT_FILE
from tests.orchestrator.docker.conftest import left_of
from tests.orchestrator.docker.greeters import put_component
from tests.orchestrator.docker.images import GREETER, SLOW_GREETER

EOLOOM = [str(Path(sys.executable).with_name("eoloom"))]

Finish = Callable[..., tuple[int, str, str]]


@pytest.fixture
def workplace(tmp_path: Path, greeter: str) -> Path:
    """A folder with the greeters as components that are only images, and their pipelines."""
    for name, image in (("greeter", GREETER), ("slow-greeter", SLOW_GREETER)):
        put_component(tmp_path / "components", name, image, "greet")
        pipeline = f"name: {name}\nnodes:\n  hello: {{component: {name}}}\n"
        (tmp_path / f"{name}.yaml").write_text(pipeline)
    return tmp_path


@pytest.fixture
def finish(workplace: Path) -> Finish:
    """Run the command line to its end."""

    def run(*arguments: str) -> tuple[int, str, str]:
        done = subprocess.run(
            [*EOLOOM, *arguments],
            cwd=workplace,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    return run


@pytest.fixture
def running(workplace: Path) -> Iterator[subprocess.Popen[str]]:
    """A run of the slow greeter in another process, which has been called."""
    with subprocess.Popen(
        [*EOLOOM, "run", "slow-greeter.yaml", "--backend", "docker", "--no-live"],
        cwd=workplace,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        yield process
        process.kill()


def environment() -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("EOLOOM_")}
    return kept | {"EOLOOM_COMPONENTS_PATH": "components", "COLUMNS": "120"}


def read_until(process: subprocess.Popen[str], words: str) -> str:
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if words in line:
            return said
    raise AssertionError(f"{words!r} was never said in {said}")


def run_of(workplace: Path) -> str:
    (folder,) = (path for path in (workplace / "runs").iterdir() if path.is_dir())
    return folder.name


def wait_until_gone(client: Any, run: str, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while left_of(client, run):
        assert time.monotonic() < end, left_of(client, run)
        time.sleep(0.2)


def test_a_container_of_others_runs_unchanged(finish: Finish, workplace: Path, client: Any) -> None:
    code, stdout, stderr = finish("run", "greeter.yaml", "--backend", "docker", "--json")
    assert code == 0, stderr
    document = json.loads(stdout)
    texts = [Path(r["path"]).read_bytes()[2:].decode() for r in document["results"]]
    assert texts == ["hello 1 from 0", "hello 2 from 0", "hello 3 from 0"]
    folder = Path(document["folder"])
    assert (folder / "shared" / "greeting-3.txt").read_text() == "hello"
    # Looking for its page may have been logged as well.
    assert "greeter serves" in (folder / "logs" / "hello.log").read_text().splitlines()
    record = json.loads((folder / "backend.json").read_text())
    assert record["backend"] == "docker"
    assert record["images"]["hello"]["id"] == client.images.get(GREETER).id
    assert left_of(client, document["run"]) == []


def test_its_page_is_told_and_open_on_loopback(
    running: subprocess.Popen[str], finish: Finish
) -> None:
    said = read_until(running, "page: ")
    url = re.search(r"page: hello: (http://127\.0\.0\.1:\d+/)", said)
    assert url is not None, said
    with urllib.request.urlopen(url[1], timeout=5) as answer:  # noqa: S310 - of this machine
        assert b"server.py" in answer.read()
    assert url[1] in finish("show", "last")[1]
    (node,) = json.loads(finish("show", "last", "--json")[1])["nodes"]
    assert node["web_page"] == url[1]


def test_stop_ends_a_run_of_another_process(
    running: subprocess.Popen[str], finish: Finish, workplace: Path, client: Any
) -> None:
    read_until(running, "ready after")
    code, stdout, _ = finish("stop", "last")
    run = run_of(workplace)
    assert (code, stdout) == (0, f"stopped {run}; `eoloom resume {run}` goes on with it\n")
    assert running.wait(timeout=30) == 130
    assert left_of(client, run) == []
    assert json.loads(finish("show", "last", "--json")[1])["state"] == "cancelled"
    assert finish("stop", "last")[:2] == (0, f"{run} had ended already\n")
    assert finish("stop", "--all")[:2] == (0, "nothing runs, and nothing is left\n")


@pytest.mark.parametrize("interrupts", [1, 2])
def test_an_interrupt_leaves_nothing(
    running: subprocess.Popen[str], workplace: Path, client: Any, interrupts: int
) -> None:
    read_until(running, "ready after")
    for _ in range(interrupts):
        running.send_signal(signal.SIGINT)
        time.sleep(0.3)
    assert running.wait(timeout=30) == 130
    assert left_of(client, run_of(workplace)) == []


def test_a_killed_orchestrator_leaves_nothing(
    running: subprocess.Popen[str], finish: Finish, workplace: Path, client: Any
) -> None:
    read_until(running, "ready after")
    run = run_of(workplace)
    assert len(left_of(client, run)) == 2
    running.kill()
    wait_until_gone(client, run)
    code, stdout, _ = finish("stop", run)
    assert (code, stdout) == (0, f"the process of {run} had died\n")


def test_stop_removes_what_is_left_where_the_reaper_died_too(
    running: subprocess.Popen[str], finish: Finish, workplace: Path, client: Any
) -> None:
    import psutil

    read_until(running, "ready after")
    run = run_of(workplace)
    (reaper,) = (
        process
        for process in psutil.process_iter(["cmdline"])
        if run in (process.info["cmdline"] or ())
    )
    reaper.kill()
    running.kill()
    running.wait()
    time.sleep(2)
    assert len(left_of(client, run)) == 2
    said = workplace / "runs" / run / LEFT_FILE
    said.write_text("what a reaper could not remove\n")
    assert finish("stop", "--all")[0] == 0
    assert left_of(client, run) == []
    assert not said.exists()


def test_two_runs_at_once_do_not_disturb_each_other(workplace: Path, client: Any) -> None:
    command = [*EOLOOM, "run", "greeter.yaml", "--backend", "docker", "--json"]
    processes = [
        subprocess.Popen(
            command, cwd=workplace, env=environment(), stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    documents = [json.loads(process.communicate(timeout=120)[0]) for process in processes]
    assert [document["state"] for document in documents] == ["succeeded"] * 2
    assert documents[0]["run"] != documents[1]["run"]


def test_a_run_goes_on_with_the_backend_it_began_with(
    running: subprocess.Popen[str], finish: Finish, workplace: Path, client: Any
) -> None:
    read_until(running, "ready after")
    running.send_signal(signal.SIGTERM)
    running.wait(timeout=30)
    code, _, stderr = finish("resume", "last", "--json")
    assert code == 0, stderr
    assert left_of(client, run_of(workplace)) == []
