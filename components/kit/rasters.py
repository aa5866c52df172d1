"""Reading rasters: geoboxes, blocks, and the one policy for input that cannot be read.

A geobox is `odc.geo.geobox.GeoBox`. Arrays are (band, y, x). Only formats on `DRIVERS` are opened:
others (VRT, HDF5) may refer to files beside them, which an untrusted raster must not.
"""

from __future__ import annotations

import json
import os
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
import rasterio
from numpy.typing import NDArray
from odc.geo import Shape2d
from odc.geo.geobox import GeoBox
from rasterio._err import CPLE_BaseError  # what some of rasterio lets through
from rasterio.env import ensure_env
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import DatasetReader
from rasterio.windows import Window

from components.kit.documents import PASSING_STATUSES, display_url
from components.kit.errors import InputError, MissingDataError, TemporaryError
from components.kit.storage import Storage
from protos.common.v1.item_pb2 import Asset, Band

DRIVERS: Final = ("GTiff", "JP2OpenJPEG", "PNG", "JPEG")

COG_MEDIA_TYPE: Final = "image/tiff; application=geotiff; profile=cloud-optimized"

# Defaults for reading over a network; whoever starts the process may say otherwise.
# https://gdal.org/en/stable/user/configoptions.html
for _name, _value in {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_HTTP_TIMEOUT": "60",
    "GDAL_HTTP_CONNECTTIMEOUT": "10",
    "GDAL_HTTP_MAX_RETRY": "3",
    "GDAL_HTTP_RETRY_DELAY": "1",
    "GDAL_CACHEMAX": "256",
}.items():
    os.environ.setdefault(_name, _value)

# Nobody may say otherwise here: with several threads GDAL 3.10 decodes a truncated JPEG 2000 file
# to zeros and reports no error. Writing a COG asks for its threads itself.
os.environ["GDAL_NUM_THREADS"] = "1"

# A raster without georeferencing is no fault; `Raster.georeferenced` tells.
warnings.filterwarnings("ignore", category=NotGeoreferencedWarning)


class Raster:
    """An open raster; use it in a `with`. Not safe for use by several threads at once.

    path: as given. geobox: its grid; identity and without CRS where the file has none.
    count, dtype: as stored. nodata: of the first band, from the item or else the file.
    """

    def __init__(self, path: str, dataset: Any, bands: Sequence[Band] = ()) -> None:
        self.path = path
        self._dataset = dataset
        self.geobox = GeoBox(dataset.shape, dataset.transform, dataset.crs)
        self.count: int = dataset.count
        self.dtype: str = dataset.dtypes[0]
        self._encodings = [
            _encoding(band, dataset, index)
            for index, band in enumerate(_match_bands(path, bands, self.count))
        ]
        self.nodata = self._encodings[0].nodata

    @property
    def band_names(self) -> tuple[str, ...]:
        """The description of each band, in order; empty where there is none."""
        return tuple(name or "" for name in self._dataset.descriptions)

    @property
    def georeferenced(self) -> bool:
        """Whether the file itself says where it lies."""
        return self._dataset.crs is not None

    @property
    def dataset(self) -> Any:
        """The rasterio dataset, for warping and masks."""
        return self._dataset

    def read(
        self, window: Window | None = None, indexes: Sequence[int] | None = None
    ) -> NDArray[np.float32]:
        """Return physical values (band, y, x) as float32, NaN where nodata.

        `indexes` are 1-based band numbers; all bands by default.
        """
        chosen = self._chosen(indexes)
        return self._physical(self.read_stored(window, chosen), chosen)

    def read_stored(
        self, window: Window | None = None, indexes: Sequence[int] | None = None
    ) -> NDArray[Any]:
        """Return the values (band, y, x) as stored."""
        with readable(self.path):
            values: NDArray[Any] = self._dataset.read(self._chosen(indexes), window=window)
        return values

    def overview(
        self, size: int = 1000, indexes: Sequence[int] | None = None
    ) -> NDArray[np.float32]:
        """Return physical values decimated so that the longer side has at most `size` pixels."""
        chosen = self._chosen(indexes)
        factor = max(1.0, max(self._dataset.shape) / size)
        shape = tuple(max(1, round(side / factor)) for side in self._dataset.shape)
        with readable(self.path):
            stored = self._dataset.read(chosen, out_shape=(len(chosen), *shape))
        return self._physical(stored, chosen)

    def _chosen(self, indexes: Sequence[int] | None) -> list[int]:
        return list(indexes) if indexes is not None else list(range(1, self.count + 1))

    def _physical(self, stored: NDArray[Any], indexes: Sequence[int]) -> NDArray[np.float32]:
        if np.iscomplexobj(stored):
            raise InputError(f"{_display(self.path)} is complex; it has no single physical value")
        with np.errstate(over="ignore"):  # a nodata value may be beyond float32
            values: NDArray[np.float32] = stored.astype(np.float32)
        for position, index in enumerate(indexes):
            encoding = self._encodings[index - 1]
            if encoding.scale != 1.0:
                values[position] *= np.float32(encoding.scale)
            if encoding.offset != 0.0:
                values[position] += np.float32(encoding.offset)
            if encoding.nodata is not None and _holds(stored.dtype, encoding.nodata):
                missing = stored[position] == stored.dtype.type(encoding.nodata)
                values[position][missing] = np.nan
        return values

    def close(self) -> None:
        """Close the file."""
        self._dataset.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def open_raster(path: str, *, bands: Sequence[Band] = ()) -> Raster:
    """Open what `Storage.resolve` returned.

    Scale, offset and nodata of the item's `bands` overrule the file's own, where they say any; a
    single band without a name speaks for all. Raises MissingDataError naming the file if it is
    missing, damaged or of no known format, InputError where `bands` are not those of the file,
    and TemporaryError where the network fails.
    """
    if not path.startswith("/vsi") and not os.path.isfile(path):  # noqa: PTH113 - never raises
        there = os.path.exists(path)  # noqa: PTH110
        raise MissingDataError(f"{path} is not a file" if there else f"{path} does not exist")
    with readable(path):
        return Raster(path, _open_dataset(path), bands)


