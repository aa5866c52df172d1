"""The layers of items: what is drawn, in which colours, and what is told instead."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

from orchestrator.result_files import read_result
from tests.ui import rasters
from tests.ui.rasters import RUN, write_raster
from ui.map_layers import ItemLayers, MapLayer, map_bounds
from ui.result_items import ItemView, read_item, read_parents
from ui.result_layers import layers_of
from ui.result_statistics import histogram, statistics_of

COG = "image/tiff; application=geotiff; profile=cloud-optimized"
RED, GREEN, BLUE, NIR = (
    {"name": name, "eo:common_name": common, "raster:scale": 0.0001, "raster:offset": -0.1}
    for name, common in (("B04", "red"), ("B03", "green"), ("B02", "blue"), ("B08", "nir"))
)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / RUN
    folder.mkdir()
    return folder


def put_item(
    run: Path, node: str, name: str, assets: dict[str, Any], parents: tuple[str, ...] = ()
) -> ItemView:
    path = run / "results" / node / "collection" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    day = name.rpartition("-")[2]
    document = {
        "type": "Feature",
        "id": name,
        "bbox": [1, 2, 3, 4],
        "properties": {
            "datetime": f"{day[:4]}-{day[4:6]}-{day[6:]}T10:00:00Z",
            "eoloom:node": node,
            "eoloom:message": f"{node}.make#1",
        },
        "links": [{"rel": "derived_from", "href": f"../../{parent}"} for parent in parents],
        "assets": assets,
    }
    path.write_text(json.dumps(document))
    return item_at(run, path)


def item_at(run: Path, path: Path) -> ItemView:
    result = read_result(path)
    assert result is not None
    item = read_item(run, result)
    assert item is not None
    return item


def asset(path: str, **more: Any) -> dict[str, Any]:
    return {"href": f"../../../{path}", "type": COG, "roles": ["data"], **more}


def scene(run: Path, day: str) -> ItemView:
    path = f"shared/clean/{day}/reflectance.tif"
    write_raster(run / path, rasters.reflectance(), nodata=0)
    described = asset(path, bands=[BLUE, GREEN, RED, NIR])
    return put_item(run, "clean", f"scene-{day}", {"reflectance": described})


def change(run: Path, **more: Any) -> ItemView:
    path = "shared/change/a/classes.tif"
    palette = {0: (0, 0, 0, 255), 1: (213, 94, 0, 255), 2: (0, 114, 178, 255)}
    write_raster(run / path, rasters.squares(), nodata=255, colours=palette)
    parents = tuple(f"clean/collection/scene-{day}.json" for day in ("20240801", "20240701"))
    assets = {"classes": asset(path, title="Kinds", **more)}
    return put_item(run, "change", "change-20240801", assets, parents)


def layers(run: Path, item: ItemView) -> ItemLayers:
    return layers_of(run, item, read_parents(run, item))


def query(layer: MapLayer) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(layer.url).query).items()}


def test_a_change_lies_above_its_scenes_which_are_compared_in_time_order(run: Path) -> None:
    scene(run, "20240801")
    scene(run, "20240701")
    shown = layers(run, change(run))
    assert [(layer.title, layer.group, layer.visible) for layer in shown.layers] == [
        ("natural colour", "2024-07-01, clean", False),
        ("natural colour", "2024-08-01, clean", True),
        ("Kinds", "2024-08-01, change", True),
    ]
    assert (shown.left, shown.right) == (shown.layers[0].id, shown.layers[1].id)
    before, after = (query(layer) for layer in shown.layers[:2])
    assert before["bands"] == "3,2,1"
    assert before["range"] == after["range"]


def test_classes_have_the_names_of_the_item_and_the_colours_of_the_palette(run: Path) -> None:
    names = {"eoloom:class_names": {"0": "no change", "1": "loss", "2": "gain"}}
    layer = layers(run, change(run, **names)).layers[-1]
    assert query(layer)["classes"] == "1:d55e00,2:0072b2"
    assert [(c["name"], c["colour"]) for c in layer.legend["classes"]] == [
        ("no change", None),
        ("loss", "#d55e00"),
        ("gain", "#0072b2"),
    ]


def test_colours_of_the_classification_extension_count_before_the_palette(run: Path) -> None:
    described = {"value": 1, "name": "loss", "color_hint": "00FF00"}
    layer = layers(run, change(run, **{"classification:classes": [described]})).layers[-1]
    assert query(layer)["classes"] == "1:00ff00"


def test_stored_ranges_are_asked_for_and_physical_ones_are_shown(run: Path) -> None:
    path = "shared/a/direction.tif"
    values = np.nan_to_num(rasters.ramp()).astype(np.uint16) * 60
    write_raster(run / path, values, nodata=65535)
    bands = [{"name": "direction", "unit": "degree", "raster:scale": 0.01}]
    item = put_item(run, "change", "a-20240801", {"direction": asset(path, bands=bands)})
    (layer,) = layers(run, item).layers
    assert query(layer)["range"] == "0,36000"
    assert (layer.legend["high"], layer.legend["unit"]) == (360, "°")


def test_what_cannot_be_drawn_is_told_and_the_rest_is_drawn(run: Path) -> None:
    assets = {
        "gone": asset("shared/gone.tif"),
        "outside": asset("../../../../etc/passwd"),
        "elsewhere": {"href": "https://example.org/a.tif", "type": COG},
        "broken": asset("shared/broken.tif"),
        "good": asset("shared/good.tif"),
    }
    write_raster(run / "shared/good.tif", rasters.ramp(), nodata=float("nan"))
    (run / "shared/broken.tif").write_bytes(b"II*\0broken")
    shown = layers(run, put_item(run, "a", "a-20240801", assets))
    assert [layer.title for layer in shown.layers] == ["good"]
    assert len(shown.notes) == 2
    assert any("gone.tif" in note for note in shown.notes)
    assert any("broken.tif" in note for note in shown.notes)


def test_an_item_without_rasters_has_its_own_bounds(run: Path) -> None:
    item = put_item(run, "a", "a-20240801", {})
    assert map_bounds((), item) == [1, 2, 3, 4]


def test_a_link_out_of_the_results_is_no_parent(run: Path) -> None:
    (run / "secret.json").write_text("{}")
    item = put_item(run, "a", "a-20240801", {}, ("../secret.json", "../../../../etc/passwd"))
    assert read_parents(run, item) == ()


def test_a_histogram_counts_classes_and_values(run: Path) -> None:
    layer = layers(run, change(run)).layers[-1]
    counted = histogram(run, layer)
    shares = {row["class"]: row["share"] for row in counted.rows}
    # Twelve squares have data: four of each class.
    assert shares == pytest.approx(
        {"class 0": 100 / 3, "class 1": 100 / 3, "class 2": 100 / 3}, 0.03
    )
    path = "shared/a/magnitude.tif"
    write_raster(run / path, rasters.ramp(), nodata=float("nan"))
    item = put_item(run, "b", "b-20240801", {"magnitude": asset(path)})
    values = histogram(run, layers(run, item).layers[0])
    assert sum(row["share"] for row in values.rows) == pytest.approx(100, abs=1)
    assert values.rows[-1]["to"] == pytest.approx(599, abs=3)


def test_statistics_become_values_and_tables() -> None:
    found = statistics_of(
        {
            "changed_area_ha": 75.9412,
            "threshold": {"value": 21.22947, "notes": []},
            "classes": [{"class": 1, "mean": {"B02": 0.0329}}],
            "nothing": None,
        }
    )
    assert found.values == (("changed area ha", "75.94"), ("threshold: value", "21.23"))
    assert found.tables[0].title == "classes"
    assert found.tables[0].rows == ({"class": 1, "mean: B02": 0.0329},)
