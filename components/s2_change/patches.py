"""Patches of change: their outlines, and what lies within them.

GDAL's polygonize goes through a file line by line, and what belongs to each polygon is summed block
by block, so that memory follows the number of patches and not the scene.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import pyproj
import rasterio
import shapely
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.features import rasterize, shapes
from rasterio.windows import Window, bounds
from shapely.geometry import mapping, shape
from shapely.geometry.polygon import orient

from components.kit.cog import TILE
from components.kit.rasters import Raster, blocks, readable

# About a centimetre in degrees.
_DECIMALS: Final = 7


@dataclass(frozen=True)
class Patches:
    """Outlines in the CRS of the raster, and per patch: class 1..K, hectares, and means.

    classes: the most frequent in the patch, of whose pixels `purity` is the share. magnitude and
    direction (degrees) are means over the patch, NaN where there is none.
    """

    outlines: list[Any]
    classes: NDArray[np.int64]
    purity: NDArray[np.float64]
    area_ha: NDArray[np.float64]
    magnitude: NDArray[np.float64]
    direction: NDArray[np.float64]


def outline(mask: Path, connectivity: Literal[4, 8]) -> list[Any]:
    """Return the outlines of the patches in a change mask (1 is change), in its CRS."""
    with rasterio.open(mask) as dataset, readable(str(mask)):
        found = shapes(
            rasterio.band(dataset, 1), connectivity=connectivity, transform=dataset.transform
        )
        return [shape(geometry) for geometry, value in found if value == 1]


def measure(
    outlines: list[Any], kinds: int, *, classes: Raster, magnitude: Raster, direction: Raster
) -> Patches:
    """Return the patches with their classes 1..kinds, areas and means."""
    count = len(outlines) + 1
    sums, members = np.zeros((5, count)), np.zeros((count, kinds + 1), dtype=np.int64)
    geobox = magnitude.geobox
    for window, ids in _labels(outlines, geobox):
        areas = np.repeat(pixel_areas_ha(geobox, window), window.width)
        sums[0] += np.bincount(ids, areas, count)
        found = np.minimum(classes.read_stored(window)[0].ravel(), kinds)
        members += np.bincount(ids * (kinds + 1) + found, minlength=members.size).reshape(
            members.shape
        )
        for row, raster in ((1, magnitude), (3, direction)):
            values = raster.read(window)[0].ravel().astype(np.float64)
            seen = np.isfinite(values)
            sums[row] += np.bincount(ids[seen], values[seen], count)
            sums[row + 1] += np.bincount(ids[seen], minlength=count)
    with np.errstate(invalid="ignore"):
        means = sums[[1, 3], 1:] / sums[[2, 4], 1:]
    known = members[1:, 1:] if kinds else np.zeros((count - 1, 1), dtype=np.int64)
    total = np.maximum(known.sum(axis=1), 1)
    return Patches(
        outlines=outlines,
        classes=known.argmax(axis=1) + 1,
        purity=known.max(axis=1) / total,
        area_ha=sums[0, 1:],
        magnitude=means[0],
        direction=means[1],
    )


def _labels(outlines: list[Any], geobox: GeoBox) -> Iterator[tuple[Window, NDArray[np.int64]]]:
    """Yield the blocks that patches touch, with the number of each pixel's patch, flat; 0 none."""
    tree = shapely.STRtree(outlines)
    # The tiles of a COG: no more is decoded than has patches.
    for window in blocks(geobox.shape.yx, TILE) if outlines else ():
        near = tree.query(shapely.box(*bounds(window, geobox.transform)))
        if near.size:
            shift = Affine.translation(window.col_off, window.row_off)
            ids = rasterize(
                ((outlines[index], index + 1) for index in near),
                out_shape=(window.height, window.width),
                transform=geobox.transform @ shift,
                dtype="int32",
            )
            yield window, ids.ravel().astype(np.int64)


def pixel_areas_ha(geobox: GeoBox, window: Window) -> NDArray[np.float64]:
    """Return the area of a pixel in each row of a window, (y,) hectares.

    On a projected grid all are alike; on a geographic one they are measured on the ellipsoid.
    """
    transform = geobox.transform
    rows = window.row_off + np.arange(window.height)
    crs = pyproj.CRS.from_user_input(str(geobox.crs))
    if not crs.is_geographic:
        unit = crs.axis_info[0].unit_conversion_factor if crs.axis_info else 1.0
        area = abs(transform.a * transform.e - transform.b * transform.d) * unit**2
        return np.full(rows.size, area / 1e4)
    geod = crs.get_geod()
    assert geod is not None  # noqa: S101 - a geographic CRS has an ellipsoid
    areas = []
    for row in rows:
        north, south = transform.f + row * transform.e, transform.f + (row + 1) * transform.e
        area, _ = geod.polygon_area_perimeter(
            [0.0, transform.a, transform.a, 0.0], [north, north, south, south]
        )
        areas.append(abs(area) / 1e4)
    return np.asarray(areas)


def write_geojson(path: Path, patches: Patches, names: Sequence[str], geobox: GeoBox) -> None:
    """Write the patches in WGS 84 as RFC 7946 GeoJSON, largest first."""
    transformer = pyproj.Transformer.from_crs(str(geobox.crs), "EPSG:4326", always_xy=True)
    features = (_feature(patches, index, names, transformer) for index in _by_area(patches))
    with path.open("w", encoding="utf-8") as file:
        file.write('{"type": "FeatureCollection", "features": [')
        for number, feature in enumerate(features):
            file.write(("," if number else "") + "\n" + json.dumps(feature))
        file.write("\n]}\n")


def _by_area(patches: Patches) -> Iterator[int]:
    yield from np.argsort(-patches.area_ha, kind="stable").tolist()


def _feature(
    patches: Patches, index: int, names: Sequence[str], transformer: pyproj.Transformer
) -> dict[str, Any]:
    project: Any = transformer.transform
    degrees = shapely.transform(patches.outlines[index], project, interleaved=False)
    # Exterior rings run counter-clockwise (RFC 7946, section 3.1.6).
    geometry = mapping(orient(degrees))
    number = int(patches.classes[index])
    return {
        "type": "Feature",
        "geometry": {
            "type": geometry["type"],
            "coordinates": [
                [[round(x, _DECIMALS), round(y, _DECIMALS)] for x, y in ring]
                for ring in geometry["coordinates"]
            ],
        },
        "properties": {
            "class": number,
            "class_name": names[number - 1],
            "class_share": round(float(patches.purity[index]), 3),
            "area_ha": round(float(patches.area_ha[index]), 4),
            "mean_magnitude": _finite(patches.magnitude[index]),
            "mean_direction_degree": _finite(patches.direction[index]),
        },
    }


def _finite(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None
