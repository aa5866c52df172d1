"""Tiles of the rasters of a run, for web maps, and the values below a point.

A tile is a PNG with 256 x 256 pixels of the WebMercatorQuad grid (OGC 17-083r4). How values become
colours is part of the request, so that equal requests give equal tiles and browsers can keep them.
"""

from __future__ import annotations

import contextlib
import io
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PIL import Image
from rasterio.crs import CRS
from rasterio.errors import RasterioError
from rio_tiler.colormap import cmap
from rio_tiler.errors import RioTilerError, TileOutsideBounds

from ui.errors import UiError
from ui.raster_files import RasterNotReadableError, check_reduction, open_raster, reader_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from rasterio.io import DatasetReader

TILE_PIXELS: Final = 256
MAX_ZOOM: Final = 24
RAMPS: Final = ("viridis", "gray", "twilight", "rdbu_r", "brbg")

_MAX_PATHS: Final = 3
_MAX_BAND: Final = 1000
_COLOUR: Final = re.compile(r"(\d{1,3}):([0-9a-f]{6})")
_WGS84: Final = CRS.from_epsg(4326)


class TileRequestError(UiError):
    """A request for a tile or a value makes no sense; the text says why."""


class TileNotThereError(UiError):
    """The raster has no pixels there."""


@dataclass(frozen=True)
class TileStyle:
    """What of which rasters is shown, and how.

    paths: relative to the run's folder; one, or one for each of `bands`, which count from 1. One
    band is drawn with a colour ramp or in the colours of classes, three are red, green and blue.
    ranges: values that become the first and the last colour, for each band. gamma: exponent of
    colours is 1/gamma. classes: colours by value; others are not drawn.
    """

    paths: tuple[str, ...]
    bands: tuple[int, ...]
    ranges: tuple[tuple[float, float], ...] = ()
    ramp: str = "viridis"
    gamma: float = 1.0
    classes: Mapping[int, tuple[int, int, int]] | None = None

    def sources(self) -> list[tuple[str, list[int]]]:
        """Return each raster with the bands that are read of it at once."""
        if len(self.paths) == 1:
            return [(self.paths[0], list(self.bands))]
        return [(path, [band]) for path, band in zip(self.paths, self.bands, strict=True)]


def parse_style(query: Mapping[str, str], paths: Sequence[str]) -> TileStyle:
    """Return the style that a query asks for. Raises TileRequestError.

    bands: `3,2,1`; range: `0,3000` for all bands, or so for each, `0,1,0,2,0,3`; ramp: its name;
    gamma: a number; classes: `1:d55e00,2:0072b2`.
    """
    bands = tuple(int(n) for n in _numbers(query.get("bands", "1"), "bands"))
    if len(bands) not in (1, 3) or not all(1 <= band <= _MAX_BAND for band in bands):
        raise TileRequestError("bands: one or three numbers from 1 on")
    if not paths or len(paths) not in (1, len(bands)) or len(paths) > _MAX_PATHS:
        raise TileRequestError("path: one, or one for each band")
    limits = _numbers(query["range"], "range") if "range" in query else []
    if len(limits) not in (0, 2, 2 * len(bands)):
        raise TileRequestError("range: the lowest and the highest value")
    pairs = tuple(zip(limits[::2], limits[1::2], strict=True))
    ramp = query.get("ramp", "viridis")
    if ramp not in RAMPS:
        raise TileRequestError(f"ramp: one of {', '.join(RAMPS)}")
    gamma = _numbers(query.get("gamma", "1"), "gamma")[0]
    if not 0.1 <= gamma <= 10:
        raise TileRequestError("gamma: from 0.1 to 10")
    classes = _classes(query["classes"]) if "classes" in query else None
    if classes is not None and len(bands) != 1:
        raise TileRequestError("classes: of one band")
    if len(pairs) == 1:
        pairs *= len(bands)
    return TileStyle(tuple(paths), bands, pairs, ramp, gamma, classes)


def _numbers(text: str, name: str) -> list[float]:
    try:
        numbers = [float(part) for part in text.split(",", 8)]
    except ValueError:
        raise TileRequestError(f"{name}: numbers, separated by commas") from None
    if not all(math.isfinite(number) and abs(number) < 1e30 for number in numbers):
        raise TileRequestError(f"{name}: numbers, separated by commas")
    return numbers


def _classes(text: str) -> dict[int, tuple[int, int, int]]:
    colours = {}
    for part in text.split(",", 256) if text else ():
        match = _COLOUR.fullmatch(part)
        if match is None or int(match[1]) > 255:
            raise TileRequestError("classes: a value from 0 to 255, a colon and a colour, rrggbb")
        red, green, blue = bytes.fromhex(match[2])
        colours[int(match[1])] = (red, green, blue)
    return colours


def render_tile(folder: Path, style: TileStyle, zoom: int, x: int, y: int) -> bytes:
    """Return a tile as PNG; what has no data is transparent.

    folder: of the run. Raises TileRequestError for places that no grid has, TileNotThereError
    outside of the rasters, and RasterNotReadableError.
    """
    if not 0 <= zoom <= MAX_ZOOM or not 0 <= x < 2**zoom or not 0 <= y < 2**zoom:
        raise TileRequestError(f"there is no tile {zoom}/{x}/{y}")
    parts = [
        _read_tile(folder, path, bands, (zoom, x, y), is_classes=style.classes is not None)
        for path, bands in style.sources()
    ]
    values = np.ma.masked_array(
        np.concatenate([part.data for part in parts]),
        np.concatenate([np.ma.getmaskarray(part) for part in parts]),
    )
    return _encode(colours_of(values, style))


