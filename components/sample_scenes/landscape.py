"""The landscape: what covers each pixel, as a function of its row and column.

Composition, from the ground up: fields of several crops in districts, meadows along the river,
forest on the hills in stands, hedges and tracks between districts, settlements, water, roads.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from components.sample_scenes import quarters
from components.sample_scenes.cells import Bent, Cells, divide
from components.sample_scenes.covers import CoverMap, as_level
from components.sample_scenes.noise import (
    FloatArray,
    HashArray,
    SmoothField,
    hash_integers,
    hash_units,
    named_seed,
    pixel_noise,
    unit_interval,
)
from components.sample_scenes.pixels import Pixels
from components.sample_scenes.settlements import Settlements
from components.sample_scenes.spectra import LEVELS, Cover
from components.sample_scenes.terrain import Terrain

# Where the river, the first town and the first lake lie relates to a square of this many pixels.
_UNIT = 1000
_DISTRICT_SPACING = 62.0
# Everything that people draw straight is bent by smooth noise: lattice spacing and amplitude.
_BEND = ((260.0, 22.0), (75.0, 5.0), (28.0, 0.9))
_CROP_SHARES = {
    Cover.WINTER_WHEAT: 0.27,
    Cover.MAIZE: 0.17,
    Cover.WINTER_BARLEY: 0.12,
    Cover.RAPESEED: 0.11,
    Cover.MEADOW: 0.11,
    Cover.SUGAR_BEET: 0.08,
    Cover.POTATO: 0.05,
    Cover.PASTURE: 0.05,
    Cover.FALLOW: 0.04,
}


@dataclass(frozen=True)
class Ground:
    """What pixels look like apart from season, light and air.

    Attributes:
        covers: what covers them.
        grain: texture from pixel to pixel, float32 (y, x), mean 0, standard deviation 1.
        patch: texture of some 10 to 100 pixels (soil moisture, growth), likewise.
        slope_y: rise of the ground towards larger rows, m per m, float32 (y, x).
        slope_x: towards larger columns.
    """

    covers: CoverMap
    grain: FloatArray
    patch: FloatArray
    slope_y: FloatArray
    slope_x: FloatArray


@dataclass(frozen=True)
class Landscape:
    """A landscape of `size` x `size` pixels of 10 m.

    Args:
        seed: everything follows from it.
        size: pixels per side; a river, a town and a lake lie within, whatever the size.
    """

    seed: int
    size: int

    @cached_property
    def terrain(self) -> Terrain:
        """Relief and water."""
        unit = min(self.size, _UNIT)
        row, col = (hash_units(named_seed(self.seed, "river"), np.arange(2)) - 0.5) * 0.3 * unit
        middle = self.size / 2
        centre = (middle + float(row), middle + float(col))
        return Terrain(named_seed(self.seed, "terrain"), centre, 0.3 * unit)

    @cached_property
    def settlements(self) -> Settlements:
        """Towns, villages, roads."""
        return Settlements.of_scene(named_seed(self.seed, "settlements"), self.size, self.terrain)

    def ground(self, pixels: Pixels) -> Ground:
        """Return the ground at pixels."""
        patch = self._sample("soil", 42.0, pixels, 0.75)
        patch += self._sample("soil detail", 11.0, pixels, 0.55)
        patch += self._sample("soil grain", 3.0, pixels, 0.36)
        grain = pixel_noise(named_seed(self.seed, "grain"), pixels)
        return Ground(self.covers(pixels), grain, patch, *self.terrain.slopes(pixels))

    def covers(self, pixels: Pixels) -> CoverMap:
        """Return what covers pixels."""
        bent = self._bent(pixels)
        districts = divide(bent, _DISTRICT_SPACING, named_seed(self.seed, "districts"))
        parcel, margin = _parcels(districts, bent)
        river = self.terrain.river(pixels)
        forest = self._forest(districts, river, pixels)
        covers = _fields(parcel)
        plain = np.float32(7.0) + self._sample("plain", 60.0, pixels, 2.5)
        covers.put(Cover.MEADOW, (river < plain) & (covers.kind != Cover.PASTURE))
        self._grow_forest(covers, forest, parcel, pixels)
        _part_districts(covers, forest, districts, margin)
        self._line_waters(covers, forest, river, pixels)
        for place in self.settlements.near(pixels):
            part = place.part(pixels)
            density = place.density(pixels.part(part))
            if density.size and bool((density > 0).any()):
                quarters.build(covers.part(part), place, bent.part(part), density)
        # Roads bridge the river but not the lakes.
        covers.put(Cover.RIVER, river < 1, 9)
        covers.put(Cover.ROAD, self.settlements.roads_on(bent), 9)
        covers.put(Cover.LAKE, self.terrain.lakes(pixels), 5)
        return covers

    def _sample(self, name: str, spacing: float, pixels: Pixels, sd: float = 1.0) -> FloatArray:
        """Return a smooth field of the landscape, float32 (y, x)."""
        field = SmoothField.named(self.seed, name, spacing).sample(pixels)
        field *= np.float32(sd)
        return field

    def _bent(self, pixels: Pixels) -> Bent:
        x = np.repeat(pixels.cols.astype(np.float32)[None, :], pixels.shape[0], axis=0)
        y = np.repeat(pixels.rows.astype(np.float32)[:, None], pixels.shape[1], axis=1)
        for spacing, amplitude in _BEND:
            x += self._sample(f"bend x {spacing}", spacing, pixels, amplitude)
            y += self._sample(f"bend y {spacing}", spacing, pixels, amplitude)
        return Bent(x, y)

    def _forest(self, districts: Cells, river: FloatArray, pixels: Pixels) -> NDArray[np.bool_]:
        """Return where forest is: on the hills, its edges partly those of districts."""
        wooded = np.float32(0.75) * self.terrain.upland(pixels)
        wooded += self._sample("forest", 120.0, pixels, 0.62)
        wooded += self._sample("forest edge", 26.0, pixels, 0.26)
        wooded += self._sample("forest fringe", 5.0, pixels, 0.07)
        # Whole districts are woods or clearings.
        owner = (unit_interval(hash_integers(11, districts.identity)) - 0.5) * np.float32(1.5)
        wooded += np.take(owner, districts.index)
        wooded -= np.float32(1.3) * (river < 9)
        return np.asarray(wooded > np.float32(0.62))

    def _grow_forest(
        self, covers: CoverMap, forest: NDArray[np.bool_], parcel: HashArray, pixels: Pixels
    ) -> None:
        """Cover forest with stands of conifers and of deciduous trees, in place."""
        # Most stands are old: the levels crowd in the darker half.
        age = as_level(unit_interval(hash_integers(12, parcel)) ** 2)
        covers.put(Cover.BROADLEAF, forest, age)
        conifers = self._sample("species", 75.0, pixels)
        conifers += np.float32(1.6) * (unit_interval(parcel) - np.float32(0.42))
        covers.put(Cover.CONIFER, forest & (conifers > 0))

    def _line_waters(
        self, covers: CoverMap, forest: NDArray[np.bool_], river: FloatArray, pixels: Pixels
    ) -> None:
        """Grow trees along river and brooks, and the brooks' meadows, in place."""
        brook = self.terrain.brooks(pixels)
        trees = self._sample("trees", 7.0, pixels)
        trees += self._sample("groves", 45.0, pixels, 0.8)
        valley = np.float32(4.5) + self._sample("brook plain", 40.0, pixels, 2.6)
        covers.put(Cover.MEADOW, (brook < valley) & ~forest)
        covers.put(Cover.SHRUB, (brook < np.float32(0.9) + np.float32(0.35) * trees) & ~forest)
        bank = np.float32(1.05) + np.float32(0.32) * np.clip(trees, 0, 3)
        covers.put(Cover.BROADLEAF, river < bank)


