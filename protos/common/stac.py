"""The meaning of an `Item` message: its STAC JSON form, in both directions.

STAC 1.1 is written (`bands`, eo 2, raster 2, projection 2); 1.0 is read too, whose `eo:bands`,
`raster:bands` and `proj:epsg` become their newer forms. Pure: dictionaries and messages only, so
that components and the orchestrator share it.

Source: https://github.com/radiantearth/stac-spec (v1.1.0, item-spec and common-metadata).
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from protos.common.v1.item_pb2 import Asset, Band, Item

STAC_VERSION = "1.1.0"

# Schema per prefix of a field name, in the versions that fit STAC 1.1.
EXTENSIONS = {
    "eo": "https://stac-extensions.github.io/eo/v2.0.0/schema.json",
    "raster": "https://stac-extensions.github.io/raster/v2.0.0/schema.json",
    "proj": "https://stac-extensions.github.io/projection/v2.0.0/schema.json",
    "view": "https://stac-extensions.github.io/view/v1.0.0/schema.json",
    "grid": "https://stac-extensions.github.io/grid/v1.1.0/schema.json",
    "processing": "https://stac-extensions.github.io/processing/v1.2.0/schema.json",
}

_TIME_KEYS = ("datetime", "start_datetime", "end_datetime")
_ASSET_KEYS = {"href", "type", "title", "roles", "bands", "eo:bands", "raster:bands"}

# STAC 1.1 lets an asset say once what is true of all its bands.
# https://github.com/radiantearth/stac-spec/blob/v1.1.0/commons/common-metadata.md#bands
_BAND_KEYS = ("data_type", "nodata", "unit", "raster:scale", "raster:offset")


class StacError(ValueError):
    """A dictionary that is not a STAC item; the message names the item and the field."""


def to_dict(item: Item, *, self_href: str | None = None) -> dict[str, Any]:
    """Return the STAC 1.1 item as a JSON-ready dictionary, with `derived_from` links.

    `self_href` adds a self link. Raises StacError where `geometry`, a `properties` text or a
    nodata value cannot be read.
    """
    properties = _json_object(item.properties, item.id, "properties")
    properties["datetime"] = item.datetime or None
    if item.start_datetime:
        properties["start_datetime"] = item.start_datetime
    if item.end_datetime:
        properties["end_datetime"] = item.end_datetime
    links = [{"rel": "derived_from", "href": parent} for parent in item.derived_from]
    if self_href:
        links.append({"rel": "self", "href": self_href, "type": "application/geo+json"})
    result: dict[str, Any] = {
        "type": "Feature",
        "stac_version": STAC_VERSION,
        "stac_extensions": [],
        "id": item.id,
        "geometry": _json_object(item.geometry, item.id, "geometry") if item.geometry else None,
        "properties": properties,
        "links": links,
        "assets": {asset.key: _asset_to_dict(asset, item.id) for asset in item.assets},
    }
    # STAC wants both or neither.
    if item.bbox or result["geometry"]:
        result["geometry"] = result["geometry"] or _rectangle(item.bbox, item.id)
        result["bbox"] = list(item.bbox) or _bounds(result["geometry"], item.id)
    if item.collection:
        result["collection"] = item.collection
    result["stac_extensions"] = _extensions(item.stac_extensions, result)
    return result


def from_dict(document: Mapping[str, Any]) -> Item:
    """Return the message for a STAC 1.0 or 1.1 item.

    Fields that the message has no place for stay in the `properties` texts of the item and its
    assets; of bands and links only what the message holds is kept. Raises StacError naming the
    item and the field that is missing or of the wrong type.
    """
    if not isinstance(document, Mapping):
        raise StacError(f"not a STAC item: a {type(document).__name__}, not an object")
    name = document.get("id")
    if document.get("type") != "Feature" or not isinstance(name, str) or not name:
        raise StacError(f"not a STAC item: type {document.get('type')!r}, id {name!r}")
    try:
        return _item_from_dict(document, name)
    except (UnicodeError, RecursionError) as error:
        raise StacError(f"item {name!r} has text that cannot be sent: {error}") from error


def _item_from_dict(document: Mapping[str, Any], name: str) -> Item:
    properties = dict(_expect(document, "properties", dict, name))
    times = {key: _text(properties, key, name) for key in _TIME_KEYS}
    for key in _TIME_KEYS:
        properties.pop(key, None)
    if not times["datetime"] and not (times["start_datetime"] and times["end_datetime"]):
        raise StacError(
            f"item {name}: properties.datetime is missing, and start_datetime and end_datetime too"
        )
    if "proj:epsg" in properties:
        epsg = properties.pop("proj:epsg")
        properties.setdefault("proj:code", f"EPSG:{epsg}" if epsg else None)
    assets = _expect(document, "assets", dict, name)
    item = Item(
        id=name,
        datetime=times["datetime"],
        start_datetime=times["start_datetime"],
        end_datetime=times["end_datetime"],
        collection=_text(document, "collection", name),
        bbox=_bbox(document.get("bbox"), name),
        properties=_compact(properties) if properties else "",
        assets=[_asset_from_dict(key, value, name) for key, value in assets.items()],
        stac_extensions=_texts(document, "stac_extensions", name),
    )
    if document.get("geometry") is not None:
        item.geometry = _compact(_expect(document, "geometry", dict, name))
    item.derived_from.extend(
        link["href"]
        for link in document.get("links") or ()
        if isinstance(link, dict)
        and link.get("rel") == "derived_from"
        and isinstance(link.get("href"), str)
    )
    return item


def _rectangle(bbox: Sequence[float], item: str) -> dict[str, Any]:
    west, south, east, north = _bbox(list(bbox), item)
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


def _bounds(geometry: Mapping[str, Any], item: str) -> list[float]:
    """Return the bbox of a GeoJSON geometry."""

    def positions(value: Any) -> Iterator[tuple[float, float]]:
        if isinstance(value[0], int | float):
            yield value[0], value[1]
        else:
            for part in value:
                yield from positions(part)

    parts = geometry.get("geometries", [geometry])
    try:
        points = [point for part in parts for point in positions(part["coordinates"])]
        xs, ys = zip(*points, strict=True)
        return [min(xs), min(ys), max(xs), max(ys)]
    except (LookupError, TypeError, ValueError, RecursionError) as error:
        raise StacError(f"item {item}: geometry is not GeoJSON") from error


def _asset_to_dict(asset: Asset, item: str) -> dict[str, Any]:
    result: dict[str, Any] = {"href": asset.href}
    if asset.media_type:
        result["type"] = asset.media_type
    if asset.title:
        result["title"] = asset.title
    if asset.roles:
        result["roles"] = list(asset.roles)
    if asset.bands:
        result["bands"] = [_band_to_dict(band, item) for band in asset.bands]
    return _json_object(asset.properties, item, f"assets.{asset.key}.properties") | result


def _band_to_dict(band: Band, item: str) -> dict[str, Any]:
    result: dict[str, Any] = {}
    if band.name:
        result["name"] = band.name
    if band.common_name:
        result["eo:common_name"] = band.common_name
    if band.center_wavelength:
        result["eo:center_wavelength"] = band.center_wavelength
    if band.data_type:
        result["data_type"] = band.data_type
    if band.nodata:
        number = _number({"nodata": band.nodata}, "nodata", item)
        result["nodata"] = _plain(number) if math.isfinite(number) else str(number)
    if band.unit:
        result["unit"] = band.unit
    if band.scale not in (0.0, 1.0) or band.offset:
        result["raster:scale"] = band.scale or 1.0
        result["raster:offset"] = band.offset
    return result


def _asset_from_dict(key: str, document: Any, item: str) -> Asset:
    place = f"{item}, asset {key}"
    if not isinstance(document, dict) or not isinstance(document.get("href"), str):
        raise StacError(f"item {place}: href is missing")
    bands = _merged_bands(document, place)
    used = _ASSET_KEYS | (set(_BAND_KEYS) if bands else set())
    rest = {name: value for name, value in document.items() if name not in used}
    if "proj:epsg" in rest:
        epsg = rest.pop("proj:epsg")
        rest.setdefault("proj:code", f"EPSG:{epsg}" if epsg else None)
    return Asset(
        key=key,
        href=document["href"],
        media_type=_text(document, "type", place),
        title=_text(document, "title", place),
        roles=_texts(document, "roles", place),
        bands=[_band_from_dict(band, place) for band in bands],
        properties=_compact(rest) if rest else "",
    )


def _merged_bands(asset: Mapping[str, Any], place: str) -> list[dict[str, Any]]:
    """STAC 1.1 `bands`, or 1.0 `eo:bands` and `raster:bands` joined by position.

    What the asset says of all bands is in each. Where it lists none, one without a name stands
    for all.
    """
    common = {key: asset[key] for key in _BAND_KEYS if asset.get(key) is not None}
    listed = _objects(asset, "bands", place)
    if not listed:
        spectral = _objects(asset, "eo:bands", place)
        stored = _objects(asset, "raster:bands", place)
        empty: dict[str, Any] = {}
        pairs = itertools.zip_longest(stored, spectral, fillvalue=empty)
        listed = [one | other for one, other in pairs]
    return [common | band for band in listed] or ([common] if common else [])


def _band_from_dict(band: Mapping[str, Any], place: str) -> Band:
    def first(*names: str) -> str:
        return next((name for name in names if band.get(name) is not None), names[0])

    nodata = first("nodata")
    number = _number(band, nodata, place) if band.get(nodata) is not None else None
    return Band(
        name=_text(band, "name", place),
        common_name=_text(band, first("eo:common_name", "common_name"), place),
        center_wavelength=_number(band, first("eo:center_wavelength", "center_wavelength"), place),
        data_type=_text(band, "data_type", place),
        nodata="" if number is None else str(_plain(number)),
        scale=_number(band, first("raster:scale", "scale"), place),
        offset=_number(band, first("raster:offset", "offset"), place),
        unit=_text(band, "unit", place),
    )


def _extensions(declared: Iterable[str], document: Mapping[str, Any]) -> list[str]:
    """Return the declared schemas, and those that the fields in use need, in the right version."""
    used = set(_prefixes(document["properties"]))
    for asset in document["assets"].values():
        used.update(_prefixes(asset))
        for band in asset.get("bands", ()):
            used.update(_prefixes(band))
    known = {uri.rsplit("/", 2)[0]: prefix for prefix, uri in EXTENSIONS.items()}
    kept = [uri for uri in declared if uri.rsplit("/", 2)[0] not in known]
    return sorted({*kept, *(EXTENSIONS[prefix] for prefix in used if prefix in EXTENSIONS)})


def _prefixes(fields: Mapping[str, Any]) -> Iterable[str]:
    return (name.split(":", 1)[0] for name in fields if ":" in name)


def _bbox(value: Any, item: str) -> list[float]:
    """Return west, south, east, north; heights, which a bbox may have, are left out."""
    if value is None:
        return []
    numbers = isinstance(value, list) and all(
        isinstance(number, int | float) and math.isfinite(number) for number in value
    )
    if not numbers or len(value) not in (4, 6):
        raise StacError(f"item {item}: bbox {value!r} is not four numbers")
    half = len(value) // 2
    return [float(number) for number in (*value[:2], *value[half : half + 2])]


def _text(document: Mapping[str, Any], field: str, item: str) -> str:
    value = document.get(field)
    if value is not None and not isinstance(value, str):
        raise StacError(f"item {item}: {field} {value!r} is not a text")
    return value or ""


def _texts(document: Mapping[str, Any], field: str, item: str) -> list[str]:
    value = document.get(field)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise StacError(f"item {item}: {field} {value!r} is not a list of texts")
    return value


def _objects(document: Mapping[str, Any], field: str, item: str) -> list[dict[str, Any]]:
    value = document.get(field)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise StacError(f"item {item}: {field} is not a list of objects")
    return value


def _number(document: Mapping[str, Any], field: str, item: str) -> float:
    """Return a number, 0 where there is none. A text may be one: nodata can be "nan"."""
    value = document.get(field)
    try:
        return float(0 if value is None else value)
    except (TypeError, ValueError, OverflowError) as error:
        raise StacError(f"item {item}: {field} {value!r} is not a number") from error


def _expect(document: Mapping[str, Any], field: str, kind: type, item: str) -> Any:
    value = document.get(field)
    if not isinstance(value, kind):
        raise StacError(f"item {item}: {field} is missing or not an object")
    return value


def _json_object(text: str, item: str, field: str) -> dict[str, Any]:
    if not text:
        return {}
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise StacError(f"item {item}: {field} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise StacError(f"item {item}: {field} is not a JSON object")
    return value


def _plain(number: float) -> int | float:
    """Return 0 for 0.0, and what has a fraction or is not finite as it is."""
    return int(number) if number.is_integer() else number


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
