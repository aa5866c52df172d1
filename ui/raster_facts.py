"""What a raster of a run is, and which values it has, from a bounded look at it."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from rasterio.crs import CRS
from rasterio.enums import ColorInterp
from rasterio.errors import RasterioError
from rio_tiler.errors import RioTilerError

from ui.raster_files import RasterNotReadableError, open_raster, read_sample, reader_of, version_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

SAMPLE_PIXELS: Final = 512
"""Pixels a side of what is looked at."""

_KEPT: Final = 256
_WGS84: Final = CRS.from_epsg(4326)


@dataclass(frozen=True)
class RasterFacts:
    """A raster as its file describes it.

    bounds: west, south, east, north in degrees. max_zoom: of the web map at which a pixel is about
    a pixel. palette: colours by value, without those that are transparent. scales, offsets: from
    stored to physical values, one per band. names: of the bands, as far as they have some. crs: its
    code, such as EPSG:32633.
    """

    version: str
    bounds: tuple[float, float, float, float]
    width: int
    height: int
    count: int
    data_type: str
    max_zoom: int
    palette: Mapping[int, tuple[int, int, int]] | None
    scales: tuple[float, ...]
    offsets: tuple[float, ...]
    names: tuple[str, ...]
    crs: str


def raster_facts(folder: Path, path: str) -> RasterFacts:
    """Return what a raster is; remembered until the file changes. Raises RasterNotReadableError."""
    return _facts(folder, path, version_of(folder, path))


def sample_values(folder: Path, path: str, band: int) -> NDArray[Any]:
    """Return the values of a sample of a band, as stored and without those that have no data.

    Remembered until the file changes. Raises RasterNotReadableError.
    """
    return _values(folder, path, band, version_of(folder, path))


@functools.lru_cache(maxsize=_KEPT)
def _facts(folder: Path, path: str, version: str) -> RasterFacts:
    try:
        with open_raster(folder, path) as dataset, reader_of(dataset) as reader:
            west, south, east, north = reader.get_geographic_bounds(_WGS84)
            palette = None
            if dataset.colorinterp[0] is ColorInterp.palette:
                colours = dataset.colormap(1).items()
                palette = {value: rgba[:3] for value, rgba in colours if rgba[3] > 0}
            return RasterFacts(
                version=version,
                bounds=(west, south, east, north),
                width=dataset.width,
                height=dataset.height,
                count=dataset.count,
                data_type=dataset.dtypes[0],
                max_zoom=int(reader.maxzoom),
                palette=palette,
                scales=tuple(dataset.scales),
                offsets=tuple(dataset.offsets),
                names=tuple(str(name or "") for name in dataset.descriptions),
                crs=str(dataset.crs),
            )
    except (RioTilerError, RasterioError, ValueError) as error:
        raise RasterNotReadableError(f"{path} cannot be shown on a map: {error}") from error


@functools.lru_cache(maxsize=64)
def _values(folder: Path, path: str, band: int, version: str) -> NDArray[Any]:
    del version  # part of the key only
    with open_raster(folder, path) as dataset:
        sample = read_sample(dataset, [band], longest=SAMPLE_PIXELS, path=path)
    values: NDArray[Any] = np.ma.masked_array(sample).compressed()
    values.flags.writeable = False
    return values
