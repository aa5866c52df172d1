"""Wrong links are refused while they are drawn, with the reason."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import OpenDocument
from tests.browser.documents import chain, unlinked


def test_a_link_between_two_types_is_refused_with_the_reason(open_document: OpenDocument) -> None:
    tab = open_document(unlinked())
    tab.draw(tab.port("scenes", "output", "generate"), tab.port("charts", "input", "draw"))
    expect(tab.refusal).to_contain_text(
        "scenes.generate sends Item, charts.draw takes Table: their types differ"
    )
    expect(tab.links).to_have_count(0)


def test_a_link_between_two_products_is_refused_naming_both(open_document: OpenDocument) -> None:
    tab = open_document(unlinked())
    tab.draw(tab.port("scenes", "output", "generate"), tab.port("change", "input", "detect"))
    expect(tab.refusal).to_contain_text(
        "scenes.generate emits sentinel-2-l2a, change.detect accepts eoloom-s2-reflectance"
    )
    expect(tab.links).to_have_count(0)


def test_two_outputs_are_not_linked(open_document: OpenDocument) -> None:
    tab = open_document(unlinked())
    tab.draw(tab.port("scenes", "output", "generate"), tab.port("clean", "output", "prepare"))
    expect(tab.refusal).to_contain_text("both of these are outputs")
    expect(tab.links).to_have_count(0)


def test_matching_ports_light_up_and_others_fade(open_document: OpenDocument) -> None:
    tab = open_document(unlinked())
    tab.begin_link(tab.port("scenes", "output", "generate"))
    expect(tab.port("clean", "input", "prepare")).to_contain_class("lights")
    expect(tab.port("charts", "input", "draw")).to_contain_class("fades")
    expect(tab.port("clean", "output", "prepare")).to_contain_class("fades")
    tab.page.mouse.up()
    expect(tab.page.locator(".port.lights")).to_have_count(0)


def test_the_palette_shows_what_fits_the_selected_port(open_document: OpenDocument) -> None:
    tab = open_document(unlinked())
    tab.port("charts", "output", "measure").click()
    tab.page.get_by_label("fits the selected port").check()
    expect(tab.in_palette("charts")).to_be_visible()
    expect(tab.in_palette("s2-change")).to_have_count(0)


def test_types_of_messages_are_explained_where_there_are_several(
    open_document: OpenDocument,
) -> None:
    tab = open_document(unlinked())
    expect(tab.page.locator(".legend")).to_contain_text("Item")
    expect(tab.page.locator(".legend")).to_contain_text("Table")


def test_the_composer_has_the_last_word(open_document: OpenDocument) -> None:
    document = chain() | {"links": ["scenes.generate -> change.detect"]}
    tab = open_document(document)
    problem = tab.problems.get_by_role("button", name="scenes.generate -> change.detect")
    expect(problem).to_contain_text("emits sentinel-2-l2a")
    expect(tab.button("Run")).to_be_disabled()
    problem.click()
    expect(tab.page.locator(".react-flow__edge.selected.faulty")).to_have_count(1)


def test_one_field_is_linked_to_another(open_document: OpenDocument) -> None:
    document = unlinked()
    document["nodes"] = {name: {"component": "charts"} for name in ("charts", "more")}
    document["positions"]["nodes"]["more"] = {"x": 600, "y": 220}
    tab = open_document(document)
    for name in ("charts", "more"):
        tab.node(name).get_by_role("button", name="fields").click()
    tab.draw(
        tab.port("charts", "output", "measure", "id"), tab.port("more", "input", "draw", "mean")
    )
    expect(tab.refusal).to_contain_text("charts.measure.id sends string")
    tab.draw(tab.port("charts", "output", "measure", "id"), tab.port("more", "input", "draw", "id"))
    expect(tab.links).to_have_count(1)
    expect(tab.problems).not_to_contain_text("charts.measure.id -> more.draw.id")
