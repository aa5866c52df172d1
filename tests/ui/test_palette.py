"""Components as the canvas gets them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from composer.registry import Registry
from tests.composer.fakes import FILTERS, FILTERS_SCHEMA, Shelf, put_usual_components
from ui.palette import palette


@pytest.fixture
def described(tmp_path: Path) -> dict[str, dict[str, Any]]:
    put_usual_components(Shelf(tmp_path))
    registry = Registry.discover([tmp_path], built_in=False)
    return {component["name"]: component for component in palette(registry)}


def operation(component: dict[str, Any], name: str) -> dict[str, Any]:
    [found] = [one for one in component["operations"] if one["name"] == name]
    return found


def test_messages_of_one_structure_share_a_type_whatever_they_are_called(
    described: dict[str, dict[str, Any]],
) -> None:
    scene = operation(described["scenes"], "search")["output"]
    acquisition = operation(described["filters"], "clean")["input"]
    table = operation(described["charts"], "measure")["output"]
    assert (scene["message"], acquisition["message"]) == ("Scene", "Acquisition")
    assert scene["type"] == acquisition["type"] != table["type"]
    images, pictures = scene["fields"][1], acquisition["fields"][1]
    assert images["type"] == pictures["type"]
    assert images["label"] == "repeated Image"


def test_sides_without_fields_are_no_ports(described: dict[str, dict[str, Any]]) -> None:
    assert operation(described["scenes"], "search")["input"] is None
    assert operation(described["charts"], "draw")["output"] is None


def test_ports_say_what_they_accept_and_emit(described: dict[str, dict[str, Any]]) -> None:
    search = operation(described["scenes"], "search")["output"]
    clean = operation(described["filters"], "clean")
    assert search["collections"] == {"parameter": "collections"}
    assert search["stream"] is True
    assert clean["input"]["collections"] == ["optical"]
    assert operation(described["charts"], "measure")["input"]["collections"] is None


def test_the_schema_of_the_parameters_comes_with_it(described: dict[str, dict[str, Any]]) -> None:
    assert described["filters"]["schema"] == FILTERS_SCHEMA
    assert described["filters"]["builtIn"] is False


def test_the_newest_version_comes_first(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    for version in ("1.2.0", "1.10.0"):
        operations: dict[str, dict[str, Any]] = {"clean": {}, "align": {}}
        shelf.put("filters", FILTERS, "fake.filters.Filters", operations, version=version)
    found = palette(Registry.discover([tmp_path], built_in=False))
    assert [c["reference"] for c in found] == ["filters@1.10.0", "filters@1.2.0"]
