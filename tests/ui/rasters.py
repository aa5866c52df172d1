"""A run's folder with rasters that tests know pixel by pixel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.transform import from_origin

RUN = "clean-20240101-120000-abcd"
PIXEL_M = 10.0
SIZE = 600
WEST, NORTH = 300_000.0, 5_900_040.0
CRS = "EPSG:32633"


def write_raster(
    path: Path,
    values: NDArray[Any],
    *,
    nodata: float | None = None,
    colours: dict[int, tuple[int, int, int, int]] | None = None,
    pixel_m: float = PIXEL_M,
    **options: Any,
) -> None:
    """Write bands (band, y, x), or one (y, x), as a tiled GeoTIFF with overviews."""
    bands = values if values.ndim == 3 else values[None]
    path.parent.mkdir(parents=True, exist_ok=True)
    profile = {
        "driver": "GTiff",
        "count": len(bands),
        "height": bands.shape[1],
        "width": bands.shape[2],
        "dtype": bands.dtype,
        "crs": CRS,
        "transform": from_origin(WEST, NORTH, pixel_m, pixel_m),
        "nodata": nodata,
        "tiled": True,
        "blockxsize": 256,
        "blockysize": 256,
        "compress": "deflate",
    } | options
    with rasterio.open(path, "w", **profile) as dataset:
        dataset.write(bands)
        if colours is not None:
            dataset.write_colormap(1, colours)
        if options.get("tiled", True):
            dataset.build_overviews([2, 4], rasterio.enums.Resampling.nearest)


def squares() -> NDArray[np.uint8]:
    """Classes in squares of 150 pixels: 0, 1, 2 in turns; 255, no data, in the last row of them."""
    rows, columns = np.indices((SIZE, SIZE)) // 150
    values = ((rows + columns) % 3).astype(np.uint8)
    values[rows == 3] = 255
    return values


def ramp() -> NDArray[np.float32]:
    """Values that rise from west to east, 0 to 599; NaN in the northern 100 rows."""
    values = np.tile(np.arange(SIZE, dtype=np.float32), (SIZE, 1))
    values[:100] = np.nan
    return values


def reflectance() -> NDArray[np.uint16]:
    """Four bands of constant values, 1000 to 4000; no data, 0, in the western 100 columns."""
    values = np.empty((4, SIZE, SIZE), np.uint16)
    values[:] = np.array([1000, 2000, 3000, 4000], np.uint16)[:, None, None]
    values[:, :, :100] = 0
    return values