def _open_dataset(path: str) -> Any:
    # rasterio.open takes one driver only; the reader itself takes the whole list.
    ensured: Any = ensure_env(DatasetReader)
    return ensured(path, driver=list(DRIVERS))


@dataclass(frozen=True)
class _Encoding:
    """physical = stored * scale + offset, except where stored is nodata."""

    scale: float
    offset: float
    nodata: float | None


def _encoding(band: Band, dataset: Any, index: int) -> _Encoding:
    stated = bool(band.scale or band.offset)
    try:
        nodata = float(band.nodata) if band.nodata else dataset.nodatavals[index]
    except ValueError as error:
        raise InputError(f"band {band.name!r}: nodata {band.nodata!r} is not a number") from error
    return _Encoding(
        scale=(band.scale or 1.0) if stated else dataset.scales[index],
        offset=band.offset if stated else dataset.offsets[index],
        nodata=nodata,
    )


def _match_bands(path: str, bands: Sequence[Band], count: int) -> list[Band]:
    """Return a Band for each band of the file."""
    if not bands:
        return [Band()] * count
    if len(bands) == 1 and not bands[0].name:
        return [bands[0]] * count
    if len(bands) != count:
        raise InputError(
            f"{_display(path)} has {count} bands, its item describes {len(bands)}; "
            "correct the bands of the asset"
        )
    return list(bands)


def _holds(dtype: np.dtype[Any], value: float) -> bool:
    """Whether pixels of this type can have this value, other than as NaN."""
    if np.isnan(value):
        return False
    if np.issubdtype(dtype, np.integer):
        limits = np.iinfo(dtype)
        return value.is_integer() and limits.min <= value <= limits.max
    return bool(np.isinf(value) or abs(value) <= np.finfo(dtype).max)


@contextmanager
def readable(path: str) -> Iterator[None]:
    """Turn what GDAL raises while `path` is opened or read into an error for the user."""
    try:
        with rasterio.Env():  # GDAL's own messages go to the log, not to standard error
            yield
    except (RasterioError, CPLE_BaseError) as error:
        name = _display(path)
        cause = _cause(error).replace(path, name)
        if "/vsicurl/" in path or "/vsis3/" in path:
            raise _network_error(name, cause) from error
        raise MissingDataError(
            f"{name} cannot be read; it is truncated, damaged or not a raster ({cause}); "
            "fetch it again"
        ) from error


def _network_error(name: str, cause: str) -> MissingDataError | TemporaryError:
    """Say whether it helps to try again."""
    status = re.search(r"HTTP response code(?: on \S+)?: (\d{3})", cause)
    code = int(status.group(1)) if status else 0
    if code == 404 or "does not exist" in cause:
        return MissingDataError(f"{name} does not exist")
    if "not recognized as being in a supported file format" in cause:
        return MissingDataError(f"{name} is damaged or not a raster ({cause})")
    if 400 <= code < 500 and code not in PASSING_STATUSES:
        return MissingDataError(f"{name} is refused ({code})")
    return TemporaryError(f"{name} cannot be read: {cause}")


def blocks(shape: tuple[int, int] | Shape2d, size: int = 1024) -> list[Window]:
    """Return the windows of at most size x size that cover `shape` (y, x), row by row."""
    height, width = shape
    return [
        Window(column, row, min(size, width - column), min(size, height - row))
        for row in range(0, height, size)
        for column in range(0, width, size)
    ]


def raster_asset(
    key: str,
    path: Path,
    storage: Storage,
    *,
    geobox: GeoBox,
    bands: Sequence[Band],
    roles: Sequence[str] = ("data",),
    title: str = "",
) -> Asset:
    """Return the asset for a COG in the shared folder, with its grid (STAC projection)."""
    grid: dict[str, object] = {
        "proj:shape": list(geobox.shape),
        "proj:transform": [round(value, 12) for value in geobox.transform[:6]],
    }
    if geobox.crs is not None:
        epsg = geobox.crs.to_epsg()
        grid["proj:code"] = f"EPSG:{epsg}" if epsg else None
        if not epsg:
            grid["proj:wkt2"] = geobox.crs.to_wkt()
    return Asset(
        key=key,
        href=storage.href(path),
        media_type=COG_MEDIA_TYPE,
        title=title,
        roles=list(roles),
        bands=list(bands),
        properties=json.dumps(grid),
    )


def _cause(error: BaseException) -> str:
    """Return GDAL's own words: the deepest cause says most."""
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error).strip().rstrip(".")


def _display(path: str) -> str:
    """Return the path for a message: the URL that the user knows, without credentials."""
    if path.startswith("/vsis3/"):
        return "s3://" + path.removeprefix("/vsis3/")
    return display_url(path.removeprefix("/vsicurl/")) if path.startswith("/vsicurl/") else path
