"""The layers of one pair, computed and written block by block in one pass."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import rasterio
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.features import sieve
from rasterio.windows import Window

from components.kit.cog import cog_writer
from components.kit.rasters import blocks
from components.s2_change.algorithm import (
    NODATA,
    ChangeLayers,
    ChangeModel,
    apply,
)
from components.s2_change.pair import Pair
from components.s2_change.patches import pixel_areas_ha

DIRECTION_SCALE: Final = 0.01
DIRECTION_NODATA: Final = 65535
_BLOCK_PX: Final = 1024

# No change, then the kinds of change: colours that most people can tell apart (Okabe and Ito).
COLOURS: Final = (
    (213, 94, 0),
    (0, 114, 178),
    (0, 158, 115),
    (240, 228, 66),
    (204, 121, 167),
    (86, 180, 233),
    (230, 159, 0),
    (0, 0, 0),
)

Progress = Callable[[float, float, str], None]


@dataclass(frozen=True)
class Paths:
    """The files of one change."""

    folder: Path

    @property
    def magnitude(self) -> Path:
        """float32, in the unit of the method, NaN nodata."""
        return self.folder / "magnitude.tif"

    @property
    def direction(self) -> Path:
        """uint16, hundredths of a degree, 65535 nodata."""
        return self.folder / "direction.tif"

    @property
    def marks(self) -> Path:
        """Changed before the smallest patch, seen, and kind of every pixel; removed at the end."""
        return self.folder / ".marks.tif"

    @property
    def mask(self) -> Path:
        """uint8: 0 no change, 1 change, 255 nodata."""
        return self.folder / "mask.tif"

    @property
    def classes(self) -> Path:
        """uint8: 0 no change, 1..K kind of change, 255 nodata."""
        return self.folder / "classes.tif"


@dataclass(frozen=True)
class Totals:
    """What was found in a scene: hectares seen, and per class 0..K; pixels likewise."""

    seen_pixels: int
    pixels: NDArray[np.int64]
    hectares: NDArray[np.float64]


def write_layers(
    pair: Pair, model: ChangeModel, paths: Paths, smallest: int, progress: Progress
) -> Totals:
    """Write all layers of a pair and return what was found.

    smallest: patches, and holes in patches, of fewer pixels are dropped.
    """
    try:
        _write_measures(pair, model, paths, progress)
        return _write_classes(pair.geobox, model, paths, smallest)
    finally:
        paths.marks.unlink(missing_ok=True)


def _write_measures(pair: Pair, model: ChangeModel, paths: Paths, progress: Progress) -> None:
    """Write magnitude and direction, and what is changed, seen and of which kind.

    While one block is written the next is read and computed.
    """
    geobox = pair.geobox
    windows = blocks(geobox.shape.yx, _BLOCK_PX)

    def compute(window: Window) -> ChangeLayers:
        return apply(model, *pair.read(window))

    with ExitStack() as stack:
        magnitude = stack.enter_context(
            cog_writer(paths.magnitude, geobox, dtype="float32", nodata=float("nan"))
        )
        direction = stack.enter_context(
            cog_writer(
                paths.direction,
                geobox,
                dtype="uint16",
                nodata=DIRECTION_NODATA,
                scale=DIRECTION_SCALE,
                resampling="nearest",
            )
        )
        profile = magnitude.dataset.profile | {"dtype": "uint8", "count": 3, "nodata": None}
        marks = stack.enter_context(
            rasterio.open(paths.marks, "w", **profile | {"interleave": "band"})
        )
        executor = stack.enter_context(ThreadPoolExecutor(1, thread_name_prefix="change"))
        following: Future[ChangeLayers] | None = executor.submit(compute, windows[0])
        for number, window in enumerate(windows, start=1):
            assert following is not None  # noqa: S101 - there is one for every window
            layers = following.result()
            following = executor.submit(compute, windows[number]) if number < len(windows) else None
            magnitude.write(layers.magnitude.astype(np.float32), window)
            direction.write(_encode_direction(layers.direction), window)
            marks.write(
                np.stack([layers.changed, layers.clear, layers.kinds]).astype(np.uint8),
                window=window,
            )
            progress(number, len(windows), "comparing")


def _write_classes(geobox: GeoBox, model: ChangeModel, paths: Paths, smallest: int) -> Totals:
    """Write mask and classes without small patches, and return what they hold.

    The sieve of GDAL sees the whole scene, as one byte per pixel: no patch is cut by a block.
    """
    count = model.directions.count
    pixels = np.zeros(count + 1, dtype=np.int64)
    hectares = np.zeros(count + 1)
    colours = {number: (*COLOURS[number - 1], 255) for number in range(1, count + 1)}
    with ExitStack() as stack:
        marks = stack.enter_context(rasterio.open(paths.marks))
        mask = stack.enter_context(
            cog_writer(
                paths.mask,
                geobox,
                dtype="uint8",
                nodata=NODATA,
                resampling="mode",
                colormap={0: (0, 0, 0, 0), 1: (213, 94, 0, 255)},
            )
        )
        classes = stack.enter_context(
            cog_writer(
                paths.classes,
                geobox,
                dtype="uint8",
                nodata=NODATA,
                resampling="mode",
                colormap={0: (0, 0, 0, 0)} | colours,
            )
        )
        kept = sieve(
            rasterio.band(marks, 1), max(1, smallest), connectivity=model.settings.connectivity
        )
        for window in blocks(geobox.shape.yx, _BLOCK_PX):
            seen = marks.read(2, window=window).astype(bool)
            is_changed = (kept[window.toslices()] > 0) & seen
            kinds = marks.read(3, window=window)
            found = np.where(is_changed, kinds, 0).astype(np.uint8)
            pixels += np.bincount(found[seen], minlength=count + 1)
            areas = np.broadcast_to(pixel_areas_ha(geobox, window)[:, np.newaxis], found.shape)
            hectares += np.bincount(found[seen], areas[seen], count + 1)
            mask.write(np.where(seen, is_changed, NODATA).astype(np.uint8), window)
            classes.write(np.where(seen, found, NODATA).astype(np.uint8), window)
    return Totals(int(pixels.sum()), pixels, hectares)


def _encode_direction(degrees: NDArray[Any]) -> NDArray[np.uint16]:
    with np.errstate(invalid="ignore"):
        stored = np.rint(degrees / DIRECTION_SCALE)
    result: NDArray[np.uint16] = np.where(np.isnan(degrees), DIRECTION_NODATA, stored).astype(
        np.uint16
    )
    return result
