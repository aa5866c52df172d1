"""Items and pystac, and items made from items."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pystac
import pytest
from shapely.geometry import box, shape

from components.kit import items
from components.kit.errors import InputError
from protos.common.v1.item_pb2 import Asset, Item


def scene(day: int, west: float = 14.0, **fields: object) -> Item:
    item = Item(
        id=f"S2A_33TWL_202308{day:02d}",
        collection="sentinel-2-l2a",
        datetime=f"2023-08-{day:02d}T09:58:11.662000Z",
        properties=json.dumps({"platform": "sentinel-2a", "eo:cloud_cover": day, **fields}),
        assets=[Asset(key="red", href="B04.tif"), Asset(key="nir", href="B08.tif")],
    )
    items.set_footprint(item, box(west, 45.0, west + 1.0, 46.0))
    return item


@pytest.mark.data
def test_real_items_survive_pystac(eoloom_data: Path) -> None:
    for path in sorted((eoloom_data / "earthqa" / "stac_items_s2_l2a").glob("*.json")):
        read = pystac.Item.from_file(path)
        message = items.from_stac(read)
        again = items.from_stac(items.to_stac(message))
        again.stac_extensions[:] = message.stac_extensions
        assert again == message
        assert {a.key: a.href for a in message.assets} == {
            key: asset.href for key, asset in read.assets.items()
        }
        assert items.interval(message)[0] == read.datetime


def test_an_item_of_stac_1_1_survives(tmp_path: Path) -> None:
    item = pystac.Item(
        "a",
        None,
        None,
        None,
        {},
        datetime(2023, 8, 13, tzinfo=UTC),
        datetime(2023, 8, 15, tzinfo=UTC),
    )
    item.add_asset("red", pystac.Asset("B04.tif", extra_fields={"bands": [{"name": "B04"}]}))
    message = items.from_stac(item)
    assert message.start_datetime == "2023-08-13T00:00:00Z"
    assert message.assets[0].bands[0].name == "B04"
    back = items.to_stac(message)
    assert back.to_dict()["assets"] == item.to_dict()["assets"]
    assert back.common_metadata.end_datetime == datetime(2023, 8, 15, tzinfo=UTC)


def test_a_catalogue_of_derived_items_is_valid(tmp_path: Path) -> None:
    change = items.derive([scene(13), scene(15)], id="13-15", collection="eoloom-s2-change")
    collection = pystac.Collection(
        "eoloom-s2-change",
        "Changes",
        pystac.Extent(
            pystac.SpatialExtent([list(change.bbox)]),
            pystac.TemporalExtent([list(items.interval(change))]),
        ),
    )
    collection.add_item(items.to_stac(change))
    collection.normalize_and_save(str(tmp_path), pystac.CatalogType.SELF_CONTAINED)
    saved = pystac.Collection.from_file(str(tmp_path / "collection.json"))
    saved.validate()
    (item,) = saved.get_items()
    item.validate()
    assert item.properties["start_datetime"] == "2023-08-13T09:58:11.662000Z"


@pytest.mark.parametrize(
    "item",
    [
        Item(id="a"),
        Item(id="a", datetime="yesterday"),
        Item(id="a", datetime="2023-08-15T00:00:00Z", properties="{"),
        Item(id="a", datetime="2023-08-15T00:00:00Z", geometry="point"),
        Item(id="a", start_datetime="2023-08-15T00:00:00Z"),
    ],
)
def test_what_is_no_stac_item_is_named(item: Item) -> None:
    with pytest.raises(InputError, match="item 'a' is not a STAC item"):
        items.to_stac(item)


def test_a_new_item_from_one_scene() -> None:
    parent = scene(15)
    new = items.derive(
        [parent],
        id="clean",
        collection="eoloom-s2-reflectance",
        properties={"eoloom:clear_percentage": 98.5},
        keep=["platform", "eo:cloud_cover", "s2:mgrs_tile"],
    )
    assert new.datetime == parent.datetime
    assert (new.start_datetime, new.end_datetime) == ("", "")
    assert list(new.bbox) == [14.0, 45.0, 15.0, 46.0]
    assert shape(json.loads(new.geometry)).equals(box(14, 45, 15, 46))
    assert items.properties(new) == {
        "platform": "sentinel-2a",
        "eo:cloud_cover": 15,
        "eoloom:clear_percentage": 98.5,
    }
    assert list(new.derived_from) == ["sentinel-2-l2a/S2A_33TWL_20230815"]
    assert list(new.assets) == []


def test_a_new_item_from_a_series() -> None:
    series = [scene(15, 15.0), scene(13, 14.0), scene(18, 16.0)]
    new = items.derive(series, id="change", collection="c", keep=["eo:cloud_cover"])
    assert new.datetime == ""
    assert new.start_datetime == "2023-08-13T09:58:11.662000Z"
    assert new.end_datetime == "2023-08-18T09:58:11.662000Z"
    assert shape(json.loads(new.geometry)).equals(box(14, 45, 17, 46))
    assert items.properties(new) == {"eo:cloud_cover": 15}
    assert [name[-2:] for name in new.derived_from] == ["15", "13", "18"]


def test_intervals_of_parents_are_joined() -> None:
    monthly = Item(
        id="m",
        start_datetime="2023-09-01T02:00:00+02:00",
        end_datetime="2023-09-30T23:59:59Z",
    )
    new = items.derive([scene(15), monthly], id="x", collection="c")
    assert (new.start_datetime, new.end_datetime) == (
        "2023-08-15T09:58:11.662000Z",
        "2023-09-30T23:59:59Z",
    )


def test_a_footprint_that_crosses_itself_is_mended() -> None:
    crossed = scene(13)
    bow = [[[14, 45], [15, 46], [15, 45], [14, 46], [14, 45]]]
    crossed.geometry = json.dumps({"type": "Polygon", "coordinates": bow})
    new = items.derive([crossed, scene(15, 14.2)], id="x", collection="c")
    assert shape(json.loads(new.geometry)).is_valid
    assert list(new.bbox) == pytest.approx([14, 45, 15.2, 46])


def test_a_parent_with_a_bbox_only() -> None:
    bare = Item(id="b", datetime="2023-08-13T00:00:00Z", bbox=[13, 44, 14, 45])
    new = items.derive([bare, scene(15)], id="x", collection="c")
    assert list(new.bbox) == [13, 44, 15, 46]
    assert list(new.derived_from)[0] == "b"  # noqa: RUF015


def test_parents_without_a_footprint() -> None:
    new = items.derive([Item(id="b", datetime="2023-08-13T00:00:00Z")], id="x", collection="c")
    assert new.geometry == ""
    assert list(new.bbox) == []


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"datetime": "last week"}, "datetime 'last week' is not an RFC 3339 time"),
        ({"datetime": ""}, "datetime '' is not an RFC 3339 time"),
        ({"datetime": "0001-01-01T00:00:00+12:00"}, "is not an RFC 3339 time"),
        ({"start_datetime": "2023-09-01", "end_datetime": "2023-08-01"}, "before it starts"),
        ({"geometry": "{}"}, "geometry is not GeoJSON"),
        ({"geometry": "null"}, "geometry is not GeoJSON"),
        ({"geometry": '{"type": "Polygon", "coordinates": [[[0, 0], [1]]]}'}, "not GeoJSON"),
        ({"geometry": '{"type": "Polygon", "coordinates": []}'}, "geometry is empty"),
        ({"geometry": '{"type": "Point", "coordinates": [NaN, 1]}'}, "geometry is empty"),
        ({"properties": "platform"}, "properties are not JSON"),
        ({"properties": "[]"}, "properties are not a JSON object"),
    ],
)
def test_a_broken_parent_is_named(fields: dict[str, str], words: str) -> None:
    parent = scene(15)
    for name, value in fields.items():
        setattr(parent, name, value)
    with pytest.raises(InputError, match=f"item 'S2A_33TWL_20230815'.*{words}"):
        items.derive([parent], id="x", collection="c", keep=["platform"])


def test_times_without_a_zone_are_utc() -> None:
    moment = datetime(2023, 8, 15, 10, tzinfo=UTC)
    for text in ("2023-08-15T10:00:00", "2023-08-15T10:00:00Z", "2023-08-15T12:00:00+02:00"):
        assert items.interval(Item(id="a", datetime=text)) == (moment, moment)


def test_an_asset_by_its_key() -> None:
    item = scene(15)
    assert items.asset(item, "nir").href == "B08.tif"
    with pytest.raises(InputError, match=r"did you mean 'red'\? \(it has red, nir\)"):
        items.asset(item, "redd")
    with pytest.raises(InputError, match=r"no asset 'swir' \(it has red, nir\)"):
        items.asset(item, "swir")
    with pytest.raises(InputError, match=r"no asset 'red' \(it has none\)"):
        items.asset(Item(id="a"), "red")


def test_properties_are_added_to_those_that_are_there() -> None:
    item = scene(15)
    items.add_properties(item, {"eo:cloud_cover": 3.5, "new": [1, None]})
    assert items.properties(item) == {
        "platform": "sentinel-2a",
        "eo:cloud_cover": 3.5,
        "new": [1, None],
    }
    items.properties(item)["platform"] = "changed"
    assert items.properties(item)["platform"] == "sentinel-2a"
    with pytest.raises(ValueError, match="JSON compliant"):
        items.add_properties(item, {"eo:cloud_cover": float("nan")})
