"""The meaning of an `Item` message: its STAC JSON form, in both directions.

STAC 1.1 is written (`bands`, eo 2, raster 2, projection 2); 1.0 is read too, whose `eo:bands`,
`raster:bands` and `proj:epsg` become their newer forms. Pure: dictionaries and messages only, so
that components and the orchestrator share it.

Source: https://github.com/radiantearth/stac-spec (v1.1.0, item-spec and common-metadata).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
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


class StacError(ValueError):
    """A dictionary that is not a STAC item; the message names the item and the field."""


def to_dict(item: Item, *, self_href: str | None = None) -> dict[str, Any]:
    """Return the STAC 1.1 item as a JSON-ready dictionary, with `derived_from` links.

    `self_href` adds a self link. Raises StacError where `geometry` or a `properties` text is not
    JSON.
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
    if item.bbox:
        result["bbox"] = list(item.bbox)
    if item.collection:
        result["collection"] = item.collection
    result["stac_extensions"] = _extensions(item.stac_extensions, result)
    return result


def from_dict(document: Mapping[str, Any]) -> Item:
    """Return the message for a STAC 1.0 or 1.1 item; unknown fields stay in `properties` texts.

    Raises StacError naming the item and the field that is missing or of the wrong type.
    """
    name = document.get("id")
    if document.get("type") != "Feature" or not isinstance(name, str) or not name:
        raise StacError(f"not a STAC item: type {document.get('type')!r}, id {name!r}")
    properties = dict(_expect(document, "properties", dict, name))
    times = {key: properties.pop(key, None) or "" for key in _TIME_KEYS}
    if not times["datetime"] and not times["start_datetime"]:
        raise StacError(f"item {name}: properties.datetime is missing")
    if "proj:epsg" in properties:
        epsg = properties.pop("proj:epsg")
        properties.setdefault("proj:code", f"EPSG:{epsg}" if epsg else None)
    assets = _expect(document, "assets", dict, name)
    item = Item(
        id=name,
        datetime=times["datetime"],
        start_datetime=times["start_datetime"],
        end_datetime=times["end_datetime"],
        collection=document.get("collection") or "",
        geometry=_compact(document["geometry"]) if document.get("geometry") else "",
        properties=_compact(properties) if properties else "",
        assets=[_asset_from_dict(key, value, name) for key, value in assets.items()],
        stac_extensions=[str(uri) for uri in document.get("stac_extensions") or ()],
    )
    bbox = document.get("bbox") or ()
    if len(bbox) == 6:  # with heights, which the message leaves out
        bbox = (*bbox[:2], *bbox[3:5])
    try:
        item.bbox.extend(float(value) for value in bbox)
    except (TypeError, ValueError) as error:
        raise StacError(f"item {name}: bbox {bbox!r} is not four numbers") from error
    item.derived_from.extend(
        str(link["href"])
        for link in document.get("links") or ()
        if isinstance(link, dict) and link.get("rel") == "derived_from" and "href" in link
    )
    return item


def _asset_to_dict(asset: Asset, item: str) -> dict[str, Any]:
    result: dict[str, Any] = {"href": asset.href}
    if asset.media_type:
        result["type"] = asset.media_type
    if asset.title:
        result["title"] = asset.title
    if asset.roles:
        result["roles"] = list(asset.roles)
    if asset.bands:
        result["bands"] = [_band_to_dict(band) for band in asset.bands]
    return result | _json_object(asset.properties, item, f"assets.{asset.key}.properties")


def _band_to_dict(band: Band) -> dict[str, Any]:
    result: dict[str, Any] = {"name": band.name}
    if band.common_name:
        result["eo:common_name"] = band.common_name
    if band.center_wavelength:
        result["eo:center_wavelength"] = band.center_wavelength
    if band.data_type:
        result["data_type"] = band.data_type
    if band.nodata:
        number = float(band.nodata)
        result["nodata"] = _plain(number) if math.isfinite(number) else band.nodata
    if band.unit:
        result["unit"] = band.unit
    if band.scale not in (0.0, 1.0) or band.offset:
        result["raster:scale"] = band.scale or 1.0
        result["raster:offset"] = band.offset
    return result


def _asset_from_dict(key: str, document: Any, item: str) -> Asset:
    if not isinstance(document, dict) or not isinstance(document.get("href"), str):
        raise StacError(f"item {item}: asset {key} has no href")
    rest = {name: value for name, value in document.items() if name not in _ASSET_KEYS}
    if "proj:epsg" in rest:
        epsg = rest.pop("proj:epsg")
        rest.setdefault("proj:code", f"EPSG:{epsg}" if epsg else None)
    return Asset(
        key=key,
        href=document["href"],
        media_type=document.get("type") or "",
        title=document.get("title") or "",
        roles=[str(role) for role in document.get("roles") or ()],
        bands=[_band_from_dict(band) for band in _merged_bands(document)],
        properties=_compact(rest) if rest else "",
    )


def _merged_bands(asset: Mapping[str, Any]) -> list[dict[str, Any]]:
    """STAC 1.1 `bands`, or 1.0 `eo:bands` and `raster:bands` joined by position."""
    if asset.get("bands"):
        return [band for band in asset["bands"] if isinstance(band, dict)]
    spectral = asset.get("eo:bands") or []
    stored = asset.get("raster:bands") or []
    merged = []
    for index in range(max(len(spectral), len(stored))):
        band: dict[str, Any] = {}
        if index < len(stored) and isinstance(stored[index], dict):
            band |= stored[index]
        if index < len(spectral) and isinstance(spectral[index], dict):
            band |= spectral[index]
        merged.append(band)
    return merged


def _band_from_dict(band: Mapping[str, Any]) -> Band:
    def first(*names: str) -> Any:
        return next((band[name] for name in names if band.get(name) is not None), None)

    nodata = first("nodata")
    return Band(
        name=str(first("name") or ""),
        common_name=str(first("eo:common_name", "common_name") or ""),
        center_wavelength=float(first("eo:center_wavelength", "center_wavelength") or 0.0),
        data_type=str(first("data_type") or ""),
        nodata="" if nodata is None else str(nodata),
        scale=float(first("raster:scale", "scale") or 0.0),
        offset=float(first("raster:offset", "offset") or 0.0),
        unit=str(first("unit") or ""),
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
    except ValueError as error:
        raise StacError(f"item {item}: {field} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise StacError(f"item {item}: {field} is not a JSON object")
    return value


def _plain(number: float) -> int | float:
    return int(number) if number.is_integer() else number


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
