"""Nothing that was drawn is lost: reloads, restarts, two tabs, versions."""

from __future__ import annotations

import json

import pytest
import yaml
from playwright.sync_api import expect

from tests.browser.composing import Composing
from tests.browser.conftest import NewContext, OpenDocument
from tests.browser.documents import chain
from tests.browser.served import Served
from ui.workspace import Workspace

# What stands above the page: it has no server by then that could say anything.
SAYS_NO_CONNECTION = """() => {
  const banner = getComputedStyle(document.querySelector(".stApp"), "::before");
  return banner.content.includes("No connection to EO Loom") && banner.opacity === "1";
}"""


def test_a_reload_in_the_middle_loses_nothing(open_document: OpenDocument) -> None:
    tab = open_document(chain())
    tab.rename("clean", "cloud-free")
    tab.page.reload()  # before the page can have got it
    tab.wait()
    expect(tab.node("cloud-free")).to_be_visible()
    expect(tab.links).to_have_count(2)
    expect(tab.page.get_by_text("is a copy")).to_have_count(0)


def test_a_killed_server_loses_nothing(own_served: Served, new_context: NewContext) -> None:
    tab = Composing.open(new_context(), own_served.url)
    tab.drag_in("fake-scenes", 150, 150)
    tab.expect_stored()
    own_served.kill()
    tab.page.wait_for_function(SAYS_NO_CONNECTION)
    tab.page.get_by_role("dialog").get_by_role("button", name="Close").click()  # Streamlit's own
    tab.drag_in("fake-clean", 450, 150)
    tab.draw(
        tab.port("fake-scenes", "output", "generate"), tab.port("fake-clean", "input", "prepare")
    )
    own_served.start()
    # Streamlit finds its server again by itself, and then the page gets what it has missed.
    tab.expect_runnable()
    assert _stored_links(own_served, tab) == ["fake-scenes.generate -> fake-clean.prepare"]
    own_served.kill()
    tab.page.keyboard.press("Control+z")
    own_served.start()
    tab.page.goto(tab.page.url)
    tab.wait()
    expect(tab.nodes).to_have_count(2)
    expect(tab.links).to_have_count(0)


def test_a_duplicated_tab_gets_a_copy(served: Served, new_context: NewContext) -> None:
    context = new_context()
    draft = Workspace(served.workspace).new_draft(chain())
    first = Composing.open(context, f"{served.url}/?draft={draft.id}")
    expect(first.nodes).to_have_count(3)
    second = Composing.open(context, f"{served.url}/?draft={draft.id}")
    expect(second.page.get_by_text("this one is a copy of it")).to_be_visible()
    expect(second.nodes).to_have_count(3)
    second.select("change")
    second.page.keyboard.press("Delete")
    second.expect_stored()
    first.page.reload()
    first.wait()
    expect(first.nodes).to_have_count(3)
    assert draft.id in first.page.url
    assert draft.id not in second.page.url


def test_two_tabs_that_save_make_two_versions(served: Served, new_context: NewContext) -> None:
    context = new_context()
    workspace = Workspace(served.workspace)
    document = chain() | {"name": "two-tabs"}
    tabs = [
        Composing.open(context, f"{served.url}/?draft={workspace.new_draft(document).id}")
        for _ in range(2)
    ]
    for tab, count in zip(tabs, ("5", "6"), strict=True):
        tab.select("scenes")
        tab.set_parameter("count", count)
        tab.expect_runnable()
    tabs[0].button("Save").click()
    expect(tabs[0].page.get_by_text("version 1", exact=True)).to_be_visible()
    tabs[1].button("Save").click()
    expect(
        tabs[1].page.get_by_text("Version 1 of two-tabs was saved in another tab")
    ).to_be_visible()
    tabs[1].page.get_by_role("button", name="Save this as version 2").click()
    expect(tabs[1].page.get_by_text("version 2", exact=True)).to_be_visible()
    assert "count: 5" in workspace.text("two-tabs", 1)
    assert "count: 6" in workspace.text("two-tabs", 2)

    tabs[1].button("More").click()
    expect(tabs[1].page.locator("pre")).to_contain_text("-      count: 5")
    expect(tabs[1].page.locator("pre")).to_contain_text("+      count: 6")


def test_a_saved_pipeline_is_a_file_that_opens_again(
    open_document: OpenDocument, served: Served
) -> None:
    tab = open_document(chain() | {"name": "kept"})
    tab.expect_runnable()
    tab.button("Save").click()
    expect(tab.page.get_by_text("version 1", exact=True)).to_be_visible()
    file = yaml.safe_load((served.workspace / "kept.yaml").read_text())
    assert file["nodes"]["clean"] == {"component": "fake-clean"}
    assert list(file)[-1] == "positions"
    tab.button("New").click()
    expect(tab.nodes).to_have_count(0)
    tab.button("Open").click()
    tab.page.get_by_role("button", name="kept version 1").click()
    expect(tab.nodes).to_have_count(3)
    expect(tab.page.get_by_text("version 1", exact=True)).to_be_visible()


def test_a_pipeline_is_renamed(open_document: OpenDocument, served: Served) -> None:
    tab = open_document(chain())
    tab.button("More").click()
    tab.page.get_by_role("tab", name="Name").click()
    name = tab.page.get_by_role("textbox", name="Name", exact=True)
    name.fill("Not A Name")
    name.press("Enter")
    tab.page.get_by_role("button", name="Rename").click()
    expect(tab.page.get_by_role("alert").get_by_text("Not A Name")).to_be_visible()
    name.fill("renamed")
    name.press("Enter")
    tab.page.get_by_role("button", name="Rename").click()
    expect(tab.page.get_by_role("heading", name="renamed")).to_be_visible()
    expect(tab.nodes).to_have_count(3)


@pytest.mark.parametrize("draft", ["000000000000", "../../etc", "<script>"])
def test_a_draft_that_there_is_not_begins_an_empty_one(
    served: Served, new_context: NewContext, draft: str
) -> None:
    tab = Composing.open(new_context(), f"{served.url}/?draft={draft}")
    expect(tab.nodes).to_have_count(0)
    expect(tab.problems).to_contain_text("drag a component onto the canvas")
    tab.assert_no_errors()


def _stored_links(served: Served, tab: Composing) -> list[str]:
    draft = tab.page.url.rpartition("draft=")[2]
    path = served.workspace / ".drafts" / f"{draft}.json"
    links: list[str] = json.loads(path.read_text())["document"]["links"]
    return links
