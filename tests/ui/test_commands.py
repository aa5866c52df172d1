"""Commands that run nothing: what they print, for people and machines, and how they exit."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ui.conftest import Invoke
from tests.ui.fake import PIPELINE


def test_help_names_every_command_and_the_exit_codes(eoloom: Invoke) -> None:
    result = eoloom("--help")
    assert result.exit_code == 0
    for command in ("components", "validate", "run", "runs", "show", "graph", "new-component"):
        assert command in result.stdout
    assert "130 interrupted" in " ".join(result.stdout.split())


@pytest.mark.parametrize(
    "command", ["components", "validate", "run", "runs", "show", "graph", "new-component"]
)
def test_help_of_a_command_has_examples(eoloom: Invoke, command: str) -> None:
    result = eoloom(command, "--help")
    assert result.exit_code == 0
    assert f"eoloom {command}" in result.stdout.partition("Examples")[2]
    assert "--json" in result.stdout


def test_version(eoloom: Invoke) -> None:
    assert eoloom("--version").stdout.startswith("eoloom 0.")


def test_help_loads_nothing_heavy() -> None:
    heavy = ["grpc", "matplotlib", "networkx", "numpy", "pydantic", "sqlalchemy"]
    code = f"import sys, ui.cli; print([name for name in {heavy} if name in sys.modules])"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert loaded.stdout == "[]\n"


def test_components_lists_operations_with_their_ports(eoloom: Invoke) -> None:
    stdout = eoloom("components").stdout
    assert "fake-clean@1.2.0" in stdout
    assert "prepare: Item -> Item" in stdout
    assert "generate: -> stream Item" in stdout
    assert "sentinel-2-l2a -> eoloom-s2-reflectance" in stdout


def test_components_as_json(eoloom: Invoke) -> None:
    listed = json.loads(eoloom("components", "--json").stdout)
    by_name = {component["name"]: component for component in listed["components"]}
    (operation,) = by_name["fake-change"]["operations"]
    assert operation["ports"] == "stream Item -> stream Item"
    assert operation["emits"] == "eoloom-s2-change"
    assert listed["broken"] == []


def test_one_component_shows_its_parameters(eoloom: Invoke) -> None:
    result = eoloom("components", "fake-scenes")
    assert result.exit_code == 0
    assert "Apache-2.0" in result.stdout
    assert "Pause before each, in seconds." in " ".join(result.stdout.split())
    details = json.loads(eoloom("components", "fake-scenes@1.2.0", "--json").stdout)
    parameters = {parameter["name"]: parameter for parameter in details["parameters"]}
    assert parameters["count"]["bounds"] == "0 to 1000"
    assert parameters["catalogue"]["type"] == "path or URL"


def test_unknown_component_names_the_nearest(eoloom: Invoke) -> None:
    result = eoloom("components", "fake-claen")
    assert result.exit_code == 2
    assert "did you mean 'fake-clean'?" in result.stderr


def test_broken_component_is_a_warning(
    eoloom: Invoke, workplace: Path, fake_components: Path
) -> None:
    broken = workplace / "more" / "broken"
    shutil.copytree(fake_components / "fake-clean", broken)
    (broken / "component.yaml").write_text("name: Broken\n")
    result = eoloom("components", "--components", str(workplace / "more"))
    assert result.exit_code == 0
    assert "warning:" in result.stderr
    assert "component.yaml" in result.stderr
    listed = eoloom("components", "--components", str(workplace / "more"), "--json")
    (entry,) = json.loads(listed.stdout)["broken"]
    assert entry["folder"].endswith("broken")


def test_components_path_holds_several_folders(
    eoloom: Invoke, workplace: Path, fake_components: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(fake_components / "fake-clean", workplace / "one")
    shutil.copytree(fake_components / "fake-change", workplace / "two")
    monkeypatch.setenv("EOLOOM_COMPONENTS_PATH", f"{workplace / 'one'}:{workplace / 'two'}")
    stdout = eoloom("components").stdout
    assert "fake-clean" in stdout
    assert "fake-change" in stdout
    assert "fake-scenes" not in stdout


def test_valid_pipeline(eoloom: Invoke) -> None:
    result = eoloom("validate", "pipeline.yaml")
    assert result.exit_code == 0
    assert "valid: fake-change, 3 nodes, 2 links" in result.stdout
    document = json.loads(eoloom("validate", "pipeline.yaml", "--json").stdout)
    assert document["valid"] is True
    assert document["terminals"] == ["change.detect"]
    assert document["pipeline"]["nodes"]["clean"]["component"] == "fake-clean@1.2.0"


FAULTY = PIPELINE.replace("count: 3", "conut: 3").replace("clean.prepare ->", "clean.prepair ->")


def test_all_faults_at_once_with_lines_and_suggestions(eoloom: Invoke, workplace: Path) -> None:
    (workplace / "faulty.yaml").write_text(FAULTY)
    result = eoloom("validate", "faulty.yaml", "--set", "change.count=-1")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "faulty.yaml has 3 faults" in result.stderr
    assert "line 4: node scenes, parameter conut" in result.stderr
    assert "did you mean 'count'?" in result.stderr
    assert "did you mean 'prepare'?" in result.stderr
    assert "-1 is less than the minimum 0" in result.stderr


def test_faults_as_json(eoloom: Invoke, workplace: Path) -> None:
    (workplace / "faulty.yaml").write_text(FAULTY)
    result = eoloom("validate", "faulty.yaml", "--json")
    assert result.exit_code == 2
    document = json.loads(result.stdout)
    assert document["valid"] is False
    assert [fault["suggestion"] for fault in document["faults"]] == ["count", "prepare"]


@pytest.mark.parametrize("command", ["validate", "run", "graph"])
def test_missing_file_is_one_sentence(eoloom: Invoke, command: str) -> None:
    result = eoloom(command, "missing.yaml")
    assert result.exit_code == 2
    assert result.stderr == "error: cannot read missing.yaml: No such file or directory\n"


def test_run_of_a_faulty_pipeline_starts_nothing(eoloom: Invoke, workplace: Path) -> None:
    (workplace / "faulty.yaml").write_text(FAULTY)
    result = eoloom("run", "faulty.yaml", "--json")
    assert result.exit_code == 2
    assert len(json.loads(result.stdout)["error"]["faults"]) == 2
    assert not (workplace / "runs").exists()


def test_graph_draws_boxes_and_links_with_their_messages(eoloom: Invoke) -> None:
    stdout = eoloom("graph", "pipeline.yaml").stdout
    assert "Change in fakes" in stdout
    for words in ("╭─ scenes ─", "fake-clean@1.2.0", "count: 3", "Item to detect", "▼"):
        assert words in stdout


def test_graph_as_json(eoloom: Invoke) -> None:
    document = json.loads(eoloom("graph", "pipeline.yaml", "--json").stdout)
    assert [node["node"] for node in document["nodes"]] == ["scenes", "clean", "change"]
    assert document["links"][0]["source"] == "scenes.generate"
    assert document["links"][0]["is_stream"] is True


def test_graph_writes_figures(eoloom: Invoke, workplace: Path) -> None:
    for name in ("figure.svg", "figure.png"):
        result = eoloom("graph", "pipeline.yaml", "--output", name)
        assert result.exit_code == 0
        assert result.stdout == f"wrote {name}\n"
        assert (workplace / name).stat().st_size > 2_000


def test_graph_of_a_faulty_pipeline_is_drawn_and_fails(eoloom: Invoke, workplace: Path) -> None:
    (workplace / "faulty.yaml").write_text(PIPELINE.replace("count: 3", "count: -3"))
    result = eoloom("graph", "faulty.yaml")
    assert result.exit_code == 2
    assert "╭─ scenes ─" in result.stdout
    assert "-3 is less than the minimum 0" in result.stderr


def test_graph_needs_a_known_suffix(eoloom: Invoke) -> None:
    result = eoloom("graph", "pipeline.yaml", "--output", "figure.pdf")
    assert result.exit_code == 2
    assert "figure.pdf" in result.stderr


def test_figure_that_cannot_be_written(eoloom: Invoke) -> None:
    result = eoloom("graph", "pipeline.yaml", "--output", "nowhere/figure.svg")
    assert result.exit_code == 3
    assert result.stderr == ("error: cannot write nowhere/figure.svg: No such file or directory\n")


def test_no_runs_yet(eoloom: Invoke, workplace: Path) -> None:
    result = eoloom("runs")
    assert result.exit_code == 0
    assert result.stdout == "no runs yet in runs\n"
    assert json.loads(eoloom("runs", "--json").stdout) == []
    assert eoloom("show").exit_code == 2
    assert not (workplace / "runs").exists()


def test_wrong_setting_names_its_variable(eoloom: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EOLOOM_ATTEMPTS", "many")
    result = eoloom("runs")
    assert result.exit_code == 3
    assert "EOLOOM_ATTEMPTS=many" in result.stderr


def test_unwritable_runs_folder(eoloom: Invoke, workplace: Path) -> None:
    (workplace / "file").write_text("")
    result = eoloom("run", "pipeline.yaml", "--runs-folder", "file/runs")
    assert result.exit_code == 3
    assert result.stderr.count("error:") == 1
    assert "file/runs" in result.stderr


def test_new_component_tells_what_comes_next(eoloom: Invoke, workplace: Path) -> None:
    result = eoloom("new-component", "burnt-area")
    assert result.exit_code == 0
    assert (workplace / "burnt-area" / "component.yaml").exists()
    assert "cd burnt-area && pytest" in result.stdout
    again = eoloom("new-component", "burnt-area", "--json")
    assert again.exit_code == 2
    assert json.loads(again.stdout)["error"]["code"] == 2
