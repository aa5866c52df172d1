"""Scenes to changes: the demonstration, and real scenes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pystac
import rasterio
from PIL import Image

from tests.e2e.conftest import EXAMPLES, SIZE, Eoloom

REAL = "s2_preprocess/mapchete_l2a_120m"


def validate(catalogue: Path) -> list[pystac.Item]:
    """Validate everything in a catalogue that can be validated without a network."""
    root = pystac.Catalog.from_file(str(catalogue))
    items = list(root.get_items(recursive=True))
    for entity in (root, *root.get_children(), *items):
        entity.stac_extensions = []
        entity.validate()
    return items


def asset_path(item: pystac.Item, *suffixes: str) -> Path:
    """The asset whose file ends so."""
    paths = [Path(asset.get_absolute_href() or "") for asset in item.assets.values()]
    return next(path for path in paths if path.name.endswith(suffixes))


def test_the_demonstration_finds_the_simulated_changes(eoloom: Eoloom) -> None:
    ended = eoloom("run", str(EXAMPLES / "demo.yaml"), "--json")
    assert ended.code == 0, ended.stderr
    document = ended.document
    items = {item.properties["eoloom:node"]: item for item in validate(Path(document["catalogue"]))}
    change = items["change"]

    changed = rasterio.open(change.assets["mask"].get_absolute_href()).read(1)
    truth_item = next(i for i in validate(Path(document["catalogue"])) if "truth" in i.assets)
    truth = rasterio.open(truth_item.assets["truth"].get_absolute_href()).read(1)
    seen = changed != 255
    hit = ((changed == 1) & (truth > 0) & seen).sum()
    precision = hit / ((changed == 1) & seen).sum()
    recall = hit / ((truth > 0) & seen).sum()
    assert 2 * precision * recall / (precision + recall) >= 0.9

    area_ha = (changed == 1).sum() * 100 / 1e4
    assert change.properties["eoloom:changed_area_ha"] == np.round(area_ha, 2)
    polygons = json.loads(asset_path(change, ".geojson").read_text())
    outlined = sum(feature["properties"]["area_ha"] for feature in polygons["features"])
    assert abs(outlined - area_ha) <= 0.02 * area_ha
    quicklook = Image.open(asset_path(change, ".png"))
    assert min(quicklook.size) >= 200
    assert len(np.unique(np.asarray(quicklook.convert("L")))) > 50


def test_a_run_can_be_the_catalogue_of_another(eoloom: Eoloom, simulated: Path) -> None:
    ended = eoloom(
        "run", str(EXAMPLES / "s2_change.yaml"), "--set", f"scenes.catalogue={simulated}", "--json"
    )
    assert ended.code == 0, ended.stderr
    by_node = [result["node"] for result in ended.document["results"]]
    assert sorted(by_node) == ["change", "clean", "clean", "scenes", "scenes"]


def test_real_scenes(eoloom: Eoloom, eoloom_data: Path) -> None:
    """Level-2A of two days in August: JPEG 2000 without georeferencing, offset applied already."""
    ended = eoloom(
        "run",
        str(EXAMPLES / "s2_change.yaml"),
        "--set",
        f"scenes.catalogue={eoloom_data / REAL}",
        "--set",
        "scenes.datetime=2023-08-13/2023-08-15",
        "--json",
    )
    assert ended.code == 0, ended.stderr
    items = validate(Path(ended.document["catalogue"]))
    [change] = [item for item in items if item.properties["eoloom:node"] == "change"]
    with rasterio.open(change.assets["mask"].get_absolute_href()) as mask:
        assert mask.crs.to_epsg() == 32633
        assert mask.res == (120, 120)
        assert mask.bounds.left == 499980
        assert mask.bounds.top == 5100000
        values = mask.read(1)
    # Two days apart little has changed; most of both scenes is clear.
    assert (values == 255).mean() < 0.2
    assert (values == 1).mean() < 0.1
    clean = [item for item in items if item.properties["eoloom:node"] == "clean"]
    with rasterio.open(clean[0].assets["reflectance"].get_absolute_href()) as reflectance:
        nir = reflectance.read(reflectance.count) * 1e-4 - 0.1
        red = reflectance.read(3) * 1e-4 - 0.1
        valid = reflectance.read(3) > 0
    # Summer in Slovenia: dark in the red, bright in the near infrared. With the offset taken off
    # twice the red would be below zero.
    assert 0.01 < np.median(red[valid]) < 0.08
    assert 0.25 < np.median(nir[valid]) < 0.45


def test_a_series_gives_one_change_per_pair(eoloom: Eoloom, eoloom_data: Path) -> None:
    ended = eoloom(
        "run",
        str(EXAMPLES / "s2_change.yaml"),
        "--set",
        f"scenes.catalogue={eoloom_data / REAL}",
        "--json",
    )
    assert ended.code == 0, ended.stderr
    changes = [result for result in ended.document["results"] if result["node"] == "change"]
    assert len(changes) == 2


def test_the_size_of_a_simulated_scene(simulated: Path) -> None:
    [path, *_] = sorted((simulated / "shared").rglob("B04.tif"))
    with rasterio.open(path) as raster:
        assert raster.shape == (SIZE, SIZE)
