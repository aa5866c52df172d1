"""Composing with mouse and keyboard, from an empty canvas to a run."""

from __future__ import annotations

import json
from typing import Any

from playwright.sync_api import expect

from tests.browser.composing import Composing, middle
from tests.browser.conftest import NewContext, OpenDocument
from tests.browser.documents import chain
from tests.browser.served import Served
from ui.workspace import Workspace

RUNS_WITHIN_MS = 120_000

# How much lower one node is than another, in pixels of the screen.
LOWER = """names => {
  const [one, other] = names.map((name) => document.querySelector(`[data-id="${name}"]`));
  return one.getBoundingClientRect().top - other.getBoundingClientRect().top;
}"""


def draw_demo(tab: Composing) -> None:
    """Build examples/demo.yaml from an empty canvas."""
    tab.drag_in("sample-scenes", 100, 120)
    tab.drag_in("s2-preprocess", 360, 300)
    tab.drag_in("s2-change", 640, 120)
    tab.draw(
        tab.port("sample-scenes", "output", "generate"),
        tab.port("s2-preprocess", "input", "prepare"),
    )
    tab.draw(
        tab.port("s2-preprocess", "output", "prepare"), tab.port("s2-change", "input", "detect")
    )
    expect(tab.links).to_have_count(2)


def stored(tab: Composing, served: Served) -> dict[str, Any]:
    """Return what the page has stored of a tab."""
    tab.expect_stored()
    draft = Workspace(served.workspace).draft(tab.page.url.rpartition("draft=")[2])
    assert draft is not None
    return draft.document


def test_the_demonstration_is_drawn_from_an_empty_canvas_and_runs(composing: Composing) -> None:
    draw_demo(composing)
    composing.select("sample-scenes")
    composing.set_parameter("size", "256")
    composing.expect_runnable()
    composing.button("Run").click()
    for name in ("sample-scenes", "s2-preprocess", "s2-change"):
        expect(composing.node(name).locator(".component-node.run-done")).to_be_attached(
            timeout=RUNS_WITHIN_MS
        )
    expect(composing.page.get_by_text("succeeded")).to_be_visible(timeout=RUNS_WITHIN_MS)
    expect(composing.node("s2-change").locator(".run-state")).to_contain_text("1 out")


def test_everything_is_undone_and_done_again(composing: Composing) -> None:
    draw_demo(composing)
    composing.select("s2-change")
    method = composing.parameter("method").get_by_role("combobox")
    method.select_option("cva")
    expect(composing.tool("Undo")).to_have_attribute("title", "Undo set method (Ctrl+Z)")
    for _ in range(6):
        composing.tool("Undo").click()
    expect(composing.nodes).to_have_count(0)
    expect(composing.tool("Undo")).to_be_disabled()
    for _ in range(6):
        composing.page.keyboard.press("Control+Shift+Z")
    expect(composing.nodes).to_have_count(3)
    expect(composing.links).to_have_count(2)
    composing.expect_runnable()
    composing.select("s2-change")
    expect(method).to_have_value('"cva"')


def test_a_wrong_parameter_shows_the_composers_message_at_its_field(
    open_document: OpenDocument, served: Served
) -> None:
    tab = open_document(chain())
    tab.select("scenes")
    tab.set_parameter("count", "5000")
    fault = tab.parameter("count").locator(".fault")
    expect(fault).to_contain_text("5000 is more than the maximum 1000")
    expect(tab.button("Run")).to_be_disabled()
    tab.set_parameter("count", "4")
    tab.expect_runnable()
    expect(fault).to_have_count(0)
    assert stored(tab, served)["nodes"]["scenes"]["params"] == {"count": 4}
    tab.parameter("count").get_by_role("button", name="reset").click()
    expect(tab.parameter("count").get_by_role("textbox")).to_have_value("")
    assert "params" not in stored(tab, served)["nodes"]["scenes"]


def test_nodes_are_copied_pasted_and_deleted(open_document: OpenDocument) -> None:
    tab = open_document(chain())
    tab.select("scenes")
    tab.page.keyboard.press("Control+a")
    tab.page.keyboard.press("Control+c")
    tab.page.keyboard.press("Control+v")
    expect(tab.nodes).to_have_count(6)
    expect(tab.links).to_have_count(4)
    expect(tab.node("clean-2")).to_be_visible()
    tab.page.keyboard.press("Delete")
    expect(tab.nodes).to_have_count(3)
    tab.select("clean")
    tab.page.keyboard.press("Delete")
    expect(tab.node("clean")).to_have_count(0)
    expect(tab.links).to_have_count(0)
    tab.page.keyboard.press("Control+z")
    expect(tab.links).to_have_count(2)


