"""The page of results: what is seen on the map is what the rasters hold."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from playwright.sync_api import expect
from rasterio.warp import transform
from scipy.ndimage import binary_erosion

from orchestrator.journal import Journal, RunRecord
from tests.browser.browsing import Browsing
from tests.browser.conftest import NewContext, OpenPage
from tests.browser.losing import losing
from tests.browser.mapping import Mapping
from tests.browser.served import Served
from tests.data import ROOT

KINDS = "/classes/1"
COLOURS = {1: (213, 94, 0), 2: (0, 114, 178)}
"""Of `classes.tif`, as s2-change writes them."""


@pytest.fixture(scope="module")
def demo(page: Served) -> Path:
    """The folder of a run of the demonstration."""
    options = ["--runs-folder", str(page.runs), "--no-cache"]
    subprocess.run(
        [sys.executable, "-m", "ui", "run", str(ROOT / "examples" / "demo.yaml"), *options],
        check=True,
        capture_output=True,
        timeout=170,
    )
    return next(page.runs.glob("demo-*"))


def change_folder(run: Path) -> Path:
    return next((run / "shared" / "change").iterdir())


def inner_place(run: Path, value: int) -> tuple[float, float]:
    """Longitude and latitude of a pixel of a class that has only its own kind around it."""
    with rasterio.open(change_folder(run) / "classes.tif") as dataset:
        inside: NDArray[Any] = binary_erosion(dataset.read(1) == value, iterations=6)
        rows, columns = np.nonzero(inside)
        x, y = dataset.xy(int(rows[0]), int(columns[0]))
        longitudes, latitudes = transform(dataset.crs, "EPSG:4326", [x], [y])
    return longitudes[0], latitudes[0]


def on_map(tab: Browsing) -> Mapping:
    shown = Mapping(tab.page)
    shown.wait(KINDS)
    return shown


def test_changes_are_drawn_where_the_raster_has_them(demo: Path, open_page: OpenPage) -> None:
    shown = on_map(open_page(f"results?run={demo.name}"))
    shown.layer("Changed areas").uncheck()
    for value, colour in COLOURS.items():
        place = inner_place(demo, value)
        assert tuple(shown.seen(*shown.place(KINDS, *place))) == colour
    unchanged = inner_place(demo, 0)
    colour = tuple(shown.seen(*shown.place(KINDS, *unchanged)))
    assert colour not in COLOURS.values()
    expect(shown.frame.locator(".classes")).to_contain_text("vegetation loss")


def test_tiles_that_are_lost_on_the_way_are_asked_for_again(
    demo: Path, page: Served, new_context: NewContext
) -> None:
    context = new_context()
    lost = losing(context, re.compile("/tiles/"), times=1)
    tab = Browsing.open(context, page.url, f"results?run={demo.name}")
    shown = on_map(tab)
    shown.layer("Changed areas").uncheck()
    place = inner_place(demo, 1)
    assert tuple(shown.seen(*shown.place(KINDS, *place))) == COLOURS[1]
    assert lost
    expect(tab.page.get_by_text("does not answer")).to_have_count(0)


def test_layers_are_switched_and_made_transparent(demo: Path, open_page: OpenPage) -> None:
    shown = on_map(open_page(f"results?run={demo.name}"))
    shown.layer("Changed areas").uncheck()
    place = inner_place(demo, 2)
    point = shown.place(KINDS, *place)
    below = shown.drawn("/reflectance/3-2-1", *place)
    opacity = shown.frame.get_by_role("slider", name="opacity of Kinds")
    opacity.fill("50")
    half = (np.array(COLOURS[2]) + below) / 2
    assert np.abs(shown.seen(*point) - half).max() < 30
    shown.layer("Kinds").uncheck()
    assert np.abs(shown.seen(*point) - below).max() < 30
    shown.layer("Magnitude of change").check()
    shown.wait("/magnitude/1")
    expect(shown.frame.locator(".ramp")).to_be_visible()


def test_the_slider_shows_before_and_after(demo: Path, open_page: OpenPage) -> None:
    shown = on_map(open_page(f"results?run={demo.name}"))
    shown.layer("Changed areas").uncheck()
    shown.layer("Kinds").uncheck()
    shown.frame.get_by_role("button", name="Compare").click()
    before, after = "20240731_0_L2A.json/reflectance/3-2-1", "20240830_0_L2A.json/reflectance/3-2-1"
    shown.wait(before)
    shown.wait(after)
    place = inner_place(demo, 2)
    point = shown.place(after, *place)
    colours = {name: shown.drawn(name, *place) for name in (before, after)}
    assert np.abs(colours[before] - colours[after]).max() > 60

    shown.slider.focus()
    shown.page.keyboard.press("End")
    assert np.abs(shown.seen(*point) - colours[before]).max() < 30
    shown.page.keyboard.press("Home")
    assert np.abs(shown.seen(*point) - colours[after]).max() < 30

    handle, stage = shown.slider.bounding_box(), shown.frame.locator(".stage").bounding_box()
    assert handle is not None
    assert stage is not None
    shown.page.mouse.move(handle["x"] + 14, handle["y"] + 200)
    shown.page.mouse.down()
    shown.page.mouse.move(stage["x"] + stage["width"] * 0.75, handle["y"] + 200, steps=5)
    shown.page.mouse.up()
    expect(shown.slider).to_have_attribute("aria-valuenow", "75")


def test_an_outline_tells_its_properties_and_the_cursor_values(
    demo: Path, open_page: OpenPage
) -> None:
    shown = on_map(open_page(f"results?run={demo.name}"))
    x, y = shown.place(KINDS, *inner_place(demo, 1))
    shown.page.mouse.move(x, y, steps=3)
    expect(shown.frame.locator(".readout")).to_contain_text("near-infrared loss")
    shown.page.mouse.click(x, y)
    popup = shown.frame.locator(".leaflet-popup")
    expect(popup).to_contain_text("area ha")
    expect(popup).to_contain_text("near-infrared loss")


def test_sections_tell_the_numbers_where_it_came_from_and_its_files(
    demo: Path, open_page: OpenPage, tmp_path: Path
) -> None:
    tab = open_page(f"results?run={demo.name}")
    shown = on_map(tab)
    statistics = json.loads((change_folder(demo) / "statistics.json").read_bytes())
    expect(tab.main).to_contain_text(f"{statistics['changed_area_ha']:.2f} ha")

    def section(name: str) -> None:
        tab.section(name)

    section("Histogram")
    expect(tab.page.locator("[data-testid=stVegaLiteChart]")).to_be_visible()
    section("Lineage")
    expect(tab.page.get_by_role("img", name="was made from")).to_be_visible()
    section("Downloads")
    with tab.page.expect_download() as begun:
        tab.page.get_by_role("link", name="Change mask").click()
    begun.value.save_as(tmp_path / "mask.tif")
    expected = (change_folder(demo) / "mask.tif").read_bytes()
    assert (tmp_path / "mask.tif").read_bytes() == expected
    with tab.page.expect_download() as begun:
        tab.page.get_by_role("link", name="RO-Crate without data").click()
    begun.value.save_as(tmp_path / "crate.zip")
    with zipfile.ZipFile(tmp_path / "crate.zip") as crate:
        assert "ro-crate-metadata.json" in crate.namelist()
    expect(shown.frame).to_be_visible()


def test_steps_on_the_way_are_shown_when_asked_for(demo: Path, open_page: OpenPage) -> None:
    tab = open_page(f"results?run={demo.name}")
    on_map(tab)
    expect(tab.main).to_contain_text("Item (1 item)")
    tab.page.get_by_text("Steps", exact=True).click()
    expect(tab.main).to_contain_text("Item (5 items)")


def test_a_raster_that_has_gone_is_told_of(demo: Path, page: Served, open_page: OpenPage) -> None:
    tab = open_page(f"results?run={demo.name}")
    on_map(tab)
    mask = change_folder(demo) / "mask.tif"
    hidden = mask.rename(mask.with_suffix(".away"))
    try:
        tab.page.reload()
        expect(tab.main).to_contain_text("the run has no file")
    finally:
        hidden.rename(mask)


def test_a_run_that_failed_says_so(demo: Path, page: Served, open_page: OpenPage) -> None:
    folder = page.runs / "broken-1"
    folder.mkdir()
    journal = Journal("", page.runs)
    begun = RunRecord.begun("broken-1", "broken", "0" * 64, folder)
    journal.open_run(_ended(begun, "failed", "clean: the scene <b>has</b> no bands"))
    journal.close()
    tab = open_page("results?run=broken-1")
    expect(tab.main).to_contain_text("failed")
    expect(tab.main).to_contain_text("the scene <b>has</b> no bands")


def _ended(record: RunRecord, state: str, message: str) -> RunRecord:
    return replace(record, state=state, message=message, ended=record.started)


def test_a_run_that_there_is_not_is_told_of(demo: Path, open_page: OpenPage) -> None:
    tab = open_page("results?run=nothing")
    expect(tab.main).to_contain_text("there is no run")


def test_the_page_is_accessible(demo: Path, open_page: OpenPage) -> None:
    tab = open_page(f"results?run={demo.name}")
    on_map(tab)
    tab.assert_accessible()
