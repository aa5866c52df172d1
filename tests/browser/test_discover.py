"""The page of components: search, one component, and onboarding by a form."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import expect

from tests.browser.composing import Composing
from tests.browser.conftest import OpenPage
from tests.browser.served import Served

PROTO = """syntax = "proto3";

message Image { bytes pixels = 1; string name = 2; }
message Region { repeated double outline = 1; string label = 2; }

service Segmenter {
  rpc segment(Image) returns (stream Region);
}
"""


def test_components_are_found_by_words_and_kind(open_page: OpenPage) -> None:
    tab = open_page("discover")
    expect(tab.page.get_by_role("link", name="Sentinel-2 pre-processing")).to_be_visible()
    tab.assert_accessible()
    tab.fill("Search", "change irmad")
    expect(tab.main).to_contain_text("No component fits")
    tab.fill("Search", "change ir-mad")
    expect(tab.page.get_by_role("link", name="Sentinel-2 change detection")).to_be_visible()
    expect(tab.page.get_by_role("link", name="Sentinel-2 pre-processing")).to_have_count(0)
    tab.fill("Search", "")
    tab.choose("Kind", "gives data")
    expect(tab.page.get_by_role("link", name="STAC search")).to_be_visible()
    expect(tab.page.get_by_role("link", name="Sentinel-2 change detection")).to_have_count(0)


def test_one_component_shows_its_contract_and_begins_a_pipeline(open_page: OpenPage) -> None:
    tab = open_page("discover?component=s2-change")
    drawing = tab.page.get_by_role("img", name="The operations of Sentinel-2 change detection")
    expect(drawing).to_be_visible()
    assert drawing.evaluate("image => image.naturalWidth") > 500
    tab.assert_accessible()
    tab.section("Parameters")
    expect(tab.page.get_by_role("row", name=re.compile("minimum_area_ha"))).to_contain_text(
        "hectares"
    )
    tab.section("Example")
    expect(tab.main.get_by_test_id("stCode")).to_contain_text("component: s2-change@")
    tab.section("Proto file")
    expect(tab.text("proto file")).to_contain_text("service S2Change")
    tab.button("Use in a new pipeline").click()
    canvas = Composing(tab.page)
    canvas.wait()
    expect(canvas.node("s2-change")).to_be_visible()


def test_an_unknown_component_is_a_message(open_page: OpenPage) -> None:
    tab = open_page("discover?component=s2-chance")
    expect(tab.page.get_by_role("alert")).to_contain_text("did you mean 's2-change'")


def test_a_bad_contract_is_named_with_its_line(open_page: OpenPage) -> None:
    tab = open_page("discover")
    tab.button("Onboard a component").click()
    tab.dialog.get_by_role("button", name="Onboard", exact=True).click()
    expect(tab.dialog.get_by_role("alert")).to_contain_text("name the container image")
    tab.fill("Container image", "registry.example/team/segment:1.2")
    tab.settle()  # the message goes, and the dialog moves
    tab.dialog.get_by_role("tab", name="Paste it").click()
    tab.fill("Contract", PROTO.replace("stream Region", "stream Regio"))
    tab.dialog.get_by_role("button", name="Onboard", exact=True).click()
    expect(tab.dialog.get_by_role("alert")).to_contain_text("line 7")
    expect(tab.text("the contract around it")).to_contain_text("> 7    rpc segment(Image)")
    tab.assert_accessible()


def test_an_image_is_onboarded_and_dragged_onto_the_canvas(
    page: Served, open_page: OpenPage, tmp_path: Path
) -> None:
    file = tmp_path / "model.proto"
    file.write_text(PROTO)
    tab = open_page("discover")
    tab.button("Onboard a component").click()
    tab.fill("Container image", "registry.example/team/segment:1.2")
    tab.dialog.locator("input[type=file]").set_input_files(file)
    tab.fill("Title", "Segments <b>of</b> *images*")
    tab.fill("Licence", "MIT")
    tab.fill("Sensor, task", "segmentation, planet")
    expect(tab.dialog.get_by_test_id("stFileChipName")).to_be_visible()
    tab.settle()
    tab.dialog.get_by_role("button", name="Onboard", exact=True).click()
    # What others have written is shown as it is.
    expect(tab.main).to_contain_text("Segments <b>of</b> *images*")
    expect(tab.main).to_contain_text("private")
    tab.settle()
    tab.button("Who may use it").click()
    tab.dialog.get_by_text("everybody").click()
    tab.dialog.get_by_role("button", name="Save").click()
    expect(tab.main).to_contain_text("public")
    tab.go("")
    canvas = Composing(tab.page)
    canvas.wait()
    canvas.drag_in("segment", 200, 150)
    expect(canvas.port("segment", "output", "segment")).to_be_visible()
    canvas.assert_no_errors()
    tab.go("discover?component=segment")
    tab.button("Remove").click()
    tab.dialog.get_by_role("button", name="Remove it").click()
    expect(tab.page.get_by_role("link", name="STAC search")).to_be_visible()
    expect(tab.page.get_by_role("link", name="Segments")).to_have_count(0)
