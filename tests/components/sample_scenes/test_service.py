import json
import logging
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pytest
import rasterio
from pyproj import Geod
from rasterio import features, warp
from shapely.geometry import shape

from components.kit import Call, InputError, StorageError
from components.kit.call import CallCancelledError
from components.kit.items import asset, properties, to_stac
from components.kit.storage import Storage
from components.sample_scenes.changes import CODES
from components.sample_scenes.params import Parameters
from components.sample_scenes.service import SampleScenes
from protos.common.v1.item_pb2 import Item
from protos.sample_scenes.v1.sample_scenes_pb2 import GenerateRequest

MakeCall = Callable[..., Call[Parameters]]


def _generate(call: Call[Parameters]) -> list[Item]:
    return list(SampleScenes().generate(GenerateRequest(), call))


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Item], Path]:
    root = tmp_path_factory.mktemp("shared")
    params = Parameters(size=600, seed=1, changes_per_100_km2=3)
    return _generate(Call(params, "run", "scenes", "generate", Storage(root, "scenes"))), root


def test_items_are_those_of_a_catalogue(scenes: tuple[list[Item], Path]) -> None:
    items, _ = scenes
    first, second = (to_stac(item) for item in items)
    assert first.datetime is not None
    assert second.datetime is not None
    assert first.datetime.date() == date(2024, 7, 31)
    assert second.datetime.date() == date(2024, 8, 30)
    assert first.collection_id == "sentinel-2-l2a"
    assert first.id != second.id
    assert set(first.assets) == {"blue", "green", "red", "nir", "swir16", "swir22", "scl"}
    assert set(second.assets) - set(first.assets) == {"truth", "truth_outlines"}
    for item in items:
        values = properties(item)
        assert values["eoloom:simulated"] is True
        assert values["s2:product_type"] == "S2MSI2A"
        assert values["s2:processing_baseline"] == "05.10"
        assert values["earthsearch:boa_offset_applied"] is False
        assert values["grid:code"] == "MGRS-33UUU"
        assert 40 < values["view:sun_elevation"] < 60


def test_bands_are_stored_as_esa_delivers_them(scenes: tuple[list[Item], Path]) -> None:
    items, root = scenes
    for key, gsd in (("blue", 10), ("nir", 10), ("swir16", 20), ("scl", 20)):
        found = asset(items[0], key)
        with rasterio.open(root / found.href) as dataset:
            assert dataset.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
            assert dataset.res == (gsd, gsd)
            assert dataset.bounds == (300_000, 5_894_040, 306_000, 5_900_040)
            assert dataset.crs.to_epsg() == 32633
            assert dataset.nodata == 0
            assert dataset.dtypes == ("uint8" if key == "scl" else "uint16",)
            assert bool(dataset.overviews(1)) == (dataset.width > 512)
            # What the item says is what the file is.
            grid = json.loads(found.properties)
            assert grid["proj:shape"] == [dataset.height, dataset.width]
            assert grid["proj:transform"] == list(dataset.transform)[:6]
    band = asset(items[0], "red").bands[0]
    assert (band.name, band.common_name, band.scale, band.offset) == ("B04", "red", 1e-4, -0.1)


def test_cloud_cover_is_that_of_the_classification(scenes: tuple[list[Item], Path]) -> None:
    items, root = scenes
    for item in items:
        with rasterio.open(root / asset(item, "scl").href) as dataset:
            scl = dataset.read(1)
        clouds = 100 * np.isin(scl, (8, 9, 10)).mean()
        assert properties(item)["eo:cloud_cover"] == pytest.approx(clouds, abs=1e-4)


def test_outlines_and_raster_tell_the_same_truth(scenes: tuple[list[Item], Path]) -> None:
    items, root = scenes
    outlines = json.loads((root / asset(items[1], "truth_outlines").href).read_text())
    with rasterio.open(root / asset(items[1], "truth").href) as dataset:
        truth, grid = dataset.read(1), dataset
    assert {each["properties"]["code"] for each in outlines["features"]} == set(CODES.values())
    drawn = features.rasterize(
        [
            (warp.transform_geom("EPSG:4326", grid.crs, each["geometry"]),
             each["properties"]["code"])
            for each in outlines["features"]
        ],
        out_shape=truth.shape,
        transform=grid.transform,
    )  # fmt: skip
    np.testing.assert_array_equal(drawn, truth)
    geod = Geod(ellps="WGS84")
    for each in outlines["features"]:
        area_m2, _ = geod.geometry_area_perimeter(shape(each["geometry"]))
        # The scale of UTM differs from 1 by up to 0.1 %, in two dimensions.
        assert each["properties"]["area_ha"] == pytest.approx(abs(area_m2) / 1e4, rel=0.004)
        assert (each["properties"]["after"], each["properties"]["not_after"]) == (
            "2024-07-31",
            "2024-08-30",
        )


def test_files_follow_from_the_parameters(call: MakeCall, tmp_path: Path) -> None:
    content = []
    for folder in ("one", "other"):
        made = call(size=128, bands=["B04"], dates=["2024-06-01"])
        made.storage.root = tmp_path / folder
        made.storage._output = tmp_path / folder / "scenes"
        (item,) = _generate(made)
        content.append((tmp_path / folder / asset(item, "red").href).read_bytes())
    assert content[0] == content[1]


def test_one_date_has_no_truth(call: MakeCall) -> None:
    (item,) = _generate(call(size=128, bands=["B04"], dates=["2024-06-01"]))
    assert [each.key for each in item.assets] == ["red", "scl"]


def test_no_changes_if_none_are_wanted(call: MakeCall) -> None:
    made = call(size=128, bands=["B04"], changes_per_100_km2=0)
    _, second = _generate(made)
    with rasterio.open(made.storage.root / asset(second, "truth").href) as dataset:
        assert not dataset.read(1).any()


def test_a_change_without_a_place_is_a_warning(
    call: MakeCall, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        _generate(call(size=64, bands=["B04"], changes=["fire", "clear-cut"], seed=2,
                       changes_per_100_km2=20))  # fmt: skip
    assert any("no place for" in record.message for record in caplog.records)


def test_a_polar_night_is_an_input_error(call: MakeCall) -> None:
    with pytest.raises(InputError, match=r"2024-12-21.*latitude 80"):
        _generate(call(size=64, dates=["2024-12-21"], northing=8_900_040, easting=500_000))


def test_a_caller_who_leaves_stops_the_work_and_leaves_no_half_files(call: MakeCall) -> None:
    made = call(size=600, bands=["B04"])
    scenes = SampleScenes().generate(GenerateRequest(), made)
    next(scenes)
    made.cancelled.set()
    with pytest.raises(CallCancelledError):
        next(scenes)
    assert {path.parent.name for path in made.storage.root.rglob("*.tif")} == {"20240731"}


def test_a_folder_that_cannot_be_written_is_named(call: MakeCall) -> None:
    made = call(size=64, bands=["B04"])
    (made.storage.root / "scenes").write_text("a file where the node's folder should be")
    with pytest.raises(StorageError, match="scenes"):
        _generate(made)
