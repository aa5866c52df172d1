"""The grids of scenes and of what is made from them. A grid is a `GeoBox`; no pixels here."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from affine import Affine
from odc.geo import CRS, CRSError
from odc.geo.geobox import GeoBox
from odc.geo.geom import BoundingBox, Geometry, box

from components.kit.errors import InputError

BBox = tuple[float, float, float, float]

# Points per side when a rectangle is carried into another CRS, where its sides are curves.
_POINTS_PER_SIDE = 32


@dataclass(frozen=True)
class DeclaredGrid:
    """Where an item or a product says that a raster lies; each field may be unknown.

    code: "EPSG:32633". transform: row-major affine of the full-size raster. shape: (y, x) of the
    raster that `transform` speaks of, which a copy at another pixel size need not have.
    """

    code: str | None = None
    transform: Affine | None = None
    shape: tuple[int, int] | None = None

    def geobox(self, shape: tuple[int, int]) -> GeoBox | None:
        """Return the grid for a raster of `shape` that covers the same area, or None if unknown."""
        if self.code is None or self.transform is None:
            return None
        full = GeoBox(self.shape or shape, self.transform, parse_crs(self.code))
        return full.zoom_to(shape)


UNKNOWN_GRID: Final = DeclaredGrid()


def parse_crs(text: str) -> CRS:
    """Return the CRS of a code or WKT. Raises InputError naming it."""
    try:
        return CRS(text)
    except CRSError as error:
        raise InputError(f"{text!r} is not a coordinate reference system: {error}") from error


def crs_name(geobox: GeoBox) -> str:
    """Return the CRS of a grid for a person: its EPSG code if it has one."""
    epsg = geobox.crs.to_epsg() if geobox.crs is not None else None
    return f"EPSG:{epsg}" if epsg else str(geobox.crs)


def pixel_size(geobox: GeoBox) -> float:
    """Return the pixel size in units of the CRS, the geometric mean of both axes."""
    transform = geobox.transform
    return math.sqrt(abs(transform.a * transform.e - transform.b * transform.d))


def pixel_size_m(geobox: GeoBox) -> float:
    """Return the pixel size in metres; along a meridian where the CRS counts in degrees."""
    metres_per_degree = 111_320.0
    geographic = geobox.crs is not None and geobox.crs.geographic
    return pixel_size(geobox) * (metres_per_degree if geographic else 1.0)


def target_grid(
    native: GeoBox, *, crs: str | None, resolution: float | None, bbox: BBox | None, scene: str
) -> GeoBox:
    """Return the grid to make from a scene whose finest chosen band has the grid `native`.

    In the scene's own CRS and pixel size the grid is the scene's own, so that nothing needs to be
    resampled; otherwise pixel edges are multiples of `resolution` (units of the CRS). Either way
    all scenes of a tile share their pixels. bbox: west, south, east, north in degrees, WGS 84;
    the grid covers its part within the scene. Raises InputError naming `scene` and the bbox if
    they do not overlap.
    """
    target_crs = native.crs if crs is None else parse_crs(crs)
    if target_crs is None:
        raise InputError(f"scene {scene} has no coordinate reference system")
    if resolution is None and target_crs.geographic:
        raise InputError(f"{crs} counts in degrees: give `resolution` in degrees too")
    size = pixel_size(native) if resolution is None else resolution
    own = target_crs == native.crs and math.isclose(size, pixel_size(native), rel_tol=1e-6)
    area = _bounds(native.extent, target_crs)
    if bbox is not None:
        region = box(*bbox, "EPSG:4326")
        if not overlaps(native, region):
            west, south, east, north = grid_footprint(native).boundingbox.bbox
            raise InputError(
                f"bbox {list(bbox)} lies outside scene {scene}, which covers "
                f"[{west:.4f}, {south:.4f}, {east:.4f}, {north:.4f}]"
            )
        area = area & _bounds(region, target_crs)
    if own:
        inside = native.overlap_roi(native.enclosing(area.polygon))
        return native[inside]
    return GeoBox.from_bbox(area, target_crs, resolution=size, anchor="edge")


def grid_footprint(geobox: GeoBox) -> Geometry:
    """Return the outline of a grid in WGS 84, split where it crosses the antimeridian."""
    return _carried(geobox.extent, CRS("EPSG:4326"))


def overlaps(geobox: GeoBox, region: Geometry) -> bool:
    """Return whether a grid and a region in WGS 84 have an area in common.

    Compared in WGS 84, since a region far away has no place in the CRS of the grid.
    """
    common = grid_footprint(geobox) & region
    return bool(common.area > 0)


def _bounds(shape: Geometry, crs: CRS) -> BoundingBox:
    return _carried(shape, crs).boundingbox


def _carried(shape: Geometry, crs: CRS) -> Geometry:
    if shape.crs == crs:
        return shape
    step = shape.boundingbox.span_x / _POINTS_PER_SIDE
    return shape.to_crs(crs, resolution=step, wrapdateline=crs.geographic)
