"""How the compose page looks: sizes, colours, accessibility, many nodes."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.composing import Composing
from tests.browser.conftest import OpenDocument
from tests.browser.documents import chain, large
from tests.data import ROOT, require

AXE = ROOT / "ui" / "canvas" / "node_modules" / "axe-core" / "axe.min.js"

SIZES = [(1366, 768), (1920, 1080)]


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("colours", ["light", "dark"])
def test_the_page_fits_the_screen(
    open_document: OpenDocument, width: int, height: int, colours: str
) -> None:
    tab = open_document(chain(), viewport={"width": width, "height": height}, color_scheme=colours)
    tab.expect_runnable()
    main = '[data-testid="stMain"]'
    assert tab.page.evaluate(f"document.querySelector('{main}').scrollHeight") <= height
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= width
    for part in (tab.drawing, tab.problems, tab.panel, tab.page.locator(".palette")):
        box = part.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        assert box["y"] + box["height"] <= height
    drawn = tab.drawing.bounding_box()
    assert drawn is not None
    assert drawn["height"] > height / 2
    brightness = tab.page.evaluate(
        "getComputedStyle(document.querySelector('.stApp')).backgroundColor.match(/\\d+/g)[0]"
    )
    assert (int(brightness) < 100) == (colours == "dark")
    assert ("dark" in _classes(tab)) == (colours == "dark")


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_axe_finds_nothing_serious(open_document: OpenDocument, colours: str) -> None:
    require("canvas")
    document = chain()
    document["positions"]["notes"] = [{"id": "n", "text": "a note", "x": 0, "y": 200}]
    document["positions"]["groups"] = [{"id": "g", "title": "a group", "nodes": ["clean"]}]
    document["nodes"]["change"]["params"] = {"count": -1}
    tab = open_document(document, color_scheme=colours)
    tab.select("change")
    expect(tab.parameter("count").locator(".fault")).to_be_visible()
    assert serious(tab) == []


def test_nothing_is_asked_of_other_machines(composing: Composing) -> None:
    composing.open_example("Change between two simulated")
    composing.page.wait_for_timeout(500)
    foreign = [
        url
        for url in composing.requests
        if not url.startswith(("http://127.0.0.1", "data:", "blob:"))
    ]
    assert foreign == []


def test_components_are_fetched_once(open_document: OpenDocument) -> None:
    tab = open_document(chain())
    for count in ("4", "5", "6"):
        tab.select("scenes")
        tab.set_parameter("count", count)
        tab.expect_stored()
    assert len([url for url in tab.requests if "/palette/" in url]) == 1


def test_two_hundred_nodes_can_be_moved(open_document: OpenDocument) -> None:
    tab = open_document(large(200))
    expect(tab.page.get_by_text("overview of the pipeline")).to_be_attached()
    tab.tool("Fit").click()
    tab.page.wait_for_timeout(600)
    name = tab.nodes.first
    box = name.bounding_box()
    assert box is not None
    tab.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 4)
    tab.page.mouse.down()
    tab.page.mouse.move(box["x"] + 60, box["y"] + 60, steps=10)
    tab.page.mouse.up()
    expect(tab.tool("Undo")).to_have_attribute("title", "Undo move (Ctrl+Z)")


def serious(tab: Composing) -> list[str]:
    """Return what axe-core calls serious or critical, with the elements."""
    tab.page.add_script_tag(path=AXE)
    found: dict[str, Any] = tab.page.evaluate("axe.run()")
    return [
        f"{violation['id']}: {violation['help']}: {node['html'][:160]}"
        for violation in found["violations"]
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]


def _classes(tab: Composing) -> str:
    return tab.page.locator(".eoloom-composer").get_attribute("class") or ""
