"""What the canvas is told fits the canvas: its rules, and the shape of its data."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.data import ROOT
from tests.ui.canvas_links import FIXTURE, as_text, composer_links

TYPES = (ROOT / "ui" / "canvas" / "src" / "composer" / "types.ts").read_text()


@pytest.fixture(scope="module")
def links(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return composer_links(tmp_path_factory.mktemp("components"))


def keys(interface: str) -> set[str]:
    """Return the keys that an interface of `types.ts` always has."""
    body = re.search(rf"export interface {interface}[^{{]*{{\n(.*?)^}}", TYPES, re.S | re.M)
    assert body is not None, interface
    return set(re.findall(r"^  (\w+):", body[1], re.M))


def test_the_links_that_the_canvas_is_tested_with_are_those_of_the_composer(
    links: dict[str, Any],
) -> None:
    """Otherwise: python -m tests.ui.canvas_links, and then `npm test` in ui/canvas."""
    assert FIXTURE.read_text() == as_text(links)


def test_a_component_has_the_keys_that_the_canvas_reads(links: dict[str, Any]) -> None:
    component = links["palette"][0]
    operation = component["operations"][0]
    port = operation["input"] or operation["output"]
    assert set(component) == keys("ComponentDescription")
    assert set(operation) == keys("OperationDescription")
    assert set(port) == keys("PortDescription")
    assert set(port["fields"][0]) == keys("FieldDescription")


def test_the_bundle_is_there() -> None:
    bundle = ROOT / "ui" / "canvas" / "bundle"
    assert {"composer.js", "composer.css"} <= {path.name for path in Path(bundle).iterdir()}
