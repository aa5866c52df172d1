"""Writing Cloud-Optimized GeoTIFFs block by block.

Blocks go into a tiled temporary file beside the target; overviews and the final layout are made
from it, and the result is renamed into place, so that a file under its own name is always whole.

Source: https://docs.ogc.org/is/21-026/21-026.html (OGC Cloud Optimized GeoTIFF 1.0).
"""

from __future__ import annotations

import errno
import glob
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import rasterio
import rasterio.shutil
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio._err import CPLE_BaseError  # what rasterio.shutil lets through
from rasterio.enums import ColorInterp, Resampling
from rasterio.errors import RasterioError
from rasterio.windows import Window

from components.kit.errors import StorageError, storage_error

TILE: Final = 512


class CogWriter:
    """Takes blocks of a raster; what is never written stays nodata."""

    def __init__(self, dataset: Any, path: Path) -> None:
        self._dataset = dataset
        self._path = path

    @property
    def dataset(self) -> Any:
        """The temporary rasterio dataset, open for reading back."""
        return self._dataset

    def write(self, values: NDArray[Any], window: Window | None = None) -> None:
        """Write stored values, (band, y, x) or (y, x) for one band, at a window.

        Raises TypeError where their type does not fit the file's and ValueError where their shape
        is not the window's or the window leaves the grid: GDAL would wrap and stretch them.
        """
        array = values[np.newaxis] if values.ndim == 2 else values
        dataset = self._dataset
        if not _fits(array.dtype, np.dtype(dataset.dtypes[0])):
            raise TypeError(f"{array.dtype} values do not fit a {dataset.dtypes[0]} raster")
        place = window or Window(0, 0, dataset.width, dataset.height)
        rows, columns = place.toranges()
        if array.shape != (dataset.count, place.height, place.width):
            raise ValueError(f"values of shape {array.shape} do not fit {dataset.count} x {place}")
        if min(rows[0], columns[0]) < 0 or rows[1] > dataset.height or columns[1] > dataset.width:
            raise ValueError(f"{place} leaves the grid of {dataset.shape}")
        with _writable(self._path):
            dataset.write(array, window=place)


