import json
from pathlib import Path
from typing import Any

import pytest

from components.kit.errors import InputError
from components.kit.storage import Storage
from components.s2_preprocess.catalogue import has_bands, read_catalogue_scene
from components.s2_preprocess.scene import Scene
from protos.common import stac
from tests.components.s2_preprocess.products import catalogue_item, granule_xml

PROJ = {
    "proj:transform": [10, 0, 300000, 0, -10, 5900040],
    "proj:shape": [10980, 10980],
}
RASTER = {"raster:bands": [{"scale": 0.0001, "offset": -0.1, "nodata": 0, "data_type": "uint16"}]}


def earth_search(applied: bool | None = True) -> dict[str, Any]:
    """As https://earth-search.aws.element84.com/v1, which keeps -0.1 where it is applied."""
    keys = {"blue": "B02", "green": "B03", "red": "B04", "nir": "B08", "nir08": "B8A"}
    files: dict[str, Any] = {}
    for key, name in keys.items():
        band = {"eo:bands": [{"name": key, "common_name": key}]}
        files[key] = {"href": f"{name}.tif", "type": "image/tiff", **band, **PROJ, **RASTER}
        files[f"{key}-jp2"] = {"href": f"{name}.jp2", "type": "image/jp2", **band, **PROJ, **RASTER}
    rgb = [{"name": n, "common_name": n} for n in ("red", "green", "blue")]
    files["visual"] = {"href": "TCI.tif", "eo:bands": rgb, "roles": ["visual"]}
    files["scl"] = {"href": "SCL.tif", **PROJ, "raster:bands": [{"data_type": "uint8"}]}
    files["thumbnail"] = {"href": "thumbnail.jpg", "roles": ["thumbnail"]}
    flag = {} if applied is None else {"earthsearch:boa_offset_applied": applied}
    fields = {"proj:epsg": 32633, "s2:processing_baseline": "05.09", **flag}
    return {"files": files, "properties": fields}


def planetary_computer(baseline: str = "05.09") -> dict[str, Any]:
    """As https://planetarycomputer.microsoft.com, which says nothing of scales."""
    files = {
        name: {"href": f"{name}.tif", "gsd": 10, **PROJ,
               "eo:bands": [{"name": name, "common_name": "red"}]}
        for name in ("B02", "B03", "B04", "B08", "B8A")
    }  # fmt: skip
    files |= {"SCL": {"href": "SCL.tif", **PROJ}, "AOT": {"href": "AOT.tif", **PROJ}}
    files["visual"] = {"href": "TCI.tif", "roles": ["data"], "eo:bands": [{"name": "B04"}]}
    return {
        "files": files,
        "properties": {"proj:epsg": 32633, "s2:processing_baseline": baseline},
    }