def _read_tile(
    folder: Path, path: str, bands: list[int], place: tuple[int, int, int], *, is_classes: bool
) -> NDArray[Any]:
    """Return bands of a tile (band, y, x), masked where there are no data."""
    zoom, x, y = place
    resampling: Any = "nearest" if is_classes else "bilinear"
    with open_raster(folder, path) as dataset, _faults(path):
        _check_bands(dataset, bands, path)
        # GDAL warps from the overview that fits; without one it reads all that the tile covers.
        with reader_of(dataset) as reader:
            if not reader.tile_exists(x, y, zoom):
                raise TileNotThereError(f"{path} has no pixels in the tile {zoom}/{x}/{y}")
            check_reduction(dataset, _covered_pixels(dataset, reader.maxzoom - zoom), path)
            image = reader.tile(
                x,
                y,
                zoom,
                tilesize=TILE_PIXELS,
                indexes=bands,
                resampling_method=resampling,
                reproject_method=resampling,
            )
    return image.array if is_classes else np.ma.masked_invalid(image.array)


def _covered_pixels(dataset: DatasetReader, zooms: int) -> float:
    """Return how many pixels a tile holds at most that is so many zooms above the finest."""
    side = TILE_PIXELS * 2.0 ** max(0, zooms)
    return min(side, float(dataset.width)) * min(side, float(dataset.height))


def colours_of(values: NDArray[Any], style: TileStyle) -> NDArray[np.uint8]:
    """Return the colours (y, x, 4) of values (band, y, x): red, green, blue and alpha."""
    seen = ~np.ma.getmaskarray(values).any(axis=0)
    plain = values.filled(0) if np.ma.isMaskedArray(values) else values
    table = np.zeros((256, 4), np.uint8)
    if style.classes is not None:
        for value, colour in style.classes.items():
            table[value] = (*colour, 255)
        inside = (plain[0] >= 0) & (plain[0] <= 255)
        pixels = table[np.where(inside, plain[0], 0).astype(np.uint8)]
        pixels[~(seen & inside)] = 0
        return pixels
    ranges = style.ranges or tuple(_own_range(band) for band in values)
    scaled = np.stack(
        [_scale(band, *limits, style.gamma) for band, limits in zip(plain, ranges, strict=True)]
    )
    if len(scaled) == 1:
        pixels = ramp_colours(style.ramp)[scaled[0]]
    else:
        pixels = np.dstack([*scaled, np.full(seen.shape, 255, np.uint8)])
    pixels[~seen] = 0
    return pixels


def ramp_colours(name: str) -> NDArray[np.uint8]:
    """Return the 256 colours (256, 4) of a ramp."""
    return np.array([rgba for _, rgba in sorted(dict(cmap.get(name)).items())], np.uint8)


def _scale(band: NDArray[Any], low: float, high: float, gamma: float) -> NDArray[np.uint8]:
    share = (band.astype(np.float32) - low) / max(high - low, 1e-12)
    share = np.clip(np.nan_to_num(share), 0, 1)
    if gamma != 1:
        share = share ** (1 / gamma)
    return np.asarray(np.rint(share * 255), np.uint8)


def _own_range(band: NDArray[Any]) -> tuple[float, float]:
    """Return the range of the type of whole numbers, or that of the values there are."""
    if band.dtype == np.uint8:
        return 0.0, 255.0
    if np.ma.getmaskarray(band).all():
        return 0.0, 1.0
    return float(band.min()), float(band.max())


def _encode(pixels: NDArray[np.uint8]) -> bytes:
    content = io.BytesIO()
    # Level 1 takes a third of the time, for a tenth more bytes.
    Image.fromarray(pixels, "RGBA").save(content, "PNG", compress_level=1)
    return content.getvalue()


def read_values(
    folder: Path, path: str, bands: Sequence[int], longitude: float, latitude: float
) -> list[float | None]:
    """Return the values of a raster at a point, as they are stored; None where it has none.

    Raises TileRequestError, and RasterNotReadableError.
    """
    if not (-180 <= longitude <= 180 and -90 <= latitude <= 90):
        raise TileRequestError("lon and lat: degrees")
    with open_raster(folder, path) as dataset, _faults(path):
        _check_bands(dataset, bands, path)
        with reader_of(dataset) as reader:
            try:
                point = reader.point(longitude, latitude, coord_crs=_WGS84, indexes=list(bands))
            except RioTilerError:  # outside
                return [None] * len(bands)
    values = np.ma.masked_invalid(point.array)
    return [None if value is np.ma.masked else float(value) for value in values]


@contextlib.contextmanager
def _faults(path: str) -> Iterator[None]:
    """Tell what the libraries raise as what it means."""
    try:
        yield
    except TileOutsideBounds as error:
        raise TileNotThereError(f"{path} has no pixels there") from error
    except (RioTilerError, RasterioError) as error:
        raise RasterNotReadableError(f"{path} cannot be read; it may be damaged") from error


def _check_bands(dataset: DatasetReader, bands: Sequence[int], path: str) -> None:
    if max(bands) > dataset.count:
        raise TileRequestError(f"{path} has {dataset.count} bands only")
