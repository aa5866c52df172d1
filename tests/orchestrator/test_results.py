"""What a run leaves on disk: a STAC catalogue that others can read."""

from __future__ import annotations

import json
from pathlib import Path

import pystac
import pytest

from orchestrator.engine.message import Message
from orchestrator.engine.plan import NodePlan, Plan, PlanLink, Step
from orchestrator.errors import SettingsError
from orchestrator.result_files import read_results
from orchestrator.results import ITEM, Results
from protos.common.v1.item_pb2 import Asset, Band, Item

SCENES = Step("scenes", "search", "S", source=True, output_message=ITEM)
CHANGE = Step("change", "detect", "C", output_message=ITEM)
REPORT = Step("report", "write", "R", output_message="acme.Report")
PLAN = Plan(
    "forest",
    "digest",
    tuple(NodePlan(name, name, "1.0.0", ("x",)) for name in ("scenes", "change", "report")),
    (SCENES, CHANGE, REPORT),
    (PlanLink("scenes.search", "change.detect"), PlanLink("scenes.search", "report.write")),
)
SQUARE = '{"type":"Polygon","coordinates":[[[14,45],[15,45],[15,46],[14,46],[14,45]]]}'


def scene(name: str, day: int) -> Item:
    return Item(
        id=name,
        collection="sentinel-2-l2a",
        datetime=f"2023-08-{day:02}T10:00:00Z",
        bbox=[14, 45, 15, 46],
        geometry=SQUARE,
        properties='{"eo:cloud_cover": 1.5}',
        assets=[
            Asset(
                key="red",
                href="scenes/B04.tif",
                media_type="image/tiff; application=geotiff",
                roles=["data"],
                bands=[Band(name="B04", common_name="red", data_type="uint16", nodata="0")],
            ),
            Asset(key="remote", href="https://example.org/x.jp2"),
        ],
    )


def change() -> Item:
    return Item(
        id="a_b",
        collection="eoloom-s2-change",
        start_datetime="2023-08-13T10:00:00Z",
        end_datetime="2023-08-15T10:00:00Z",
        bbox=[14, 45, 15, 46],
        geometry=SQUARE,
        derived_from=["sentinel-2-l2a/a", "sentinel-2-l2a/b"],
    )


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return Results(tmp_path, PLAN, "run-1", lambda *_: None)


def record(results: Results, step: Step, item: Item, number: int = 1) -> None:
    results.record(step, Message(item.SerializeToString(), f"{step.key}#{number}"))


def test_the_catalogue_is_valid_stac_and_links_hold(results: Results, tmp_path: Path) -> None:
    asset = tmp_path / "shared" / "scenes" / "B04.tif"
    asset.parent.mkdir(parents=True)
    asset.touch()
    record(results, SCENES, scene("a", 13))
    record(results, SCENES, scene("b", 15), 2)
    record(results, CHANGE, change())
    catalogue = pystac.Catalog.from_file(str(results.finish()))
    items = {item.id: item for item in catalogue.get_items(recursive=True)}
    assert set(items) == {"a", "b", "a_b"}
    for entity in (catalogue, *catalogue.get_children(), *items.values()):
        # The core schemas come with pystac; those of extensions would need a network.
        entity.stac_extensions = []
        entity.validate()
    assert Path(items["a"].assets["red"].get_absolute_href() or "") == asset
    assert items["a"].assets["remote"].href == "https://example.org/x.jp2"
    parents = [link for link in items["a_b"].links if link.rel == "derived_from"]
    assert [Path(p.get_absolute_href() or "").stem for p in parents] == ["a", "b"]
    collection = items["b"].get_collection()
    assert collection is not None
    assert collection.extent.temporal.to_dict() == {
        "interval": [["2023-08-13T10:00:00Z", "2023-08-15T10:00:00Z"]]
    }


def test_items_are_there_at_once_and_readable_without_the_catalogue(
    results: Results, tmp_path: Path
) -> None:
    record(results, SCENES, scene("a", 13))
    record(results, CHANGE, change())
    (tmp_path / "results" / "change" / "eoloom-s2-change" / "broken.json").write_text('{"id": ')
    found = {result.item: result for result in read_results(tmp_path)}
    assert set(found) == {"a", "a_b"}
    assert found["a_b"].terminal
    assert not found["a"].terminal
    assert found["a"].operation == "search"
    assert found["a"].assets[0].path == str(tmp_path / "shared" / "scenes" / "B04.tif")


def test_equal_ids_do_not_overwrite_each_other(results: Results, tmp_path: Path) -> None:
    record(results, SCENES, scene("a", 13))
    record(results, SCENES, scene("a", 14), 2)
    assert len(read_results(tmp_path)) == 2


def test_a_hostile_id_stays_inside_the_folder(results: Results, tmp_path: Path) -> None:
    item = scene("../../../escape", 13)
    item.collection = "../.."
    record(results, SCENES, item)
    [path] = (tmp_path / "results").rglob("*.json")
    assert path.resolve().is_relative_to(tmp_path / "results")
    assert json.loads(path.read_text())["id"] == "../../../escape"


def test_other_messages_that_nobody_takes_are_kept_as_bytes(
    results: Results, tmp_path: Path
) -> None:
    results.record(REPORT, Message(b"\x0a\x03abc", "report.write#7"))
    [result] = read_results(tmp_path)
    assert result.path.read_bytes() == b"\x0a\x03abc"
    assert (result.node, result.operation, result.item) == ("report", "write", "")


def test_what_is_not_an_item_is_said_so(results: Results) -> None:
    with pytest.raises(SettingsError, match=r"scenes\.search#1 is not an Item"):
        results.record(SCENES, Message(b"\xff\xff", "scenes.search#1"))


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("a file, not a folder")
    results = Results(tmp_path, PLAN, "run-1", lambda *_: None)
    with pytest.raises(SettingsError, match=r"cannot write .*/results/"):
        record(results, SCENES, scene("a", 13))