def data_space() -> dict[str, Any]:
    """As https://stac.dataspace.copernicus.eu/v1: one asset per pixel size, scale at the asset."""
    files = {}
    for name, sizes in {"B02": (10, 20, 60), "B04": (10, 20, 60), "B8A": (20, 60)}.items():
        for size in sizes:
            files[f"{name}_{size}m"] = {
                "href": f"s3://eodata/{name}_{size}m.jp2",
                "type": "image/jp2",
                "gsd": size,
                "bands": [{"name": name, "eo:common_name": "red"}],
                "raster:scale": 0.0001,
                "raster:offset": -0.1,
                "proj:transform": [size, 0, 300000, 0, -size, 5900040],
                "proj:shape": [109800 // size] * 2,
            }
    files["SCL_20m"] = {"href": "s3://eodata/SCL_20m.jp2", "gsd": 20}
    files["SCL_60m"] = {"href": "s3://eodata/SCL_60m.jp2", "gsd": 60}
    files["TCI_10m"] = {"href": "s3://eodata/TCI_10m.jp2", "roles": ["visual"]}
    return {
        "files": files,
        "properties": {"proj:code": "EPSG:32633", "processing:version": "05.11"},
    }


def scene(document: dict[str, Any], root: Path, **values: Any) -> Scene:
    item = catalogue_item(**document, **values)
    assert has_bands(item)
    return read_catalogue_scene(item, Storage(root, "clean"))


def test_earth_search(shared: Path) -> None:
    made = scene(earth_search(), shared)
    assert set(made.bands) == {"B02", "B03", "B04", "B08", "B8A"}
    # Cloud-optimised files come before JPEG 2000.
    assert made.choose(["red"], None)["B04"].path.endswith("B04.tif")
    assert made.scl is not None
    assert made.level == "L2A"
    assert made.offset is not None
    assert set(made.offset.offsets.values()) == {0.0}
    assert made.offset.source == "earthsearch:boa_offset_applied = true"
    grid = made.bands["B04"][0].grid.geobox((915, 915))
    assert grid is not None
    assert grid.transform.a == pytest.approx(120)


@pytest.mark.parametrize("applied", [False, None])
def test_earth_search_where_the_offset_is_to_be_applied(shared: Path, applied: bool | None) -> None:
    made = scene(earth_search(applied), shared)
    assert made.offset is not None
    assert set(made.offset.offsets.values()) == {-1000.0}
    assert set(made.offset.quantification.values()) == {10000.0}


@pytest.mark.parametrize(
    ("baseline", "offset", "certain"),
    [("05.09", -1000, False), ("04.00", -1000, False), ("02.14", 0, True)],
)
def test_planetary_computer_follows_the_baseline(
    shared: Path, baseline: str, offset: float, certain: bool
) -> None:
    made = scene(planetary_computer(baseline), shared)
    assert set(made.bands) == {"B02", "B03", "B04", "B08", "B8A"}
    assert made.offset is not None
    assert set(made.offset.offsets.values()) == {offset}
    assert made.offset.certain is certain


def test_the_date_decides_nothing(shared: Path) -> None:
    # Collection-1: acquired in 2018, baseline 05.00, hence with the offset.
    document = planetary_computer("05.00")
    document["properties"]["datetime"] = "2018-07-01T10:00:00Z"
    made = scene(document, shared)
    assert made.offset is not None
    assert set(made.offset.offsets.values()) == {-1000.0}


def test_data_space_has_a_file_for_each_pixel_size(shared: Path) -> None:
    made = scene(data_space(), shared)
    assert made.choose(["B02"], None)["B02"].path == "/vsis3/eodata/B02_10m.jp2"
    assert made.choose(["B02"], 60)["B02"].path == "/vsis3/eodata/B02_60m.jp2"
    assert made.choose(["B02"], 30)["B02"].path == "/vsis3/eodata/B02_10m.jp2"
    assert made.choose(["B8A"], None)["B8A"].resolution_m == 20
    assert made.scl is not None
    assert made.scl.path == "/vsis3/eodata/SCL_20m.jp2"
    assert made.offset is not None
    assert made.offset.offsets["B02"] == -1000.0


def test_several_bands_in_one_file(shared: Path) -> None:
    bands = [{"name": name, "raster:scale": 0.001} for name in ("B02", "B03", "B8A")]
    document = {"files": {"cube": {"href": "cube.tif", "bands": bands}}, "properties": {}}
    document["properties"] = {"s2:processing_baseline": "02.14"}
    made = scene(document, shared)
    assert {name: files[0].index for name, files in made.bands.items()} == {
        "B02": 1,
        "B03": 2,
        "B8A": 3,
    }
    assert made.offset is not None
    assert made.offset.quantification["B02"] == 1000.0


def test_a_name_may_tell_the_baseline(shared: Path) -> None:
    document = planetary_computer()
    del document["properties"]["s2:processing_baseline"]
    name = "S2A_MSIL2A_20230815T095031_N0509_R079_T33TWL_20230815T155057"
    assert scene(document, shared).offset is None
    made = scene(document, shared, name=name)
    assert made.offset is not None
    assert made.offset.source == "processing baseline 05.09"


def test_the_tile_metadata_tells_where_it_lies(shared: Path) -> None:
    (shared / "tile.xml").write_text(granule_xml("L2A"), encoding="utf-8")
    document = {
        "files": {"red": {"href": "B04.tif"}, "granule_metadata": {"href": "tile.xml"}},
        "properties": {"s2:processing_baseline": "05.09"},
    }
    grid = scene(document, shared).bands["B04"][0].grid.geobox((30, 30))
    assert grid is not None
    assert tuple(grid.transform)[:6] == (20, 0, 300000, 0, -20, 5900040)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("proj:transform", [0, 0, 0, 0, 0, 0]),
        ("proj:transform", ["a", 0, 0, 0, "b", 0]),
        ("proj:transform", [10, 0]),
        ("proj:shape", [10980]),
        ("proj:shape", [0, -1]),
    ],
)
def test_a_grid_without_sense_is_named(shared: Path, field: str, value: object) -> None:
    document = planetary_computer()
    document["files"]["B02"][field] = value
    with pytest.raises(InputError, match=rf"item 'scene': {field} .* is not"):
        scene(document, shared)


def test_a_missing_band_lists_those_there_are(shared: Path) -> None:
    with pytest.raises(InputError, match="has no band B11; it has B02, B03, B04, B08, B8A"):
        scene(planetary_computer(), shared).choose(["B11"], None)


def test_an_unknown_band_names_the_nearest(shared: Path) -> None:
    with pytest.raises(InputError, match="'rde' is not a Sentinel-2 band; did you mean 'red'"):
        scene(planetary_computer(), shared).choose(["rde"], None)


def test_one_band_by_two_names_is_refused(shared: Path) -> None:
    with pytest.raises(InputError, match="bands B04, red name B04 twice"):
        scene(planetary_computer(), shared).choose(["B04", "red"], None)


def test_all_is_every_band_in_esas_order(shared: Path) -> None:
    chosen = scene(planetary_computer(), shared).choose(["all"], None)
    assert list(chosen) == ["B02", "B03", "B04", "B08", "B8A"]


def test_hrefs_stay_in_the_shared_folder(shared: Path) -> None:
    document = planetary_computer()
    document["files"]["B02"]["href"] = "../../etc/passwd"
    with pytest.raises(InputError, match="leaves the shared folder"):
        scene(document, shared)


@pytest.mark.data
def test_real_items_of_two_catalogues(eoloom_data: Path, shared: Path) -> None:
    for path in sorted((eoloom_data / "earthqa" / "stac_items_s2_l2a").glob("*.json")):
        item = stac.from_dict(json.loads(path.read_text(encoding="utf-8")))
        made = read_catalogue_scene(item, Storage(shared, "clean"))
        assert {"B02", "B03", "B04", "B08", "B8A", "B11", "B12"} <= set(made.bands), path.name
        assert made.scl is not None
        assert made.level == "L2A"
        assert made.offset is not None
        applied = "earthsearch:boa_offset_applied" in item.properties
        assert set(made.offset.offsets.values()) == ({0.0} if applied else {-1000.0})
        ten_metres = made.choose(["red"], None)["B04"]
        assert ten_metres.resolution_m == 10
