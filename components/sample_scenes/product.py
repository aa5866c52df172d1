"""How a simulated scene is described: the item, its assets, the truth as polygons.

The dialect is that of Earth Search v1 (https://earth-search.aws.element84.com/v1), collection
sentinel-2-l2a: asset keys by common name, `s2:` and `earthsearch:` properties.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio import features, warp
from shapely.geometry import mapping

from components.sample_scenes.bands import BandInfo
from components.sample_scenes.changes import CODES, Change
from components.sample_scenes.grid import SceneGrid
from components.sample_scenes.pixels import PIXEL_M
from components.sample_scenes.sensor import (
    BOA_ADD_OFFSET,
    BOA_QUANTIFICATION_VALUE,
    NODATA,
)
from components.sample_scenes.sky import Sun
from protos.common.v1.item_pb2 import Band, Item

COLLECTION = "sentinel-2-l2a"
PROCESSING_BASELINE = "05.10"
_HECTARE_M2 = 10_000.0
# Properties that count the classes of the scene classification, percent of the seen pixels.
_CLASS_KEYS = {
    "s2:cloud_shadow_percentage": 3,
    "s2:vegetation_percentage": 4,
    "s2:not_vegetated_percentage": 5,
    "s2:water_percentage": 6,
    "s2:unclassified_percentage": 7,
    "s2:medium_proba_clouds_percentage": 8,
    "s2:high_proba_clouds_percentage": 9,
    "s2:thin_cirrus_percentage": 10,
}
_CLOUDS = (8, 9, 10)


def describe_scene(
    grid: SceneGrid, time: datetime, number: int, sun: Sun, class_counts: NDArray[np.int64]
) -> Item:
    """Return the item of a scene, without assets.

    Args:
        grid: where it lies.
        time: of sensing, UTC.
        number: of the scene in its series; Sentinel-2A and 2B take turns.
        sun: where it stands.
        class_counts: pixels per class number of the scene classification, (12,).
    """
    tile = grid.tile
    platform = "sentinel-2a" if number % 2 == 0 else "sentinel-2b"
    properties: dict[str, Any] = {
        "title": f"Simulated Sentinel-2 scene of {time:%Y-%m-%d}",
        "eoloom:simulated": True,
        "platform": platform,
        "constellation": "sentinel-2",
        "instruments": ["msi"],
        "gsd": 10,
        "proj:code": f"EPSG:{grid.epsg}",
        "grid:code": f"MGRS-{tile}",
        "mgrs:utm_zone": int(tile[:2]),
        "mgrs:latitude_band": tile[2],
        "mgrs:grid_square": tile[3:],
        "view:sun_azimuth": round(sun.azimuth, 4),
        "view:sun_elevation": round(sun.elevation, 4),
        "s2:mgrs_tile": tile,
        "s2:product_type": "S2MSI2A",
        "s2:processing_baseline": PROCESSING_BASELINE,
        "earthsearch:boa_offset_applied": False,
        **_class_percentages(class_counts),
    }
    footprint = grid.footprint
    return Item(
        id=f"SIM_{tile}_{time:%Y%m%d}_0_L2A",
        collection=COLLECTION,
        datetime=time.isoformat().replace("+00:00", "Z"),
        bbox=footprint.bounds,
        geometry=json.dumps(mapping(footprint)),
        properties=json.dumps(properties),
    )


def describe_band(band: BandInfo) -> Band:
    """Return how a band is stored."""
    return Band(
        name=band.name,
        common_name=band.common_name,
        center_wavelength=band.wavelength,
        data_type="uint16",
        nodata=str(NODATA),
        scale=1.0 / BOA_QUANTIFICATION_VALUE,
        offset=BOA_ADD_OFFSET / BOA_QUANTIFICATION_VALUE,
        unit="1",
    )


def outlines(changes: Sequence[Change], grid: SceneGrid, days: Sequence[date]) -> dict[str, Any]:
    """Return the changes as a GeoJSON FeatureCollection (RFC 7946) in WGS 84.

    Outlines run along the borders of pixels.

    Args:
        changes: to describe.
        grid: of the scene.
        days: dates of the series.
    """
    return {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "properties": {
                    "kind": change.kind,
                    "code": CODES[change.kind],
                    "area_ha": round(change.pixels * PIXEL_M**2 / _HECTARE_M2, 4),
                    "after": days[change.since - 1].isoformat(),
                    "not_after": days[change.since].isoformat(),
                    "eoloom:simulated": True,
                },
                "geometry": _outline(change, grid),
            }
            for change in changes
        ],
    }


def _outline(change: Change, grid: SceneGrid) -> Mapping[str, Any]:
    transform = grid.transform_at(change.row, change.col)
    mask = change.mask
    parts = [
        geometry["coordinates"]
        for geometry, _ in features.shapes(mask.astype(np.uint8), mask=mask, transform=transform)
    ]
    multipolygon = {"type": "MultiPolygon", "coordinates": parts}
    result: Mapping[str, Any] = warp.transform_geom(
        f"EPSG:{grid.epsg}", "EPSG:4326", multipolygon, precision=7
    )
    return result


def _class_percentages(counts: NDArray[np.int64]) -> dict[str, float]:
    seen = max(int(counts[1:].sum()), 1)
    total = max(int(counts.sum()), 1)
    shares = {key: round(100.0 * int(counts[code]) / seen, 6) for key, code in _CLASS_KEYS.items()}
    return {
        "eo:cloud_cover": round(100.0 * sum(int(counts[code]) for code in _CLOUDS) / seen, 6),
        "s2:nodata_pixel_percentage": round(100.0 * int(counts[0]) / total, 6),
        **shares,
    }
