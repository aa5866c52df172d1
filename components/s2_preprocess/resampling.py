"""From one grid to another, block by block, reading no more of the source than a block needs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from odc.geo.overlap import compute_reproject_roi
from rasterio.enums import Resampling
from rasterio.warp import reproject

Method = Literal["nearest", "bilinear", "cubic", "average"]

# Grids that differ by less than this part of a pixel are the same grid.
_SAME_PX: Final = 1e-3

# How far the widest kernel, cubic, reaches, in pixels of the coarser of the two grids.
_REACH_PX: Final = 3

_METHODS: Final = {
    "nearest": Resampling.nearest,
    "bilinear": Resampling.bilinear,
    "cubic": Resampling.cubic,
    "average": Resampling.average,
}


@dataclass(frozen=True)
class Plan:
    """How a block of the target comes from the source.

    source: rows and columns to read. block: rows and columns of the block that they cover; where
    `copy`, the values go there as they are, else all is resampled.
    """

    source: tuple[slice, slice]
    block: tuple[slice, slice]
    copy: bool


@dataclass(frozen=True)
class Resampler:
    """Brings rasters of the grid `source` to blocks of the grid `target`.

    method: how. scale: how many source pixels lie along the side of a target pixel.
    """

    source: GeoBox
    target: GeoBox
    method: Method
    scale: float

    @classmethod
    def between(
        cls, source: GeoBox, target: GeoBox, method: Method | Literal["auto"] = "auto"
    ) -> Resampler:
        """Return the resampler; "auto" averages where pixels get larger, else is bilinear.

        Raises ValueError where a grid has no CRS.
        """
        if source.crs is None or target.crs is None:
            raise ValueError("a grid without CRS cannot be resampled")
        scale = float(compute_reproject_roi(source, target).scale)
        if method == "auto":
            method = "average" if scale > 1 + _SAME_PX else "bilinear"
        return cls(source, target, method, scale)

    def plan(self, block: GeoBox) -> Plan | None:
        """Return how `block` comes from the source, or None if they do not overlap."""
        info = compute_reproject_roi(self.source, block, ttol=_SAME_PX)
        source, covered = _slices(info.roi_src), _slices(info.roi_dst)
        if _is_empty(source) or _is_empty(covered):
            return None
        if info.paste_ok and info.read_shrink == 1:
            return Plan(source, covered, copy=True)
        reach = math.ceil(_REACH_PX * max(1.0, info.scale))
        return Plan(_padded(source, reach, self.source.shape), covered, copy=False)

    def resample(
        self, values: NDArray[np.float32], plan: Plan, block: GeoBox
    ) -> NDArray[np.float32]:
        """Return the values (y, x) read by a plan on the grid of the block, NaN outside.

        NaN is missing: it takes no part, and stays where nothing else takes part.
        """
        result = np.full(block.shape, np.nan, np.float32)
        if plan.copy:
            result[plan.block] = values
        else:
            self._warp(values, plan, result, block, nodata=np.nan)
        return result

    def resample_classes(
        self, classes: NDArray[np.uint8], plan: Plan, block: GeoBox
    ) -> NDArray[np.uint8]:
        """Return the classes (y, x) read by a plan on the grid of the block, 0 outside."""
        result = np.zeros(block.shape, np.uint8)
        if plan.copy:
            result[plan.block] = classes
        else:
            self._warp(classes, plan, result, block, nodata=0)
        return result

    def _warp(
        self,
        values: NDArray[Any],
        plan: Plan,
        result: NDArray[Any],
        block: GeoBox,
        *,
        nodata: float,
    ) -> None:
        # The width of the kernel is given, since GDAL would take it from the shapes of the two
        # arrays, which differ a little from block to block.
        scale = min(1.0, 1.0 / self.scale)
        reproject(
            values,
            result,
            src_transform=self.source[plan.source].transform,
            src_crs=str(self.source.crs),
            src_nodata=nodata,
            dst_transform=block.transform,
            dst_crs=str(block.crs),
            dst_nodata=nodata,
            resampling=_METHODS[self.method],
            XSCALE=scale,
            YSCALE=scale,
        )


def _slices(roi: tuple[Any, Any]) -> tuple[slice, slice]:
    rows, columns = roi
    return slice(rows.start, rows.stop), slice(columns.start, columns.stop)


def _is_empty(roi: tuple[slice, slice]) -> bool:
    return any(side.stop <= side.start for side in roi)


def _padded(roi: tuple[slice, slice], pad: int, shape: Any) -> tuple[slice, slice]:
    rows, columns = roi
    return (
        slice(max(0, rows.start - pad), min(shape[0], rows.stop + pad)),
        slice(max(0, columns.start - pad), min(shape[1], columns.stop + pad)),
    )