def test_a_node_is_renamed_with_its_links(open_document: OpenDocument, served: Served) -> None:
    tab = open_document(chain())
    tab.rename("clean", "cloud-free")
    tab.expect_runnable()
    assert stored(tab, served)["links"] == [
        "scenes.generate -> cloud-free.prepare",
        "cloud-free.prepare -> change.detect",
    ]
    box = tab.panel.get_by_label("name of the node")
    for wrong, reason in {"Cloud Free": "small letters", "scenes": "already"}.items():
        box.fill(wrong)
        box.press("Enter")
        expect(tab.refusal).to_contain_text(reason)
        expect(box).to_have_value("cloud-free")


def test_notes_and_groups_are_kept_with_the_positions(
    open_document: OpenDocument, served: Served
) -> None:
    tab = open_document(chain())
    tab.tool("Note").click()
    tab.page.get_by_label("text of the note").fill("August only")
    tab.select("scenes")
    tab.node("clean").locator("header strong").click(modifiers=["Control"])
    tab.tool("Group").click()
    title = tab.page.get_by_label("title of the group")
    title.fill("scenes in")
    title.press("Tab")
    positions = stored(tab, served)["positions"]
    assert [note["text"] for note in positions["notes"]] == ["August only"]
    [group] = positions["groups"]
    assert (group["title"], sorted(group["nodes"])) == ("scenes in", ["clean", "scenes"])
    tab.expect_runnable()
    tab.button("Save").click()
    expect(tab.page.get_by_text("version 1", exact=True)).to_be_visible()
    tab.page.get_by_title("Dissolve this group").click()
    expect(title).to_have_count(0)


def test_title_and_description_are_those_of_the_pipeline(
    open_document: OpenDocument, served: Served
) -> None:
    tab = open_document(chain())
    tab.panel.get_by_label("Title").fill("Change in fakes")
    tab.panel.get_by_label("Title").press("Tab")
    tab.expect_runnable()
    assert stored(tab, served)["title"] == "Change in fakes"


def test_moved_nodes_stay_where_they_were_put(open_document: OpenDocument, served: Served) -> None:
    tab = open_document(chain())
    x, y = middle(tab.node("change").locator("header strong"))
    tab.page.mouse.move(x, y)
    tab.page.mouse.down()
    tab.page.mouse.move(x, y + 120, steps=8)
    tab.page.mouse.up()
    expect(tab.tool("Undo")).to_be_enabled()
    moved = stored(tab, served)["positions"]["nodes"]["change"]["y"]
    assert moved > 80
    tab.page.reload()
    tab.wait()
    expect(tab.node("change")).to_be_visible()
    assert tab.page.evaluate(LOWER, ["change", "clean"]) > 60


def test_a_pipeline_is_composed_by_keyboard_alone(composing: Composing) -> None:
    page = composing.page
    search = page.get_by_label("search components")
    search.focus()
    for words in ("fake-scenes", "fake-clean"):
        search.focus()
        page.keyboard.press("Control+a")
        page.keyboard.type(words)
        expect(page.locator(".palette li")).to_have_count(1)
        _tab_to(composing, ".palette [role=button]")
        page.keyboard.press("Enter")
        expect(composing.node(words)).to_be_visible()
    source = composing.port("fake-scenes", "output", "generate")
    _tab_to(composing, '[data-nodeid="fake-scenes"][data-handleid="output:generate"]')
    page.keyboard.press("Enter")
    expect(source).to_contain_class("chosen")
    _tab_to(composing, '[data-nodeid="fake-clean"][data-handleid="input:prepare"]')
    page.keyboard.press("Enter")
    expect(composing.links).to_have_count(1)
    composing.expect_runnable()
    page.keyboard.press("Control+z")
    expect(composing.links).to_have_count(0)


def test_another_tab_pastes_what_was_copied(served: Served, new_context: NewContext) -> None:
    context = new_context(permissions=["clipboard-read", "clipboard-write"])
    draft = Workspace(served.workspace).new_draft(chain())
    first = Composing.open(context, f"{served.url}/?draft={draft.id}")
    first.select("clean")
    first.page.keyboard.press("Control+c")
    copied = first.page.evaluate("navigator.clipboard.readText()")
    assert list(json.loads(copied)["nodes"]) == ["clean"]
    second = Composing.open(context, served.url)
    second.page.bring_to_front()
    second.tool("Paste").click()
    expect(second.node("clean")).to_be_visible()


def _tab_to(tab: Composing, selector: str, most: int = 60) -> None:
    """Press Tab until an element has the focus."""
    for _ in range(most):
        tab.page.keyboard.press("Tab")
        if tab.page.evaluate("(s) => document.activeElement?.matches(s) ?? false", selector):
            return
    raise AssertionError(f"Tab does not lead to {selector}")
