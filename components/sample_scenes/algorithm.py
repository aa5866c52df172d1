"""Renders simulated Sentinel-2 Level-2A scenes of one landscape, block by block.

What covers the ground -> its reflectance in the season's light -> shadows, air and clouds ->
pixels of each band, with noise, as stored integers.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from components.sample_scenes.bands import BANDS, BandName
from components.sample_scenes.changes import Change, ChangeKind, apply_changes, truth
from components.sample_scenes.landscape import Landscape
from components.sample_scenes.noise import FloatArray, named_seed
from components.sample_scenes.pixels import Pixels
from components.sample_scenes.placing import place_changes
from components.sample_scenes.sensor import Sensor, halve
from components.sample_scenes.sky import Sky, Sun, veil
from components.sample_scenes.spectra import WATER, ReflectanceTable, reflectance_table
from components.sample_scenes.surface import HALO, Surface

# Pixels of 10 m per side of a block. Noise is drawn per block, so this is part of the result.
BLOCK = 512
# The edge of the swath runs this much to the west per pixel to the south.
_SWATH_SLANT = 0.21
# The classification needs these whether or not they are delivered.
_CLASSIFIED: tuple[BandName, ...] = ("B04", "B08")


@dataclass(frozen=True)
class Block:
    """A rendered block.

    Attributes:
        row: first row of the block, pixels of 10 m.
        col: first column.
        bands: stored values per band at the band's own pixel size, uint16 (y, x); 0 is nodata.
        scl: scene classification at 20 m, uint8 (y, x); 0 is nodata.
        truth: codes of what changed since the date before, uint8 (y, x) at 10 m; see
            `components.sample_scenes.changes.CODES`. Clouds do not hide it.
    """

    row: int
    col: int
    bands: dict[BandName, NDArray[np.uint16]]
    scl: NDArray[np.uint8]
    truth: NDArray[np.uint8]


@dataclass(frozen=True)
class Series:
    """Scenes of one landscape on several dates.

    Args:
        seed: all of it follows from this; 0 to 2**32 - 1.
        size: pixels of 10 m per side, even.
        days: dates, increasing.
        suns: where the sun stands on each, above the horizon.
        bands: to render.
        cloud_share: of each scene under clouds, 0 to 1.
        nodata_share: of each scene beyond the edge of the swath, 0 to 1; east and west in turn.
        change_numbers: how many changes of each kind happen between the dates.
    """

    seed: int
    size: int
    days: tuple[date, ...]
    suns: tuple[Sun, ...]
    bands: tuple[BandName, ...]
    cloud_share: float = 0.0
    nodata_share: float = 0.0
    change_numbers: dict[ChangeKind, int] = field(default_factory=dict)

    @cached_property
    def landscape(self) -> Landscape:
        """What the scenes show."""
        return Landscape(self.seed, self.size)

    @property
    def changes(self) -> Sequence[Change]:
        """All changes, in no particular order."""
        return self._placed[0]

    @property
    def missing_changes(self) -> dict[ChangeKind, int]:
        """How many changes of each kind found no place."""
        return self._placed[1]

    def prepare(self) -> None:
        """Compute what all blocks share, so that threads that render only read it."""
        _ = self._placed, self._tables
        self.landscape.ground(Pixels.at(0, 0))
        for sky in self._skies:
            sky.clouds(Pixels.at(0, 0))

    def blocks(self) -> list[tuple[int, int]]:
        """Return first row and column of each block, row by row."""
        starts = range(0, self.size, BLOCK)
        return [(row, col) for row in starts for col in starts]

    def render(self, number: int, row: int, col: int) -> Block:
        """Render the block that begins at (row, col) of date `number`.

        The result is a function of the arguments alone: blocks may be rendered in any order and in
        several threads.
        """
        pixels = Pixels.block(row, col, min(BLOCK, self.size - row), min(BLOCK, self.size - col))
        around = pixels.around(HALO)
        ground = self.landscape.ground(around)
        apply_changes(ground.covers, around, self.changes, number)
        sky = self._skies[number]
        surface = Surface.lit(ground, sky.sun)
        cloud, shadow = sky.clouds(pixels)
        haze = sky.haze(pixels)
        sensor = Sensor(self._date_seed(number), pixels, self._beyond_swath(number, pixels))
        bands: dict[BandName, NDArray[np.uint16]] = {}
        coarse: dict[BandName, FloatArray] = {}
        for index, band in enumerate(self._rendered):
            light = surface.reflectance(self._tables[number], index)
            light *= np.float32(sky.gain(band))
            veil(light, band, haze, cloud, shadow)
            if BANDS[band].gsd == 20 or band in _CLASSIFIED:
                coarse[band] = halve(light)
            if band in self.bands:
                bands[band] = sensor.store(light if BANDS[band].gsd == 10 else coarse[band], band)
        water = np.isin(ground.covers.kind[HALO:-HALO, HALO:-HALO], WATER).astype(np.float32)
        scl = sensor.classify(coarse, halve(water), halve(cloud), halve(shadow))
        return Block(row, col, bands, scl, truth(pixels, self.changes, number))

    @cached_property
    def _placed(self) -> tuple[list[Change], dict[ChangeKind, int]]:
        if len(self.days) < 2 or not any(self.change_numbers.values()):
            return [], {}
        return place_changes(self.landscape, self.change_numbers, len(self.days))

    @cached_property
    def _rendered(self) -> tuple[BandName, ...]:
        return tuple(dict.fromkeys((*self.bands, *_CLASSIFIED)))

    @cached_property
    def _tables(self) -> list[ReflectanceTable]:
        return [reflectance_table(day.timetuple().tm_yday, self._rendered) for day in self.days]

    @cached_property
    def _skies(self) -> list[Sky]:
        # Every other date is hazy, so that each consecutive pair differs.
        return [
            Sky(self._date_seed(number), self.size, sun, self.cloud_share, hazy=number % 2 == 1)
            for number, sun in enumerate(self.suns)
        ]

    def _date_seed(self, number: int) -> int:
        return named_seed(self.seed, self.days[number].isoformat())

    def _beyond_swath(self, number: int, pixels: Pixels) -> NDArray[np.bool_]:
        """Return the pixels that the instrument did not see, bool (y, x)."""
        # On whole 20 m pixels, so that all bands end at the same line.
        y, x = pixels.rows // 2 * 2, pixels.cols // 2 * 2
        east = x[None, :] + _SWATH_SLANT * (y[:, None] - self.size / 2)
        edge = self.nodata_share * self.size
        if self.nodata_share <= 0:
            return np.zeros(pixels.shape, np.bool_)
        return np.asarray(east < edge if number % 2 else east >= self.size - edge)
