"""From scenes on disk to changes on disk."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image
from shapely.geometry import shape
from shapely.ops import unary_union

from components.kit import InputError
from components.kit.items import properties
from components.kit.storage import Storage
from protos.common.v1.item_pb2 import Item
from tests.components.s2_change.conftest import Detect, Put, ground

SQUARE = slice(60, 110)


def path_of(item: Item, key: str, storage: Storage) -> Path:
    return storage.local(next(asset.href for asset in item.assets if asset.key == key))


@pytest.mark.parametrize(
    ("method", "tolerance_ha"),
    # Plain MAD's statistics hold the change itself, which hides a part of it.
    [("cva", 0.5), ("mad", 4.0), ("irmad", 0.5)],
)
def test_a_cleared_square_is_found_outlined_and_measured(
    put: Put, detect: Detect, storage: Storage, method: str, tolerance_ha: float
) -> None:
    [change] = detect(put(1, ground(1)), put(2, ground(2, square=SQUARE)), method=method)
    with rasterio.open(path_of(change, "mask", storage)) as raster:
        mask = raster.read(1)
        assert raster.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
    truth = np.zeros_like(mask)
    truth[SQUARE, SQUARE] = 1
    assert (mask == truth).mean() > 0.99

    said = properties(change)
    assert said["eoloom:changed_area_ha"] == pytest.approx((mask == 1).sum() * 0.01, abs=0.01)
    assert said["eoloom:seen_area_ha"] == pytest.approx(400)
    document = json.loads(path_of(change, "statistics", storage).read_text())
    assert sum(kind["area_ha"] for kind in document["classes"]) == pytest.approx(
        said["eoloom:changed_area_ha"], abs=0.01
    )
    features = json.loads(path_of(change, "outlines", storage).read_text())["features"]
    largest = features[0]
    assert largest["properties"]["area_ha"] == pytest.approx(25, abs=tolerance_ha)
    # The forest was dark in the red and bright in the near infrared; cleared ground is not.
    assert largest["properties"]["class_name"] == "vegetation loss"
    west, south, east, north = unary_union([shape(f["geometry"]) for f in features[:1]]).bounds
    assert 15.0 < west < east < 15.02
    assert 46.0 < south < north < 46.06
    quicklook = np.asarray(Image.open(path_of(change, "quicklook", storage)).convert("RGB"))
    assert len(np.unique(quicklook.reshape(-1, 3), axis=0)) > 100


def test_the_item_says_what_it_was_made_from_and_when(put: Put, detect: Detect) -> None:
    [change] = detect(put(1, ground(1)), put(3, ground(3, square=SQUARE)))
    assert list(change.derived_from) == [
        "eoloom-s2-reflectance/scene-1",
        "eoloom-s2-reflectance/scene-3",
    ]
    assert change.start_datetime == "2024-07-01T10:00:00Z"
    assert change.end_datetime == "2024-07-03T10:00:00Z"


def test_nothing_changed_is_said_so(
    put: Put, detect: Detect, caplog: pytest.LogCaptureFixture
) -> None:
    [change] = detect(put(1, ground(1)), put(2, ground(2)))
    assert properties(change)["eoloom:changed_percentage"] < 0.1
    assert "no change found" in caplog.text


def test_a_series_gives_a_change_for_each_pair(put: Put, detect: Detect) -> None:
    scenes = [put(day, ground(day, square=SQUARE if day > 2 else None)) for day in (1, 2, 3)]
    changes = detect(*scenes)
    assert [change.id for change in changes] == ["scene-1__scene-2", "scene-2__scene-3"]
    areas = [properties(change)["eoloom:changed_area_ha"] for change in changes]
    assert areas[0] < 0.2
    assert areas[1] == pytest.approx(25, abs=0.5)


def test_a_cloudy_scene_is_passed_over(
    put: Put, detect: Detect, caplog: pytest.LogCaptureFixture
) -> None:
    cloudy = np.full((4, 200, 200), np.nan)
    scenes = [put(1, ground(1)), put(2, cloudy), put(3, ground(3, square=SQUARE))]
    [change] = detect(*scenes)
    assert change.id == "scene-1__scene-3"
    assert "scene scene-2 is passed over" in caplog.text


def test_a_cloudy_first_scene_is_passed_over(put: Put, detect: Detect) -> None:
    scenes = [put(1, np.full((4, 200, 200), np.nan)), put(2, ground(2)), put(3, ground(3))]
    assert [change.id for change in detect(*scenes)] == ["scene-2__scene-3"]


def test_masked_pixels_are_nodata_in_every_layer(
    put: Put, detect: Detect, storage: Storage
) -> None:
    masked = ground(2, square=SQUARE)
    masked[:, :20] = np.nan
    [change] = detect(put(1, ground(1)), put(2, masked))
    for key, nodata in (("mask", 255), ("classes", 255), ("direction", 65535)):
        with rasterio.open(path_of(change, key, storage)) as raster:
            assert raster.nodata == nodata
            assert (raster.read(1)[:20] == nodata).all()
    with rasterio.open(path_of(change, "magnitude", storage)) as raster:
        assert np.isnan(raster.read(1)[:20]).all()
    assert properties(change)["eoloom:seen_area_ha"] == pytest.approx(360)


def test_small_patches_do_not_count(put: Put, detect: Detect) -> None:
    small = ground(2, square=SQUARE)
    small[:, 150:154, 150:154] = np.asarray((0.09, 0.12, 0.15, 0.22))[:, None, None]
    scenes = put(1, ground(1)), put(2, small)
    [with_it] = detect(*scenes, minimum_area_ha=0.1)
    [without] = detect(*scenes, minimum_area_ha=0.5)
    difference = (
        properties(with_it)["eoloom:changed_area_ha"]
        - properties(without)["eoloom:changed_area_ha"]
    )
    assert difference == pytest.approx(0.16, abs=0.1)
    assert properties(without)["eoloom:patches"] == 1


def test_areas_on_a_geographic_grid_are_those_of_the_ellipsoid(put: Put, detect: Detect) -> None:
    """A degree of latitude is about 111.1 km; one of longitude that times cos(60 deg)."""
    options = {"crs": "EPSG:4326", "origin": (15.0, 60.0), "pixel": 0.0001}
    scenes = put(1, ground(1), **options), put(2, ground(2, square=SQUARE), **options)
    [change] = detect(*scenes)
    side = 200 * 0.0001
    expected = (side * 111.41) * (side * 111.32 * np.cos(np.radians(59.99))) * 100
    assert properties(change)["eoloom:seen_area_ha"] == pytest.approx(expected, rel=0.003)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"crs": "EPSG:32632"}, "different CRS, EPSG:32633 and EPSG:32632"),
        ({"origin": (600_000, 5_100_000)}, "do not overlap"),
        ({"origin": (500_003, 5_100_000)}, "different pixel grids"),
        ({"bands": ("B05", "B06", "B07", "B8A")}, "no band in common"),
    ],
)
def test_scenes_that_cannot_be_compared(
    put: Put, detect: Detect, options: dict[str, object], words: str
) -> None:
    scenes = put(1, ground(1)), put(2, ground(2), **options)
    with pytest.raises(InputError, match=words) as raised:
        detect(*scenes)
    assert "scene-1" in str(raised.value)
    assert "scene-2" in str(raised.value)


def test_scenes_of_different_shapes(put: Put, detect: Detect) -> None:
    with pytest.raises(InputError, match="200 x 200 pixels and 100 x 200 pixels"):
        detect(put(1, ground(1)), put(2, ground(2)[:, :100]))


def test_bands_that_are_not_there(put: Put, detect: Detect) -> None:
    with pytest.raises(InputError, match=r"scene-1 has no band B11 \(it has B02, B03, B04, B08\)"):
        detect(put(1, ground(1)), put(2, ground(2)), bands=("B04", "B11"))


def test_series_that_are_none(put: Put, detect: Detect) -> None:
    first, second = put(1, ground(1)), put(2, ground(2))
    with pytest.raises(InputError, match="no scene came"):
        detect()
    with pytest.raises(InputError, match="only one scene came, scene-1"):
        detect(first)
    with pytest.raises(InputError, match="came twice"):
        detect(first, first)
    with pytest.raises(InputError, match=r"scene-1 .* came after scene-2 .* older"):
        detect(second, first)
    with pytest.raises(InputError, match=r"none of the 2 scenes can be compared: .*0.0 % clear"):
        detect(first, put(3, np.full((4, 200, 200), np.nan)))