@contextmanager
def cog_writer(
    path: Path,
    geobox: GeoBox,
    *,
    dtype: str,
    count: int = 1,
    nodata: float | None = None,
    band_names: Sequence[str] = (),
    scale: float = 1.0,
    offset: float = 0.0,
    resampling: str = "average",
    colormap: Mapping[int, tuple[int, int, int, int]] | None = None,
) -> Iterator[CogWriter]:
    """Write a COG of the geobox block by block; it appears under `path` when all is written.

    scale and offset are written into the file (physical = stored * scale + offset). resampling is
    that of the overviews: "average", or "nearest" or "mode" for classes. Raises StorageError
    naming the file where the disk is full or the folder cannot be written; nothing is left then.
    """
    name = f".{path.name}.{uuid.uuid4().hex}"
    blocks_file, cog_file = path.with_name(f"{name}.blocks.tif"), path.with_name(f"{name}.cog.tif")
    height, width = geobox.shape
    profile: dict[str, Any] = {
        "driver": "GTiff",
        "height": height,
        "width": width,
        "count": count,
        "dtype": dtype,
        "crs": geobox.crs.to_wkt() if geobox.crs is not None else None,
        "transform": geobox.transform,
        "nodata": nodata,
        "tiled": True,
        "blockxsize": TILE,
        "blockysize": TILE,
        "interleave": "pixel",
        "BIGTIFF": "IF_SAFER",
        "SPARSE_OK": "TRUE",
    }
    try:
        with _writable(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            dataset = rasterio.open(blocks_file, "w+", **profile)
        with dataset:
            _describe(dataset, band_names, scale, offset, colormap)
            yield CogWriter(dataset, path)
            # From the open dataset: closing it would drop blocks in memory that a full disk does
            # not take, without an error.
            with _writable(path):
                _make_cog(dataset, cog_file, resampling)
        with _writable(path):
            if not _is_whole(cog_file):
                raise OSError(errno.ENOSPC, "tiles are missing")
            with cog_file.open("rb+") as stream:
                os.fsync(stream.fileno())
            cog_file.replace(path)
    finally:
        for leftover in (blocks_file, cog_file):
            for file in leftover.parent.glob(f"{glob.escape(leftover.name)}*"):
                file.unlink(missing_ok=True)


def _fits(values: np.dtype[Any], stored: np.dtype[Any]) -> bool:
    """Whether storing keeps the values, but for the precision of real numbers."""
    both_real = np.issubdtype(values, np.floating) and np.issubdtype(stored, np.floating)
    return both_real or np.can_cast(values, stored, "safe")


def _describe(
    dataset: Any,
    band_names: Sequence[str],
    scale: float,
    offset: float,
    colormap: Mapping[int, tuple[int, int, int, int]] | None,
) -> None:
    for index, band in enumerate(band_names, start=1):
        dataset.set_band_description(index, band)
    if scale != 1.0 or offset != 0.0:
        dataset.scales = [scale] * dataset.count
        dataset.offsets = [offset] * dataset.count
    if colormap:
        dataset.write_colormap(1, dict(colormap))
    elif dataset.count > 1:
        dataset.colorinterp = [ColorInterp.gray] + [ColorInterp.undefined] * (dataset.count - 1)


def _make_cog(dataset: Any, target: Path, resampling: str) -> None:
    floating = np.issubdtype(np.dtype(dataset.dtypes[0]), np.floating)
    rasterio.shutil.copy(
        dataset,
        target,
        driver="COG",
        BLOCKSIZE=TILE,
        COMPRESS="DEFLATE",
        LEVEL=6,
        PREDICTOR="FLOATING_POINT" if floating else "STANDARD",
        OVERVIEW_RESAMPLING=Resampling[resampling].name.upper(),
        NUM_THREADS="ALL_CPUS",
        BIGTIFF="IF_SAFER",
    )


def _is_whole(path: Path) -> bool:
    """Whether a COG has every tile of every level inside the file, none in another's place.

    When it is closed on a full disk, GDAL drops tiles without an error.
    """
    tiles = []
    try:
        with rasterio.open(path) as dataset:
            levels = range(len(dataset.overviews(1)))
        for level in (None, *levels):
            options = {} if level is None else {"overview_level": level}
            with rasterio.open(path, **options) as dataset:
                tiles += [
                    _tile(dataset, row, column) for (row, column), _ in dataset.block_windows(1)
                ]
    except RasterioError:
        return False
    tiles.sort()
    ends = [0, *(offset + size for offset, size in tiles)]
    apart = all(end <= offset for end, (offset, _) in zip(ends, tiles, strict=False))
    return apart and all(size for _, size in tiles) and ends[-1] <= path.stat().st_size


def _tile(dataset: Any, row: int, column: int) -> tuple[int, int]:
    """Return where a tile of all bands lies in the file and its size in bytes, 0 if missing."""
    offset, size = (
        dataset.get_tag_item(f"BLOCK_{what}_{column}_{row}", "TIFF", bidx=1)
        for what in ("OFFSET", "SIZE")
    )
    return int(offset or 0), int(size or 0)


@contextmanager
def _writable(path: Path) -> Iterator[None]:
    """Turn what GDAL or the system raises while `path` is written into a StorageError."""
    try:
        yield
    except OSError as error:
        if isinstance(error, RasterioError):
            raise _gdal_failure(path, error) from error
        raise storage_error(path, error) from error
    except (RasterioError, CPLE_BaseError) as error:
        raise _gdal_failure(path, error) from error


def _gdal_failure(path: Path, error: Exception) -> StorageError:
    """Say why: GDAL's text rarely does, the folder and the disk do."""
    folder = path.parent
    if not os.access(folder, os.W_OK):
        return storage_error(path, PermissionError(errno.EACCES, "", str(folder)))
    free = shutil.disk_usage(folder).free
    return StorageError(f"cannot write {path} ({free / 1e6:.0f} MB free on its disk): {error}")
