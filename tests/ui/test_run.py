"""`eoloom run` as a process, with components as processes of their own."""

import json
import os
import pty
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import yaml

from tests.ui.conftest import EOLOOM, Start
from tests.ui.fake import deafen, put_components

Finish = Callable[..., tuple[int, str, str]]


def test_a_run_reports_counts_figures_and_results(finish: Finish, workplace: Path) -> None:
    code, stdout, stderr = finish("run", "pipeline.yaml")
    assert (code, stderr) == (0, "")
    assert "warning: clean.prepare: the boa offset [sic] was applied already" in stdout
    assert "scene-1-scene-2: changed area 123.4 ha, changed 2.5 %" in stdout
    assert "GeoJSON" in stdout
    (catalogue,) = workplace.glob("runs/*/catalog.json")
    assert str(catalogue.relative_to(workplace)) in stdout
    (run,) = json.loads(finish("runs", "--json")[1])
    assert (run["state"], run["number_of_results"]) == ("succeeded", 2)
    shown = finish("show")[1]
    assert "warning   clean.prepare" in shown
    assert "logs/change.log" in shown


def test_json_is_one_document_and_progress_goes_to_stderr(finish: Finish) -> None:
    code, stdout, stderr = finish("run", "pipeline.yaml", "--json", "--set", "scenes.count=2")
    assert code == 0
    document = json.loads(stdout)
    assert document["state"] == "succeeded"
    counts = {node["name"]: (node["received"], node["answered"]) for node in document["nodes"]}
    assert counts == {"scenes": (0, 2), "clean": (2, 2), "change": (2, 1)}
    assert document["figures"][0]["value"] == 123.4
    terminal = [result for result in document["results"] if result["terminal"]]
    assert [Path(asset["path"]).exists() for asset in terminal[0]["assets"]] == [True, True]
    assert "ready after" in stderr


