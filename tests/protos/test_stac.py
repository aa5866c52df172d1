"""The meaning of an Item in STAC: 1.0 and 1.1 in, 1.1 out."""

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pystac.validation import validate_dict

from protos.common import stac
from protos.common.v1.item_pb2 import Asset, Band, Item

EXTENSION = re.compile(r"https://stac-extensions\.github\.io/([a-z-]+)/v([\d.]+)/schema\.json")


def validate(document: dict[str, Any]) -> None:
    """Check against the core schemas of STAC 1.1, which pystac brings along.

    Schemas of extensions would need a network. An item with a collection must link to it, which
    is its catalogue's business: the link is added.
    """
    whole = copy.deepcopy(document) | {"stac_extensions": []}
    if "collection" in whole:
        whole["links"].append({"rel": "collection", "href": "./collection.json"})
    validate_dict(whole)


def minimal(**fields: Any) -> dict[str, Any]:
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": "scene",
        "geometry": None,
        "properties": {"datetime": "2023-08-15T09:58:11Z"},
        "links": [],
        "assets": {},
        **fields,
    }


def with_asset(**fields: Any) -> dict[str, Any]:
    return minimal(assets={"red": {"href": "B04.tif", **fields}})


def real_items(folder: Path) -> list[Path]:
    items = sorted((folder / "earthqa" / "stac_items_s2_l2a").glob("*.json"))
    assert len(items) == 12
    return items


@pytest.mark.data
def test_real_items_become_valid_items_of_stac_1_1(eoloom_data: Path) -> None:
    for path in real_items(eoloom_data):
        document = json.loads(path.read_text(encoding="utf-8"))
        assert document["stac_version"] == "1.0.0"
        written = stac.to_dict(stac.from_dict(document))
        validate(written)
        assert "proj:epsg" not in json.dumps(written)
        assert written["properties"]["proj:code"].startswith("EPSG:")


@pytest.mark.data
def test_nothing_of_a_real_item_is_lost(eoloom_data: Path) -> None:
    renamed = {"proj:epsg"}
    for path in real_items(eoloom_data):
        before = json.loads(path.read_text(encoding="utf-8"))
        after = stac.to_dict(stac.from_dict(before))
        assert after["geometry"] == before["geometry"]
        assert after["bbox"] == before["bbox"]
        for name, value in before["properties"].items():
            if name not in renamed:
                assert after["properties"][name] == value
        assert after["assets"].keys() == before["assets"].keys()
        for key, asset in before["assets"].items():
            for name, value in asset.items():
                if name not in {"eo:bands", "raster:bands"} | renamed:
                    assert after["assets"][key][name] == value


@pytest.mark.data
def test_bands_of_a_real_item(eoloom_data: Path) -> None:
    path = eoloom_data / "earthqa" / "stac_items_s2_l2a" / "S2A_33TWL_20230815_0_L2A.json"
    item = stac.from_dict(json.loads(path.read_text(encoding="utf-8")))
    bands = {asset.key: list(asset.bands) for asset in item.assets}
    assert bands["red"] == [
        Band(
            name="red",
            common_name="red",
            center_wavelength=0.665,
            data_type="uint16",
            nodata="0",
            scale=0.0001,
            offset=-0.1,
        )
    ]
    assert [band.name for band in bands["visual"]] == ["red", "green", "blue"]
    assert [band.data_type for band in bands["scl"]] == ["uint8"]
    assert bands["granule_metadata"] == []


def test_extensions_are_declared_in_the_versions_that_fit_stac_1_1() -> None:
    item = Item(
        id="a",
        datetime="2023-08-15T09:58:11Z",
        properties=json.dumps({"eo:cloud_cover": 1, "view:sun_azimuth": 2, "made:up": 3}),
        assets=[
            Asset(
                key="red",
                href="x.tif",
                bands=[Band(name="B04", common_name="red", scale=1e-4)],
                properties='{"proj:code": "EPSG:32633"}',
            )
        ],
        stac_extensions=[
            "https://stac-extensions.github.io/eo/v1.0.0/schema.json",
            "https://stac-extensions.github.io/raster/v1.1.0/schema.json",
            "https://stac-extensions.github.io/mgrs/v1.0.0/schema.json",
        ],
    )
    document = stac.to_dict(item)
    validate(document)
    matches = [EXTENSION.fullmatch(uri) for uri in document["stac_extensions"]]
    found = {match[1]: match[2] for match in matches if match is not None}
    assert found == {
        "eo": "2.0.0",
        "raster": "2.0.0",
        "projection": "2.0.0",
        "view": "1.0.0",
        "mgrs": "1.0.0",
    }
    assert document["assets"]["red"]["bands"] == [
        {"name": "B04", "eo:common_name": "red", "raster:scale": 1e-4, "raster:offset": 0.0}
    ]


