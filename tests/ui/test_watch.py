"""`eoloom watch`: a run of another process, from its journal."""

import json
import os
import pty
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.ui.conftest import EOLOOM, Start

Finish = Callable[..., tuple[int, str, str]]


def _wait_for(process: "subprocess.Popen[str]", words: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if words in line:
            return
    raise AssertionError(f"{words!r} was never said")


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """The file that the scenes of `begin` wait for: the run goes on when a test says so."""
    return tmp_path / "gate"


@pytest.fixture
def begin(start: Start, gate: Path) -> Callable[..., "subprocess.Popen[str]"]:
    """Start a run whose first scene waits for the gate."""

    def run(*options: str) -> "subprocess.Popen[str]":
        process = start("run", "pipeline.yaml", "--set", f"scenes.wait_for={gate}", *options)
        _wait_for(process, "scenes       ready")
        return process

    return run


def test_a_run_is_watched_to_its_end(begin: Start, start: Start, gate: Path) -> None:
    with begin() as process, start("watch") as watching:
        _wait_for(watching, "scenes       ready after")
        _wait_for(watching, "% scene")  # reported progress, from the component's log
        gate.touch()
        stdout, stderr = watching.communicate(timeout=60)
        process.communicate(timeout=60)
    assert (watching.returncode, stderr) == (0, "")
    assert "clean        done: 3 in, 3 out" in stdout
    assert "scene-1-scene-2: changed area 123.4 ha" in stdout
    assert "succeeded after" in stdout


def test_the_exit_code_is_that_of_the_run(begin: Start, start: Start, gate: Path) -> None:
    with (
        begin("--set", "change.fail_at=3") as process,
        start("watch", "last", "--json") as watching,
    ):
        gate.touch()
        stdout, stderr = watching.communicate(timeout=60)
        process.communicate(timeout=60)
    assert watching.returncode == 1
    assert json.loads(stdout)["failed_node"] == "change"
    assert "scene 3 has no band B04" in stderr


def test_a_run_that_has_ended_is_shown_as_it_ended(finish: Finish) -> None:
    assert finish("run", "pipeline.yaml", "--set", "clean.fail_at=1")[0] == 1
    code, stdout, stderr = finish("watch")
    assert code == 1
    assert "failed after" in stdout
    assert "scene 1 has no band B04" in stderr


def test_of_a_run_that_was_killed_the_death_is_told(start: Start, finish: Finish) -> None:
    with start("run", "pipeline.yaml", "--set", "scenes.delay_s=600") as process:
        _wait_for(process, "scenes       ready")
        with start("watch") as watching:
            _wait_for(watching, "ready")
            process.kill()
            process.communicate(timeout=60)
            _, stderr = watching.communicate(timeout=120)
    assert watching.returncode == 1
    assert "its process ended without a word" in stderr


def test_an_interrupt_ends_the_watching_and_not_the_run(start: Start) -> None:
    with start("run", "pipeline.yaml", "--set", "scenes.delay_s=600") as process:
        _wait_for(process, "scenes       ready")
        with start("watch") as watching:
            _wait_for(watching, "ready")
            watching.send_signal(signal.SIGINT)
            _, stderr = watching.communicate(timeout=60)
        assert watching.returncode == 130
        assert "goes on" in stderr
        assert "Traceback" not in stderr
        assert psutil.Process(process.pid).children()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)


def test_a_live_table_on_a_terminal(begin: Start, gate: Path, workplace: Path) -> None:
    with begin() as process:
        controller, terminal = pty.openpty()
        with subprocess.Popen(
            [*EOLOOM, "watch"],
            cwd=workplace,
            stdout=terminal,
            stderr=subprocess.PIPE,
            env={**os.environ, "TERM": "xterm-256color"},
        ) as watching:
            os.close(terminal)
            output = b""
            try:
                while part := os.read(controller, 65_536):
                    output += part
                    if b"working" in output:
                        gate.touch()
            except OSError:  # the other side of the terminal was closed
                pass
            os.close(controller)
            assert watching.wait(timeout=60) == 0
        process.communicate(timeout=60)
    text = output.decode()
    assert "queue" in text
    assert "working" in text
    assert "succeeded" in text


def test_without_runs_that_is_said(finish: Finish) -> None:
    code, _, stderr = finish("watch")
    assert code == 2
    assert "there are no runs" in stderr
