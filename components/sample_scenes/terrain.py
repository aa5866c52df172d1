"""Relief, the river and the lakes of the landscape."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from components.sample_scenes.noise import (
    FloatArray,
    HashArray,
    SmoothField,
    hash_integers,
    hash_unit,
    hash_units,
    named_seed,
)
from components.sample_scenes.pixels import PIXEL_M, Pixels

RIVER_HALF_WIDTH = 4.4
# Watercourses: distance from one to the next across their course, pixels; meanders: lattice
# spacing and amplitude of the noise that bends them, pixels, from the valley's sweep to the loops.
_RIVER_DISTANCE = 2600.0
_RIVER_MEANDERS = ((430.0, 120.0), (120.0, 46.0), (48.0, 11.0))
_BROOK_DISTANCE = 430.0
_BROOK_MEANDERS = ((260.0, 95.0), (75.0, 26.0), (26.0, 6.0))
# Hills: lattice spacing (pixels) and standard deviation of the height (m).
_RELIEF = ((260.0, 55.0), (90.0, 20.0), (34.0, 5.5), (13.0, 1.0))
# Lakes and ponds: spacing (pixels), how often there is one, smallest and largest radius.
_LAKES = {"lake": (900.0, 0.7, 14.0, 42.0), "pond": (320.0, 0.35, 2.0, 4.5)}


@dataclass(frozen=True)
class Disc:
    """A round feature whose outline noise makes irregular; pixels."""

    row: float
    col: float
    radius: float

    def distance(self, seed: int, pixels: Pixels, rough: float = 0.3) -> FloatArray:
        """Return the distance from the irregular outline, inside negative; float32 (y, x)."""
        distance = pixels.distance(self.row, self.col)
        for part, weight in ((0.9, rough), (0.3, 0.35 * rough)):
            field = SmoothField.named(seed, f"outline {part}", max(3.0, part * self.radius))
            distance += np.float32(weight * self.radius) * field.sample(pixels)
        distance -= np.float32(self.radius)
        return distance


@dataclass(frozen=True)
class Stream:
    """A family of winding watercourses: contour lines of a tilted plane with smooth noise on it.

    Such lines wind, never end and never cross each other.

    Args:
        seed: of the family.
        direction: (y, x), unit vector across the course.
        distance: of one watercourse from the next, pixels.
        meanders: lattice spacing and amplitude of the noise, pixels, coarse to fine.
        anchor: (row, col) through which one of them passes.
    """

    seed: int
    direction: tuple[float, float]
    distance: float
    meanders: tuple[tuple[float, float], ...]
    anchor: tuple[float, float]

    def offset(self, pixels: Pixels) -> FloatArray:
        """Return the distance from the nearest watercourse to first order; float32 (y, x)."""
        level, slope = self._plane(pixels)
        level -= np.float32(self._anchor_level)
        level -= np.float32(self.distance) * np.round(level * np.float32(1.0 / self.distance))
        np.abs(level, out=level)
        level /= slope
        return level

    @cached_property
    def _anchor_level(self) -> float:
        return float(self._plane(Pixels.at(*self.anchor))[0][0, 0])

    def _plane(self, pixels: Pixels) -> tuple[FloatArray, FloatArray]:
        """Return the plane and how steep it is (level per pixel), float32 (y, x) each."""
        along_y, along_x = self.direction
        level = np.add.outer(
            (along_y * pixels.rows).astype(np.float32), (along_x * pixels.cols).astype(np.float32)
        )
        in_y = np.full_like(level, along_y)
        in_x = np.full_like(level, along_x)
        for spacing, height in self.meanders:
            field = SmoothField.named(self.seed, f"meander {spacing}", spacing)
            level += np.float32(height) * field.sample(pixels)
            in_y += np.float32(height) * field.sample(pixels, (1, 0))
            in_x += np.float32(height) * field.sample(pixels, (0, 1))
        # The floor keeps a watercourse from swelling into a lake where the plane is flat.
        return level, np.maximum(np.hypot(in_y, in_x), np.float32(0.5))


@dataclass(frozen=True)
class Terrain:
    """Relief and water.

    Args:
        seed: of the landscape.
        centre: (row, col) through which the first river passes.
        extent: pixels from there within which the first lake lies.
    """

    seed: int
    centre: tuple[float, float]
    extent: float

    def slopes(self, pixels: Pixels) -> tuple[FloatArray, FloatArray]:
        """Return the rise of the ground in y and x, m per m, float32 (y, x) each."""
        in_y = np.zeros(pixels.shape, np.float32)
        in_x = np.zeros(pixels.shape, np.float32)
        for spacing, height in _RELIEF:
            field = SmoothField.named(self.seed, f"relief {spacing}", spacing)
            in_y += np.float32(height / PIXEL_M) * field.sample(pixels, (1, 0))
            in_x += np.float32(height / PIXEL_M) * field.sample(pixels, (0, 1))
        return in_y, in_x

    def upland(self, pixels: Pixels) -> FloatArray:
        """Return the height of the hills in standard deviations, float32 (y, x)."""
        spacing, _ = _RELIEF[0]
        return SmoothField.named(self.seed, f"relief {spacing}", spacing).sample(pixels)

    def river(self, pixels: Pixels) -> FloatArray:
        """Return the distance from the middle of the nearest river in half widths of it.

        Below 1 is water; float32 (y, x).
        """
        offset = self._rivers.offset(pixels)
        width = SmoothField.named(self.seed, "width", 70.0).sample(pixels)
        offset /= np.float32(RIVER_HALF_WIDTH) + np.clip(width, -1.8, 1.8)
        return offset

    def brooks(self, pixels: Pixels) -> FloatArray:
        """Return the distance from the nearest brook in pixels, float32 (y, x).

        Brooks run to the river.
        """
        return self._brooks.offset(pixels)

    def lakes(self, pixels: Pixels) -> NDArray[np.bool_]:
        """Return where lakes and ponds are, bool (y, x)."""
        wet = np.zeros(pixels.shape, np.bool_)
        for disc in self._discs_near(pixels):
            part = pixels.within(disc.row, disc.col, 1.8 * disc.radius)
            if wet[part].size:
                wet[part] |= disc.distance(self.seed, pixels.part(part)) < 0
        return wet

    def _discs_near(self, pixels: Pixels) -> list[Disc]:
        found = [self._first_lake]
        for name, (spacing, share, low, high) in _LAKES.items():
            y, x, words = lattice_points(named_seed(self.seed, name), spacing, pixels)
            keep = hash_units(3, words) < share
            radius = low + (high - low) * hash_units(4, words) ** 2
            found += [Disc(*each) for each in zip(y[keep], x[keep], radius[keep], strict=True)]
        return found

    @cached_property
    def _rivers(self) -> Stream:
        angle = np.pi * hash_unit(named_seed(self.seed, "course"), 0)
        direction = (float(np.cos(angle)), float(np.sin(angle)))
        seed = named_seed(self.seed, "river")
        return Stream(seed, direction, _RIVER_DISTANCE, _RIVER_MEANDERS, self.centre)

    @cached_property
    def _brooks(self) -> Stream:
        across_y, across_x = self._rivers.direction
        row, col = self.centre
        seed = named_seed(self.seed, "brook")
        anchor = (row + 140.0 * across_x, col - 140.0 * across_y)
        return Stream(seed, (across_x, -across_y), _BROOK_DISTANCE, _BROOK_MEANDERS, anchor)

    @cached_property
    def _first_lake(self) -> Disc:
        """A lake near the centre but off the river."""
        seed = named_seed(self.seed, "first lake")
        offsets = (hash_units(seed, np.arange(48)[:, None], np.arange(2)) - 0.5) * 2
        spots = np.array(self.centre) + offsets * self.extent
        distances = np.array([self.river(Pixels.at(row, col))[0, 0] for row, col in spots])
        row, col = spots[int(np.argmin(np.abs(distances - 30.0)))]
        return Disc(float(row), float(col), min(30.0, self.extent / 9))


def lattice_points(
    seed: int, spacing: float, pixels: Pixels
) -> tuple[FloatArray, FloatArray, HashArray]:
    """Return the points of a jittered lattice on and around pixels.

    Returns:
        Row, column (float32, pixels) and a random word (uint32) of each point, (point,).
    """
    cells = [
        np.arange(int(axis[0] // spacing) - 1, int(axis[-1] // spacing) + 2)
        for axis in (pixels.rows, pixels.cols)
    ]
    cell_y, cell_x = (part.ravel() for part in np.meshgrid(*cells, indexing="ij"))
    words = hash_integers(seed, cell_y, cell_x)
    y = (cell_y + 0.1 + 0.8 * hash_units(1, words)) * spacing
    x = (cell_x + 0.1 + 0.8 * hash_units(2, words)) * spacing
    return y.astype(np.float32), x.astype(np.float32), words
