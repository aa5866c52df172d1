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
from rasterio.windows import Window

from components.kit.cog import cog_writer
from components.kit.rasters import blocks
from components.s2_change.algorithm import (
    NODATA,
    ChangeLayers,
    ChangeModel,
    apply,
    drop_small_patches,
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
    """Write mask and classes without small patches, block by block with what surrounds it.

    A patch that is too small lies within its own size of each of its pixels, and so does a hole,
    so that twice that margin decides both as the whole scene would.
    """
    count = model.directions.count
    pixels = np.zeros(count + 1, dtype=np.int64)
    hectares = np.zeros(count + 1)
    margin = 2 * smallest
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
        for window in blocks(geobox.shape.yx, max(_BLOCK_PX, 4 * margin)):
            around = _grow(window, margin, geobox.shape.yx)
            core = _within(window, around)
            changed, clear = marks.read([1, 2], window=around).astype(bool)
            kept = drop_small_patches(changed, smallest, model.settings.connectivity)
            is_changed, seen = (kept & clear)[core], clear[core]
            kinds = marks.read(3, window=window)
            found = np.where(is_changed, kinds, 0).astype(np.uint8)
            pixels += np.bincount(found[seen], minlength=count + 1)
            areas = np.broadcast_to(pixel_areas_ha(geobox, window)[:, np.newaxis], found.shape)
            hectares += np.bincount(found[seen], areas[seen], count + 1)
            mask.write(np.where(seen, is_changed, NODATA).astype(np.uint8), window)
            classes.write(np.where(seen, found, NODATA).astype(np.uint8), window)
    return Totals(int(pixels.sum()), pixels, hectares)


def _grow(window: Window, margin: int, shape: tuple[int, int]) -> Window:
    """Return a window with a margin on every side, within the raster."""
    top, left = max(0, window.row_off - margin), max(0, window.col_off - margin)
    bottom = min(shape[0], window.row_off + window.height + margin)
    right = min(shape[1], window.col_off + window.width + margin)
    return Window(left, top, right - left, bottom - top)


def _within(window: Window, around: Window) -> tuple[slice, slice]:
    """Return where a window lies in a larger one."""
    top, left = window.row_off - around.row_off, window.col_off - around.col_off
    return slice(top, top + window.height), slice(left, left + window.width)


def _encode_direction(degrees: NDArray[Any]) -> NDArray[np.uint16]:
    with np.errstate(invalid="ignore"):
        stored = np.rint(degrees / DIRECTION_SCALE)
    result: NDArray[np.uint16] = np.where(np.isnan(degrees), DIRECTION_NODATA, stored).astype(
        np.uint16
    )
    return result