def _parcels(districts: Cells, bent: Bent) -> tuple[HashArray, FloatArray]:
    """Divide districts into strips of land.

    Returns:
        A random word per parcel, uint32 (y, x), and the distance to the parcel's short side in
        pixels, float32 (y, x).
    """
    identity, number = districts.identity, districts.index
    # Districts follow the lie of the land: two main directions and some freedom.
    main = np.where(hash_units(21, identity) < 0.5, 0.35, 0.35 + 0.5 * np.pi)
    turn = (main + 0.7 * (hash_units(22, identity) - 0.5)).astype(np.float32)
    length = np.take(26.0 + 40.0 * hash_units(23, identity), number)
    width = np.take(7.0 + 20.0 * hash_units(24, identity) ** np.float32(1.4), number)
    along = districts.turned(bent, turn)
    v = along.y / length
    row = np.floor(v)
    row_word = hash_integers(25, np.take(identity, number), row)
    # Each row is divided differently.
    width *= np.float32(0.7) + np.float32(0.6) * unit_interval(row_word)
    u = along.x / width + unit_interval(row_word * np.uint32(5))
    v -= row
    margin = np.minimum(v, np.float32(1.0) - v)
    margin *= length
    return hash_integers(26, row_word, np.floor(u)), margin


def _fields(parcel: HashArray) -> CoverMap:
    """Return crops and levels of parcels by their random words."""
    limits = np.cumsum(list(_CROP_SHARES.values())) * 256
    crops = np.array(list(_CROP_SHARES), np.uint8)
    chosen = crops[np.minimum(np.searchsorted(limits, np.arange(256), "right"), crops.size - 1)]
    level = ((parcel >> np.uint32(8)) & np.uint32(LEVELS - 1)).astype(np.uint8)
    return CoverMap(np.take(chosen, parcel >> np.uint32(24)), level)


def _part_districts(
    covers: CoverMap, forest: NDArray[np.bool_], districts: Cells, margin: FloatArray
) -> None:
    """Draw hedges, tracks and forest rides along the borders of districts, in place."""
    draw = np.take(unit_interval(hash_integers(13, districts.identity)), districts.index)
    track = (districts.border < 0.6) & (draw > 0.62)
    track |= (margin < 0.4) & (draw > 0.75) & ~forest
    # Few rides are wide enough to be seen, and trees overhang those.
    track &= ~forest | (draw > 0.9)
    covers.put(Cover.TRACK, track, np.where(forest, 0, 6).astype(np.uint8))
    covers.put(Cover.SHRUB, (districts.border < 1.0) & (draw < 0.28) & ~forest)
