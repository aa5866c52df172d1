"""Items: to and from pystac, new items from old ones, and what is looked up in them.

Pure mapping; files are opened elsewhere. The meaning of the message in STAC is
`protos.common.stac`.
"""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pystac
from shapely import make_valid, union_all
from shapely.errors import ShapelyError
from shapely.geometry import box, mapping, shape
from shapely.geometry.base import BaseGeometry

from components.kit.errors import InputError
from protos.common import stac
from protos.common.v1.item_pb2 import Asset, Item

__all__ = [
    "add_properties",
    "asset",
    "derive",
    "footprint",
    "from_stac",
    "identifier",
    "interval",
    "properties",
    "set_footprint",
    "to_stac",
]


def to_stac(item: Item) -> pystac.Item:
    """Return the pystac item; hrefs stay as they are. Raises InputError if it is not valid."""
    try:
        result: pystac.Item = pystac.Item.from_dict(stac.to_dict(item))
    except (pystac.STACError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"item {item.id!r} is not a STAC item: {error}") from error
    return result


def from_stac(item: pystac.Item) -> Item:
    """Return the message for a pystac item; hrefs stay as they are."""
    try:
        return stac.from_dict(item.to_dict(include_self_link=False, transform_hrefs=False))
    except stac.StacError as error:
        raise InputError(str(error)) from error


def identifier(item: Item) -> str:
    """Return collection/id: how another item names this one in `derived_from`."""
    return f"{item.collection}/{item.id}" if item.collection else item.id


def derive(
    parents: Sequence[Item],
    *,
    id: str,  # noqa: A002 - STAC's own name for it
    collection: str,
    properties: Mapping[str, object] | None = None,
    keep: Iterable[str] = (),
) -> Item:
    """Return a new item made from `parents` (at least one), without assets.

    It has the parent's datetime, or the interval from the first to the last where there are
    several; the union of the footprints; `derived_from` in the order given; the `keep` properties
    of the first parent, then `properties`. Raises InputError where a parent is broken.
    """
    result = Item(
        id=id,
        collection=collection,
        derived_from=[identifier(parent) for parent in parents],
    )
    times = [interval(parent) for parent in parents]
    start, end = min(t[0] for t in times), max(t[1] for t in times)
    if start == end:
        result.datetime = _timestamp(start)
    else:
        result.start_datetime, result.end_datetime = _timestamp(start), _timestamp(end)
    # Footprints that touch or cross themselves are common; the union needs valid ones.
    shapes = [make_valid(footprint(p)) for p in parents if p.geometry or p.bbox]
    if shapes:
        set_footprint(result, union_all(shapes))
    add_properties(result, _select(parents[0], keep) | dict(properties or {}))
    return result


def interval(item: Item) -> tuple[datetime, datetime]:
    """Return the first and last moment of an item, in UTC. Raises InputError if it has none."""
    try:
        start = item.start_datetime or item.datetime
        end = item.end_datetime or item.datetime or start
        first, last = _parse_time(start), _parse_time(end)
    except (ValueError, OverflowError) as error:
        raise InputError(
            f"item {item.id!r}: datetime {item.datetime or item.start_datetime!r} "
            "is not an RFC 3339 time"
        ) from error
    if last < first:
        raise InputError(f"item {item.id!r}: it ends at {end}, before it starts at {start}")
    return first, last


def footprint(item: Item) -> BaseGeometry:
    """Return the geometry, else the bbox, in WGS 84 (longitude, latitude).

    Raises InputError if there is none or it is broken.
    """
    if not item.geometry and len(item.bbox) == 4:
        west, south, east, north = item.bbox
        return box(west, south, east, north)
    try:
        geometry = shape(json.loads(item.geometry))
    except (ValueError, LookupError, TypeError, AttributeError, ShapelyError) as error:
        raise InputError(f"item {item.id!r}: its geometry is not GeoJSON: {error}") from error
    if not all(map(math.isfinite, geometry.bounds)):
        raise InputError(f"item {item.id!r}: its geometry is empty")
    return geometry


def set_footprint(item: Item, geometry: BaseGeometry) -> None:
    """Set geometry and bbox, both WGS 84."""
    item.geometry = json.dumps(mapping(geometry))
    del item.bbox[:]
    item.bbox.extend(float(value) for value in geometry.bounds)


def properties(item: Item) -> dict[str, Any]:
    """Return the properties as a new dictionary. Raises InputError if they are not JSON."""
    try:
        value = json.loads(item.properties) if item.properties else {}
    except (ValueError, RecursionError) as error:
        raise InputError(f"item {item.id!r}: its properties are not JSON: {error}") from error
    if not isinstance(value, dict):
        raise InputError(f"item {item.id!r}: its properties are not a JSON object")
    return value


def add_properties(item: Item, values: Mapping[str, object]) -> None:
    """Set properties; those that are there under other names stay."""
    merged = properties(item) | dict(values)
    item.properties = json.dumps(merged, allow_nan=False) if merged else ""


def asset(item: Item, key: str) -> Asset:
    """Return the asset of that key. Raises InputError naming the nearest and all keys."""
    for candidate in item.assets:
        if candidate.key == key:
            return candidate
    keys = [candidate.key for candidate in item.assets]
    near = difflib.get_close_matches(key, keys, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise InputError(
        f"item {item.id!r} has no asset {key!r}{hint} (it has {', '.join(keys) or 'none'})"
    )


def _select(item: Item, names: Iterable[str]) -> dict[str, Any]:
    there = properties(item)
    return {name: there[name] for name in names if name in there}


def _parse_time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _timestamp(time: datetime) -> str:
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")
