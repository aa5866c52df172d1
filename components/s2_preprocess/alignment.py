"""A prepared scene onto the grid and the position of the first scene of its series."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.windows import Window

from components.kit import Call, InputError
from components.kit.rasters import Raster, blocks, open_raster
from components.s2_preprocess.algorithm import (
    STORED_AT_ZERO,
    STORED_NODATA,
    STORED_PER_REFLECTANCE,
    decode,
    encode_dn,
)
from components.s2_preprocess.bands import parse_band
from components.s2_preprocess.coregistration import Shift, chip_shift, combine_shifts
from components.s2_preprocess.grid import crs_name, pixel_size
from components.s2_preprocess.outputs import write_classification, write_reflectance
from components.s2_preprocess.params import Parameters
from components.s2_preprocess.resampling import Plan, Resampler

# Chips of small scenes are smaller, so that there are several; they overlap by half at most, and
# are spread evenly over large scenes.
_MAX_CHIP_PX: Final = 256
_MIN_CHIP_PX: Final = 48
_CHIPS_PER_SIDE: Final = 8

_BLOCK_PX: Final = 1024
_SAME_SIZE: Final = 1e-6


def open_prepared(path: str, scene: str) -> Raster:
    """Open the reflectance of a prepared scene. Raises InputError where it is something else."""
    raster = open_raster(path)
    if raster.dtype != "uint16" or not raster.georeferenced or not all(raster.band_names):
        raster.close()
        raise InputError(f"{path} of scene {scene} was not made by the operation prepare")
    return raster


def check_comparable(reference: Raster, moving: Raster, names: tuple[str, str]) -> None:
    """Raise InputError naming both scenes where their grids or bands cannot be compared."""
    first, second = names
    ours, theirs = reference.geobox, moving.geobox
    if ours.crs != theirs.crs:
        raise InputError(
            f"scene {second} is in {crs_name(theirs)}, but scene {first}, onto which it is "
            f"aligned, in {crs_name(ours)}; prepare both with the same crs"
        )
    if abs(pixel_size(ours) - pixel_size(theirs)) > _SAME_SIZE * pixel_size(ours):
        raise InputError(
            f"scene {second} has pixels of {pixel_size(theirs):g}, but scene {first}, onto which "
            f"it is aligned, of {pixel_size(ours):g}; prepare both with the same resolution"
        )
    if reference.band_names != moving.band_names:
        raise InputError(
            f"scene {second} has bands {', '.join(moving.band_names)}, but scene {first}, onto "
            f"which it is aligned, {', '.join(reference.band_names)}"
        )
    if Resampler.between(theirs, ours).plan(ours) is None:
        raise InputError(f"scene {second} does not overlap scene {first}, onto which it is aligned")


def comparison_band(reference: Raster, scene: str, name: str) -> str:
    """Return the band of that name. Raises InputError where the scene does not have it."""
    band = parse_band(name)
    if band not in reference.band_names:
        raise InputError(
            f"scene {scene} has no band {name} to align by; it has "
            f"{', '.join(reference.band_names)} (parameter align_band)"
        )
    return band


def estimate_shift(
    reference: Raster, moving: Raster, band: str, call: Call[Parameters]
) -> Shift | None:
    """Return the shift of a scene in pixels of the reference, or None if chips do not agree."""
    index = reference.band_names.index(band) + 1
    resampler = Resampler.between(moving.geobox, reference.geobox, "bilinear")
    windows = list(_chips(reference.geobox))
    shifts = []
    for done, window in enumerate(windows):
        call.progress(done, len(windows), f"shift of {Path(moving.path).parent.name}")
        fixed = decode(reference.read_stored(window, [index])[0])
        moved = _read(moving, index, resampler, reference.geobox[window.toslices()])
        shift = chip_shift(fixed, moved, call.params.align_max_shift)
        if shift is not None:
            shifts.append(shift)
    return combine_shifts(shifts)


def write_shifted(
    moving: Raster, grid: GeoBox, shift: Shift, path: Path, call: Call[Parameters]
) -> None:
    """Write a prepared scene shifted onto `grid`; the shift is in pixels of `grid`."""
    moved = _moved(moving.geobox, grid, shift)
    resampler = Resampler.between(moved, grid, call.params.align_resampling)
    indexes = range(1, moving.count + 1)
    windows = blocks((int(grid.shape[0]), int(grid.shape[1])), _BLOCK_PX)
    with write_reflectance(path, grid, moving.band_names) as writer:
        for done, window in enumerate(windows):
            call.progress(done, len(windows), f"{path.parent.name}: shifting")
            block = grid[window.toslices()]
            stored = np.stack([_encode(_read(moving, i, resampler, block)) for i in indexes])
            stored[:, (stored == STORED_NODATA).any(axis=0)] = STORED_NODATA
            writer.write(stored, window)


def write_shifted_classification(source: str, grid: GeoBox, shift: Shift, path: Path) -> None:
    """Write the scene classification of a scene shifted onto `grid`, by nearest neighbour."""
    with open_raster(source) as raster, write_classification(path, grid) as writer:
        resampler = Resampler.between(_moved(raster.geobox, grid, shift), grid, "nearest")
        for window in blocks((int(grid.shape[0]), int(grid.shape[1])), _BLOCK_PX):
            block = grid[window.toslices()]
            plan = resampler.plan(block)
            if plan is not None:
                classes = _read_stored(raster, 1, plan)
                writer.write(resampler.resample_classes(classes, plan, block), window)


def displacement(shift: Shift, grid: GeoBox) -> tuple[float, float]:
    """Return a shift in pixels of `grid` as (east, north) in units of its CRS."""
    transform = grid.transform
    return (
        transform.a * shift.x + transform.b * shift.y,
        transform.d * shift.x + transform.e * shift.y,
    )


def _moved(moving: GeoBox, grid: GeoBox, shift: Shift) -> GeoBox:
    """Return where the pixels of a scene really lie."""
    east, north = displacement(shift, grid)
    a, b, left, d, e, top = moving.transform[:6]
    return GeoBox(moving.shape, Affine(a, b, left + east, d, e, top + north), moving.crs)


def _chips(geobox: GeoBox) -> Iterator[Window]:
    height, width = (int(side) for side in geobox.shape)
    side = min(max(min(height, width) // 8, _MIN_CHIP_PX), _MAX_CHIP_PX, height, width)
    for row in _starts(height, side):
        for column in _starts(width, side):
            yield Window(column, row, side, side)


def _starts(length: int, side: int) -> list[int]:
    count = min(_CHIPS_PER_SIDE, 1 + (length - side) // max(1, side // 2))
    return [int(start) for start in np.linspace(0, length - side, count)]


def _read(raster: Raster, index: int, resampler: Resampler, block: GeoBox) -> NDArray[np.float32]:
    """Return the reflectance (y, x) of one band on a block, NaN where no data."""
    plan = resampler.plan(block)
    if plan is None:
        return np.full(block.shape, np.nan, np.float32)
    return resampler.resample(decode(_read_stored(raster, index, plan)), plan, block)


def _read_stored(raster: Raster, index: int, plan: Plan) -> NDArray[Any]:
    values: NDArray[Any] = raster.read_stored(Window.from_slices(*plan.source), [index])[0]
    return values


def _encode(reflectance: NDArray[np.float32]) -> NDArray[np.uint16]:
    return encode_dn(
        reflectance * STORED_PER_REFLECTANCE + STORED_AT_ZERO,
        -STORED_AT_ZERO,
        STORED_PER_REFLECTANCE,
    )
