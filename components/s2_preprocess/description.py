"""The items that describe what was made of other items; assets come with the files."""

from __future__ import annotations

from typing import Final

from odc.geo.geobox import GeoBox
from shapely.geometry import Polygon, shape
from shapely.geometry.base import BaseGeometry

from components.kit.items import derive, footprint, identifier, properties, set_footprint
from components.s2_preprocess.alignment import displacement
from components.s2_preprocess.coregistration import Shift
from components.s2_preprocess.grid import grid_footprint, pixel_size
from components.s2_preprocess.mask import CLOUD_CLASSES, SceneClass, percentage
from components.s2_preprocess.outputs import COLLECTION
from components.s2_preprocess.preparation import Prepared
from components.s2_preprocess.scene import Scene
from protos.common.v1.item_pb2 import Item

# What is still true of a scene after preparation.
_KEPT: Final = (
    "platform",
    "constellation",
    "instruments",
    "eo:cloud_cover",
    "grid:code",
    "sat:orbit_state",
    "sat:relative_orbit",
    "view:sun_azimuth",
    "view:sun_elevation",
    "s2:mgrs_tile",
    "s2:processing_baseline",
    "s2:product_type",
    "s2:product_uri",
    "eoloom:simulated",
)


def describe_prepared(item: Item, scene: Scene, prepared: Prepared) -> Item:
    """Return the item of a prepared scene, without assets."""
    parent = Item()
    parent.CopyFrom(item)
    if not parent.datetime and not parent.start_datetime:
        parent.datetime = scene.time
    kept = {key: scene.properties[key] for key in _KEPT if key in scene.properties}
    code = str(kept.get("grid:code", ""))
    if code.startswith("MGRS-"):
        kept.setdefault("s2:mgrs_tile", code.removeprefix("MGRS-"))
    clear = 100.0 * prepared.clear / prepared.observed if prepared.observed else 0.0
    pixels = prepared.geobox.shape[0] * prepared.geobox.shape[1]
    values: dict[str, object] = {
        "gsd": pixel_size(prepared.geobox),
        "eoloom:clear_percentage": round(clear, 6),
        "eoloom:nodata_percentage": round(100.0 * (1 - prepared.observed / pixels), 4),
        "eoloom:offset_dn": min(prepared.offset.offsets[band] for band in prepared.bands),
        "eoloom:offset_decided_by": prepared.offset.decided_by,
    }
    if prepared.classified:
        shares = {
            "eoloom:cloud_percentage": CLOUD_CLASSES,
            "eoloom:cloud_shadow_percentage": (SceneClass.CLOUD_SHADOW,),
            "eoloom:snow_percentage": (SceneClass.SNOW_OR_ICE,),
        }
        for name, classes in shares.items():
            values[name] = round(percentage(prepared.classes, classes), 4)
    result = derive([parent], id=item.id, collection=COLLECTION, properties=kept | values)
    set_footprint(result, _footprint(item, scene, prepared.geobox))
    return result


def _footprint(item: Item, scene: Scene, geobox: GeoBox) -> BaseGeometry:
    """Return the part of the scene's outline within the grid, or the grid's outline."""
    grid = shape(grid_footprint(geobox).json)
    if item.geometry:
        outline = footprint(item)
    elif len(scene.outline) >= 3:
        outline = Polygon(scene.outline)
    else:
        return grid
    inside = outline.buffer(0).intersection(grid)
    return grid if inside.is_empty else inside


def describe_aligned(item: Item, first: Item, shift: Shift | None, grid: GeoBox) -> Item:
    """Return the item of a scene aligned onto `first`, without assets.

    shift: in pixels of `grid`; None where the scene could not be aligned. The item has it in
    units of the CRS.
    """
    values: dict[str, object] = {
        "eoloom:aligned_to": identifier(first),
        "eoloom:aligned": shift is not None,
    }
    if shift is not None:
        east, north = displacement(shift, grid)
        spread = pixel_size(grid) * max(shift.spread_x, shift.spread_y)
        values |= {
            "eoloom:shift_east": round(east, 4),
            "eoloom:shift_north": round(north, 4),
            "eoloom:shift_spread": round(spread, 4),
            "eoloom:shift_chips": shift.chips,
        }
    result = derive(
        [item],
        id=f"{item.id}_aligned",
        collection=COLLECTION,
        properties=properties(item) | values,
    )
    if identifier(first) != identifier(item):
        result.derived_from.append(identifier(first))
    return result