def test_an_asset_may_say_once_what_is_true_of_all_bands() -> None:
    """As the catalogue of the Copernicus Data Space does."""
    asset = {
        "bands": [{"name": "B04", "eo:common_name": "red"}, {"name": "B08", "nodata": 7}],
        "data_type": "uint16",
        "nodata": 0,
        "raster:scale": 1e-4,
        "raster:offset": -0.1,
        "gsd": 10,
    }
    (read,) = stac.from_dict(with_asset(**asset)).assets
    common: dict[str, Any] = {"data_type": "uint16", "scale": 1e-4, "offset": -0.1}
    assert list(read.bands) == [
        Band(name="B04", common_name="red", nodata="0", **common),
        Band(name="B08", nodata="7", **common),
    ]
    assert json.loads(read.properties) == {"gsd": 10}


def test_an_asset_that_lists_no_bands_has_one_for_all() -> None:
    (read,) = stac.from_dict(with_asset(data_type="uint8", nodata=0)).assets
    assert list(read.bands) == [Band(data_type="uint8", nodata="0")]
    (read,) = stac.from_dict(with_asset(gsd=10)).assets
    assert list(read.bands) == []


@pytest.mark.parametrize(
    ("given", "kept", "written"),
    [
        (0, "0", 0),
        (-9999.0, "-9999", -9999),
        (0.5, "0.5", 0.5),
        ("nan", "nan", "nan"),
        ("NaN", "nan", "nan"),
        ("-inf", "-inf", "-inf"),
        (None, "", None),
    ],
)
def test_nodata(given: object, kept: str, written: object) -> None:
    item = stac.from_dict(with_asset(bands=[{"name": "B04", "nodata": given}]))
    assert item.assets[0].bands[0].nodata == kept
    document = stac.to_dict(item)
    validate(document)
    assert document["assets"]["red"]["bands"][0].get("nodata") == written


def test_a_bbox_with_heights() -> None:
    box = [14.0, 45.0, -10.0, 15.0, 46.0, 900.0]
    assert list(stac.from_dict(minimal(bbox=box)).bbox) == [14.0, 45.0, 15.0, 46.0]


def test_a_bbox_alone_gets_its_geometry_and_a_geometry_its_bbox() -> None:
    item = Item(id="a", datetime="2023-08-15T09:58:11Z", bbox=[14, 45, 15, 46])
    document = stac.to_dict(item)
    validate(document)
    assert document["geometry"]["type"] == "Polygon"
    item.geometry = json.dumps(
        {
            "type": "GeometryCollection",
            "geometries": [
                {"type": "Point", "coordinates": [10, 50]},
                {"type": "LineString", "coordinates": [[1, 60, 5], [2, 40, 5]]},
            ],
        }
    )
    del item.bbox[:]
    assert stac.to_dict(item)["bbox"] == [1, 40, 10, 60]


def test_an_interval() -> None:
    item = Item(
        id="change",
        start_datetime="2023-08-13T10:00:00Z",
        end_datetime="2023-08-15T10:00:00Z",
        derived_from=["sentinel-2-l2a/a", "sentinel-2-l2a/b"],
    )
    document = stac.to_dict(item, self_href="https://host/change.json")
    validate(document)
    assert document["properties"]["datetime"] is None
    assert [(link["rel"], link["href"]) for link in document["links"]] == [
        ("derived_from", "sentinel-2-l2a/a"),
        ("derived_from", "sentinel-2-l2a/b"),
        ("self", "https://host/change.json"),
    ]
    assert stac.from_dict(stac.to_dict(item)) == item


