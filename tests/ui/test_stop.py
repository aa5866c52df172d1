"""`eoloom stop`: a run of another process, with components as processes."""

import json
from collections.abc import Callable

from tests.ui.conftest import Start

Finish = Callable[..., tuple[int, str, str]]


def test_stop_ends_a_run_of_another_process_and_may_be_repeated(
    start: Start, finish: Finish
) -> None:
    with start("run", "pipeline.yaml", "--set", "change.delay_s=600") as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "clean        done" in line:
                break
        code, stdout, _ = finish("stop", "last")
        assert code == 0
        assert stdout.startswith("stopped fake-change-")
        assert process.wait(timeout=60) == 130
        process.stdout.read()
    assert json.loads(finish("show", "last", "--json")[1])["state"] == "cancelled"
    assert "had ended already" in finish("stop", "last")[1]


def test_a_killed_run_counts_as_stopped(start: Start, finish: Finish) -> None:
    with start("run", "pipeline.yaml", "--set", "change.delay_s=600") as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "clean        done" in line:
                break
        process.kill()
        process.wait()
        process.stdout.read()
    assert "had died" in finish("stop", "last")[1]
    assert json.loads(finish("show", "last", "--json")[1])["state"] == "cancelled"


def test_stop_wants_a_run_or_all(finish: Finish) -> None:
    assert finish("stop")[0] == 2
    assert finish("stop", "last", "--all")[0] == 2
    assert "there are no runs" in finish("stop", "last")[2]