@pytest.fixture
def deterministic(tmp_path: Path, workplace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The fakes, all of whose operations say that they are deterministic."""
    folder = put_components(tmp_path / "deterministic")
    for path in folder.glob("*/component.yaml"):
        manifest = yaml.safe_load(path.read_text())
        for operation in manifest["operations"].values():
            operation["deterministic"] = True
        path.write_text(yaml.safe_dump(manifest, sort_keys=False))
    monkeypatch.setenv("EOLOOM_COMPONENTS_PATH", str(folder))
    return folder


def test_a_second_run_takes_what_the_first_has_computed(
    finish: Finish, deterministic: Path, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cached(*options: str) -> dict[str, int]:
        code, stdout, _ = finish("run", "pipeline.yaml", "--json", *options)
        assert code == 0
        document = json.loads(stdout)
        assert any("boa offset" in notice["message"] for notice in document["notices"])
        return {node["name"]: node["cached"] for node in document["nodes"]}

    nothing = {"scenes": 0, "clean": 0, "change": 0}
    assert cached("--set", "scenes.count=2") == nothing
    assert cached("--set", "scenes.count=2") == {"scenes": 1, "clean": 2, "change": 1}
    assert cached("--set", "scenes.count=2", "--no-cache") == nothing
    assert cached("--set", "scenes.count=3")["clean"] == 2
    code, stdout, _ = finish("run", "pipeline.yaml", "--set", "scenes.count=2")
    assert code == 0
    assert "cached" in stdout
    # Whoever works on a component gets what it computes now.
    (deterministic / "fake-clean" / "algorithm.py").write_text("# changed")
    assert cached("--set", "scenes.count=2")["clean"] == 0
    monkeypatch.setenv("EOLOOM_CACHE", "false")
    assert cached("--set", "scenes.count=2") == nothing


def test_a_failing_node_is_named_and_what_was_made_is_kept(finish: Finish) -> None:
    code, stdout, stderr = finish("run", "pipeline.yaml", "--set", "change.fail_at=3")
    assert code == 1
    first, log, hint = stderr.splitlines()
    assert first.startswith("error: node change: detect: scene 3 has no band B04")
    assert log.endswith("logs/change.log")
    assert hint.startswith("`eoloom show")
    assert "scene-1-scene-2" in stdout
    shown = json.loads(finish("show", "last", "--json")[1])
    assert (shown["state"], shown["failed_node"]) == ("failed", "change")


def test_a_dying_component_fails_the_run(finish: Finish) -> None:
    code, stdout, stderr = finish("run", "pipeline.yaml", "--json", "--set", "clean.die_at=2")
    assert code == 1
    document = json.loads(stdout)
    assert document["failed_node"] == "clean"
    assert "ended with code 7" in document["message"]
    assert "out of luck" in document["message"]
    assert stderr.count("error:") == 1


def test_a_run_goes_on_by_itself_when_a_component_is_killed(
    start: Start, finish: Finish, workplace: Path
) -> None:
    """Its catalogue has every item once, as that of a run in which nothing happened."""
    gate = workplace / "gate"
    with start("run", "pipeline.yaml", "--set", f"clean.wait_for={gate}") as process:
        _wait_for(process, "scenes       done")
        [clean] = [c for c in _children(process) if Path(c.cwd()).name == "fake-clean"]
        clean.kill()
        gate.touch()
        stdout, stderr = process.communicate(timeout=120)
    assert process.returncode == 0, stderr
    assert "warning: clean: its process was killed by SIGKILL" in stdout
    assert "; started again (1 of 2)" in stdout
    healed = _catalogued(workplace)
    finish("run", "pipeline.yaml")
    assert healed
    assert healed == _catalogued(workplace)


def _catalogued(workplace: Path) -> list[str]:
    """Return the items in the collections of the latest run."""
    folder = max((path for path in (workplace / "runs").iterdir() if path.is_dir()), key=str)
    return sorted(
        f"{path.parent.name}/{link['href']}"
        for path in folder.glob("results/*/*/collection.json")
        for link in json.loads(path.read_text())["links"]
        if link["rel"] == "item"
    )


def test_a_live_table_on_a_terminal(workplace: Path) -> None:
    gate = workplace / "gate"
    controller, terminal = pty.openpty()
    with subprocess.Popen(
        [*EOLOOM, "run", "pipeline.yaml", "--set", f"scenes.wait_for={gate}"],
        cwd=workplace,
        stdout=terminal,
        stderr=subprocess.PIPE,
        env={**os.environ, "TERM": "xterm-256color"},
    ) as process:
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
        assert process.wait(timeout=120) == 0
    text = output.decode()
    assert "queue" in text
    assert "working" in text
    assert "succeeded" in text


def _wait_for(process: "subprocess.Popen[str]", words: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if words in line:
            return
    raise AssertionError(f"{words!r} was never said")


def _children(process: "subprocess.Popen[str]") -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def _assert_gone(children: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(children, timeout=30)
    assert alive == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_stops_everything_and_keeps_what_was_made(
    start: Start, finish: Finish, number: signal.Signals
) -> None:
    with start("run", "pipeline.yaml", "--set", "change.delay_s=600") as process:
        _wait_for(process, "clean        done")
        children = _children(process)
        assert len(children) == 3
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    _assert_gone(children)
    assert "stopping the components" in stdout
    assert "6 results of steps on the way" in stdout
    assert "Traceback" not in stderr
    (run,) = json.loads(finish("runs", "--json")[1])
    assert run["state"] == "cancelled"


def test_a_second_interrupt_ends_components_that_do_not_stop(
    start: Start, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    components = put_components(workplace / "components")
    deafen(components / "fake-clean")
    monkeypatch.setenv("EOLOOM_COMPONENTS_PATH", str(components))
    monkeypatch.setenv("EOLOOM_STOP_GRACE_S", "300")
    with start("run", "pipeline.yaml") as process:
        _wait_for(process, "scenes       ready")
        children = _children(process)
        process.send_signal(signal.SIGINT)
        _wait_for(process, "stopping the components")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 130
    _assert_gone(children)


def test_a_run_whose_process_was_killed_is_shown_as_died(start: Start, finish: Finish) -> None:
    with start("run", "pipeline.yaml", "--set", "scenes.delay_s=600") as process:
        _wait_for(process, "scenes       ready")
        children = _children(process)
        process.kill()
        process.communicate(timeout=60)
    _assert_gone(children)
    (run,) = json.loads(finish("runs", "--json")[1])
    assert run["state"] == "died"
    code, stdout, _ = finish("show")
    assert code == 0
    assert "died" in stdout


def test_a_killed_run_goes_on_where_it_was(start: Start, finish: Finish, workplace: Path) -> None:
    with start("run", "pipeline.yaml", "--set", "clean.delay_s=0.4") as process:
        _wait_for(process, "clean        ready")
        time.sleep(1.0)
        process.kill()
        process.communicate(timeout=60)
    code, stdout, stderr = finish("resume", "last", "--json")
    assert code == 0, stderr
    resumed = json.loads(stdout)
    assert resumed["state"] == "succeeded"
    uninterrupted = json.loads(finish("run", "pipeline.yaml", "--json")[1])
    assert [r["item"] for r in resumed["results"]] == [r["item"] for r in uninterrupted["results"]]
    (run,) = [r for r in json.loads(finish("runs", "--json")[1]) if r["run"] == resumed["run"]]
    assert run["state"] == "succeeded"


def test_a_run_without_memory_goes_on_without_it(
    start: Start, finish: Finish, deterministic: Path
) -> None:
    slow = ("run", "pipeline.yaml", "--set", "clean.delay_s=0.5")
    assert finish(*slow)[0] == 0

    def cached_after_a_kill(*options: str) -> int:
        with start(*slow, "--no-cache") as process:
            _wait_for(process, "clean        ready")
            process.kill()
            process.communicate(timeout=60)
        code, stdout, stderr = finish("resume", "last", "--json", *options)
        assert code == 0, stderr
        return sum(int(node["cached"]) for node in json.loads(stdout)["nodes"])

    assert cached_after_a_kill() == 0
    assert cached_after_a_kill("--cache") > 0


def test_a_run_that_succeeded_cannot_be_resumed(finish: Finish) -> None:
    assert finish("run", "pipeline.yaml")[0] == 0
    code, _, stderr = finish("resume", "last")
    assert code == 2
    assert "has succeeded; there is nothing left to do" in stderr


def test_dead_letters_are_listed_and_tried_again(finish: Finish, workplace: Path) -> None:
    """A scene that fails is skipped; when its reason has gone, the run gets its result."""
    pipeline = yaml.safe_load((workplace / "pipeline.yaml").read_text())
    obstacle = workplace / "obstacle"
    obstacle.touch()
    params = {"fail_while": str(obstacle)}
    pipeline["nodes"]["clean"] |= {"on_error": "skip", "params": params}
    (workplace / "skipping.yaml").write_text(yaml.safe_dump(pipeline))
    code, stdout, _ = finish("run", "skipping.yaml", "--json")
    assert code == 0
    run = json.loads(stdout)
    (letter,) = json.loads(finish("dead-letters", "last", "--json")[1])
    assert (letter["node"], letter["operation"]) == ("clean", "prepare")
    assert letter["message"] == "scenes.generate#1"
    assert "scene 1 has no band B04" in letter["reason"]
    assert "scene 1 has no band B04" in " ".join(finish("dead-letters", "last")[1].split())

    obstacle.unlink()
    code, stdout, stderr = finish("dead-letters", "last", "--redrive", "--json")
    assert code == 0, stderr
    redriven = json.loads(stdout)
    assert len(redriven["results"]) > len(run["results"])
    assert json.loads(finish("dead-letters", "last", "--json")[1]) == []
    assert finish("dead-letters", "last", "--redrive")[0] == 2


def test_lineage_goes_back_to_the_scenes(finish: Finish) -> None:
    run = json.loads(finish("run", "pipeline.yaml", "--json")[1])
    (result,) = [r for r in run["results"] if r["node"] == "change"][:1]
    code, stdout, stderr = finish("lineage", "last", result["item"], "--json")
    assert code == 0, stderr
    ancestor = json.loads(stdout)
    assert ancestor["component"].startswith("fake-change@")
    cleaned = ancestor["parents"]
    assert {parent["component"].partition("@")[0] for parent in cleaned} == {"fake-clean"}
    scenes = [grand["item"] for parent in cleaned for grand in parent["parents"]]
    assert scenes[:2] == ["scene-1", "scene-2"]
    assert "scene-1" in finish("lineage", "last", result["item"])[1]
    code, _, stderr = finish("lineage", "last", "nothing")
    assert code == 2
    assert "has no item 'nothing'" in stderr