def test_properties_do_not_overrule_the_message() -> None:
    asset = Asset(key="red", href="x.tif", properties='{"href": "/etc/passwd", "gsd": 10}')
    item = Item(id="a", datetime="2023-08-15T09:58:11Z", assets=[asset])
    assert stac.to_dict(item)["assets"]["red"] == {"href": "x.tif", "gsd": 10}


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([], "a list, not an object"),
        ({}, "type None"),
        ({"type": "Collection", "id": "a"}, "type 'Collection'"),
        (minimal(id=7), "id 7"),
        (minimal(id=""), "id ''"),
        (minimal(properties=None), "properties"),
        (minimal(properties={}), "datetime is missing"),
        (minimal(properties={"datetime": 2023}), "datetime 2023"),
        (minimal(properties={"datetime": None, "start_datetime": "x"}), "end_datetime"),
        (minimal(assets=[]), "assets"),
        (minimal(assets={"red": "B04.tif"}), "asset red: href"),
        (minimal(assets={"red": {}}), "asset red: href"),
        (minimal(geometry="here"), "geometry"),
        (minimal(bbox=[1, 2, 3]), "bbox"),
        (minimal(bbox=[1, 2, 3, "x"]), "bbox"),
        (minimal(bbox="1234"), "bbox"),
        (minimal(bbox=[1, 2, 3, float("nan")]), "bbox"),
        (minimal(collection=["a"]), "collection"),
        (minimal(stac_extensions="eo"), "stac_extensions"),
        (with_asset(roles="data"), "asset red: roles"),
        (with_asset(type=5), "asset red: type"),
        (with_asset(title={}), "asset red: title"),
        (with_asset(bands={"name": "B04"}), "asset red: bands"),
        (with_asset(**{"eo:bands": ["B04"]}), "asset red: eo:bands"),
        (with_asset(**{"raster:bands": [{"scale": "much"}]}), "asset red: scale 'much'"),
        (with_asset(**{"raster:bands": [{"nodata": "none"}]}), "asset red: nodata 'none'"),
        (with_asset(bands=[{"name": 4}]), "asset red: name 4"),
        (minimal(collection="\ud800"), "cannot be sent"),
    ],
)
def test_what_is_no_item_is_named(document: Any, words: str) -> None:
    with pytest.raises(stac.StacError, match=re.escape(words)):
        stac.from_dict(document)


@pytest.mark.parametrize(
    ("item", "words"),
    [
        (Item(id="a", properties="{"), "item a: properties is not JSON"),
        (Item(id="a", properties="[1]"), "item a: properties is not a JSON object"),
        (Item(id="a", geometry="[" * 100_000), "item a: geometry is not JSON"),
        (Item(id="a", geometry='{"type": "Point"}'), "item a: geometry is not GeoJSON"),
        (Item(id="a", geometry='{"coordinates": "abc"}'), "item a: geometry is not GeoJSON"),
        (Item(id="a", bbox=[1, 2]), "item a: bbox"),
        (Item(id="a", assets=[Asset(key="r", properties="x")]), "item a: assets.r.properties"),
        (Item(id="a", assets=[Asset(key="r", bands=[Band(nodata="x")])]), "nodata 'x'"),
    ],
)
def test_a_message_that_is_no_item_is_named(item: Item, words: str) -> None:
    with pytest.raises(stac.StacError, match=re.escape(words)):
        stac.to_dict(item)


names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
numbers = st.floats(-1e9, 1e9)
texts = st.dictionaries(
    st.from_regex(r"x:[a-z]{1,8}", fullmatch=True),
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | numbers | names,
    max_size=3,
).map(
    lambda fields: json.dumps(fields, separators=(",", ":"), ensure_ascii=False) if fields else ""
)
bands = st.builds(
    Band,
    name=names,
    common_name=st.sampled_from(["", "red", "nir"]),
    center_wavelength=st.floats(0, 15),
    data_type=st.sampled_from(["", "uint16", "float32"]),
    nodata=st.sampled_from(["", "0", "nan", "-9999", "0.5"]),
    scale=st.sampled_from([0.0, 1e-4, 2.5]),
    offset=st.just(0.0),
    unit=st.sampled_from(["", "1", "degree"]),
)
assets = st.builds(
    Asset,
    key=names,
    href=names,
    media_type=st.sampled_from(["", "image/tiff"]),
    title=st.just("") | names,
    roles=st.lists(names, max_size=2),
    bands=st.lists(bands, max_size=2),
    properties=texts,
)
corners = st.tuples(st.floats(-170, 0), st.floats(-80, 0), st.floats(1, 170), st.floats(1, 80))


@given(
    id=names,
    collection=st.just("") | names,
    bbox=corners,
    properties=texts,
    assets=st.lists(assets, max_size=3, unique_by=lambda asset: asset.key),
    derived_from=st.lists(names, max_size=2),
)
def test_a_message_survives_the_way_through_stac(
    id: str,  # noqa: A002
    collection: str,
    bbox: tuple[float, float, float, float],
    properties: str,
    assets: list[Asset],
    derived_from: list[str],
) -> None:
    item = Item(
        id=id,
        collection=collection,
        datetime="2023-08-15T09:58:11.662000Z",
        bbox=bbox,
        geometry=json.dumps({"type": "Point", "coordinates": bbox[:2]}, separators=(",", ":")),
        properties=properties,
        assets=assets,
        derived_from=derived_from,
    )
    document = json.loads(json.dumps(stac.to_dict(item)))
    back = stac.from_dict(document)
    item.stac_extensions[:] = back.stac_extensions  # those in use are declared
    assert back == item
