"""Faults of a pipeline, with the place where the canvas shows them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from composer.registry import Registry
from tests.composer.fakes import Shelf, put_usual_components
from ui import problems as module
from ui.problems import Checker, check
from ui.workspace import Draft


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    put_usual_components(Shelf(tmp_path))
    return Registry.discover([tmp_path], built_in=False)


def document(**changes: Any) -> dict[str, Any]:
    return {
        "name": "test",
        "nodes": {
            "scenes": {"component": "scenes", "params": {"catalogue": "here"}},
            "clean": {"component": "filters"},
        },
        "links": ["scenes.search -> clean.clean"],
        "positions": {"nodes": {"clean": {"x": 1, "y": 2}}, "notes": [], "groups": []},
        **changes,
    }


def test_a_pipeline_without_faults_is_a_graph(registry: Registry, tmp_path: Path) -> None:
    checked = check(document(), registry, tmp_path)
    assert checked.problems == ()
    assert checked.graph is not None


def test_a_wrong_parameter_is_at_its_node_and_field(registry: Registry, tmp_path: Path) -> None:
    wrong = document()
    wrong["nodes"]["clean"]["params"] = {"resolution": 5000, "metod": "nearest"}
    checked = check(wrong, registry, tmp_path)
    places = {(p["node"], p["parameter"], p["suggestion"]) for p in checked.problems}
    assert ("clean", "resolution", None) in places
    assert ("clean", "metod", "method") in places
    assert checked.graph is None


def test_a_wrong_link_is_at_the_link(registry: Registry, tmp_path: Path) -> None:
    links = ["scenes.search -> clean.align"]
    [problem] = [p for p in check(document(links=links), registry, tmp_path).problems if p["link"]]
    assert problem["link"] == "scenes.search -> clean.align"
    assert problem["node"] is None
    assert "reflectance" in problem["message"]


def test_a_component_that_is_gone_is_at_its_node(registry: Registry, tmp_path: Path) -> None:
    gone = document()
    gone["nodes"]["clean"]["component"] = "filterz"
    [problem] = check(gone, registry, tmp_path).problems
    assert (problem["node"], problem["suggestion"]) == ("clean", "filters")


@pytest.mark.parametrize(
    "wrong",
    [{}, {"nodes": 3}, {"name": "<b>", "nodes": {}}, {"name": "a", "nodes": {"x": None}}],
)
def test_what_is_no_pipeline_has_problems(
    registry: Registry, tmp_path: Path, wrong: dict[str, Any]
) -> None:
    assert check(wrong, registry, tmp_path).problems


def test_no_more_are_shown_than_somebody_reads(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_PROBLEMS", 5)
    nodes = {f"n{number}": {"component": "nobody"} for number in range(50)}
    assert len(check(document(nodes=nodes), registry, tmp_path).problems) == 5


def test_a_revision_is_checked_once(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[int] = []
    true_check = check

    def counting(*arguments: Any) -> Any:
        checked.append(1)
        return true_check(*arguments)

    monkeypatch.setattr(module, "check", counting)
    checker, draft = Checker(), Draft("a", document(), revision=1)
    first = checker.check(draft, registry, tmp_path)
    assert checker.check(draft, registry, tmp_path) is first
    draft.revision, draft.document = 2, document(links=[])
    assert checker.check(draft, registry, tmp_path).problems
    checker.check(draft, Registry([], ()), tmp_path)
    assert len(checked) == 3
