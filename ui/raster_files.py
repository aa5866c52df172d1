"""Rasters in the folder of a run, opened with care: components of others may have written them.

Only GeoTIFF and JPEG 2000 are read, by their first bytes: formats that refer to other files, such
as VRT, would lead out of the folder. Neither does GDAL look for files beside the raster.
"""

from __future__ import annotations

import contextlib
import math
import os
import threading
import warnings
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import rasterio
from rasterio.enums import Resampling
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rio_tiler.errors import NoOverviewWarning
from rio_tiler.io import Reader

from orchestrator.service.errors import FileNotServedError
from orchestrator.service.files import open_file
from ui.errors import UiError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from rasterio.io import DatasetReader

_SIGNATURES: Final = {
    b"II*\0": "GTiff",
    b"MM\0*": "GTiff",
    b"II+\0": "GTiff",
    b"MM\0+": "GTiff",
    b"\0\0\0\x0cjP  ": "JP2OpenJPEG",
    b"\xff\x4f\xff\x51": "JP2OpenJPEG",
}
_GDAL: Final = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_PAM_ENABLED": "NO",
    "GDAL_NUM_THREADS": "1",
    "GDAL_CACHEMAX": 128 * 1024 * 1024,
}

BLOCK_BYTES: Final = 128 * 1024 * 1024
"""A block is decoded as a whole; larger ones are refused."""

UNREDUCED_PIXELS: Final = 4096 * 4096
"""Pixels that may be read at once where a raster has no overviews."""


class RasterNotReadableError(UiError):
    """A raster is not there, is damaged, or is not made for maps."""


@contextlib.contextmanager
def open_raster(folder: Path, path: str) -> Iterator[DatasetReader]:
    """Open a raster within a `with` statement. Raises RasterNotReadableError.

    folder: of the run. path: relative to it.
    """
    try:
        with open_file(folder, path) as file, rasterio.Env(**_GDAL):
            driver = _driver_of(file.read(8), path)
            # By its descriptor: what was checked is what is read.
            with rasterio.open(f"/dev/fd/{file.fileno()}", driver=driver) as dataset:
                _check(dataset, path)
                yield dataset
    except FileNotServedError as error:
        raise RasterNotReadableError(str(error)) from error
    except NotGeoreferencedWarning as error:  # where warnings are errors
        raise _unplaced(path) from error
    except (RasterioError, OSError) as error:
        raise RasterNotReadableError(f"{path} cannot be read; it may be damaged") from error


def _unplaced(path: str) -> RasterNotReadableError:
    return RasterNotReadableError(f"{path} does not say where on Earth it lies")


def _driver_of(start: bytes, path: str) -> str:
    for signature, driver in _SIGNATURES.items():
        if start.startswith(signature):
            return driver
    raise RasterNotReadableError(f"{path} is neither a GeoTIFF nor a JPEG 2000 file")


def _check(dataset: DatasetReader, path: str) -> None:
    if dataset.crs is None or dataset.transform.is_identity:
        raise _unplaced(path)
    sizes = [np.dtype(name).itemsize for name in dataset.dtypes]
    # Where pixels are interleaved, a block holds all bands.
    together = sum(sizes) if dataset.interleaving is not None else max(sizes)
    if any(rows * columns * together > BLOCK_BYTES for rows, columns in dataset.block_shapes):
        raise RasterNotReadableError(
            f"{path} has blocks of more than {BLOCK_BYTES // 1024**2} MiB; write it as a COG"
        )


_WARNINGS: Final = threading.Lock()
"""Filters of warnings belong to the process, not to a thread."""


def reader_of(dataset: DatasetReader) -> Reader:
    """Return a reader of tiles and points; that there are no overviews is checked here."""
    with _WARNINGS, warnings.catch_warnings():
        warnings.simplefilter("ignore", NoOverviewWarning)
        return Reader(None, dataset=dataset)


def check_reduction(dataset: DatasetReader, pixels: float, path: str) -> None:
    """Refuse to read `pixels` of a raster, in full resolution, at once without overviews."""
    if pixels > UNREDUCED_PIXELS and not dataset.overviews(1):
        raise RasterNotReadableError(
            f"{path} has no overviews, and can be seen from nearer only; write it as a COG"
        )


def read_sample(
    dataset: DatasetReader, bands: Sequence[int], *, longest: int, path: str
) -> NDArray[Any]:
    """Return bands (band, y, x) as a masked array with at most `longest` pixels a side.

    Read from overviews, where there are some; every n-th pixel, so that classes stay classes.
    Values that are not finite are masked. Raises RasterNotReadableError.
    """
    check_reduction(dataset, float(dataset.width) * dataset.height, path)
    factor = max(1.0, max(dataset.width, dataset.height) / longest)
    shape = (
        len(bands),
        max(1, math.floor(dataset.height / factor)),
        max(1, math.floor(dataset.width / factor)),
    )
    try:
        values: NDArray[Any] = dataset.read(
            list(bands), out_shape=shape, masked=True, resampling=Resampling.nearest
        )
    except (RasterioError, OSError, IndexError) as error:
        raise RasterNotReadableError(f"{path} cannot be read; it may be damaged") from error
    if np.issubdtype(values.dtype, np.floating):
        return np.ma.array(np.ma.masked_invalid(values))
    return values


def version_of(folder: Path, path: str) -> str:
    """Return what changes when a file of a run does. Raises RasterNotReadableError."""
    try:
        with open_file(folder, path) as file:
            status = os.fstat(file.fileno())
    except FileNotServedError as error:
        raise RasterNotReadableError(str(error)) from error
    return f"{status.st_mtime_ns:x}-{status.st_size:x}"
