"""Towns, villages and the roads between them: where they are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from components.sample_scenes.cells import Bent
from components.sample_scenes.noise import (
    FloatArray,
    SmoothField,
    hash_unit,
    hash_units,
    named_seed,
)
from components.sample_scenes.pixels import Pixels
from components.sample_scenes.terrain import RIVER_HALF_WIDTH, Terrain, lattice_points

_TOWN_SPACING = 1000.0
_VILLAGE_SPACING = 260.0
# Built-up ground ends within this many radii of the centre.
_REACH = 2.2
_HIGHWAY_HALF_WIDTH = 1.1
_LANE_HALF_WIDTH = 0.6


@dataclass(frozen=True)
class Settlement:
    """A town or village; pixels.

    Attributes:
        row: of the centre.
        col: of the centre.
        radius: within which most of it lies.
        identity: a random word.
    """

    row: float
    col: float
    radius: float
    identity: int

    def part(self, pixels: Pixels) -> tuple[slice, slice]:
        """Return which rows and columns it may cover; maybe none."""
        return pixels.within(self.row, self.col, _REACH * self.radius)

    def density(self, pixels: Pixels) -> FloatArray:
        """Return how built-up the ground is: below 0 not, near 1 in the middle; float32 (y, x)."""
        distance = pixels.distance(self.row, self.col)
        distance *= np.float32(1.0 / self.radius)
        density = np.float32(1.0) - distance
        for spacing, weight in ((0.75, 0.34), (0.28, 0.16)):
            field = SmoothField.named(
                self.identity, f"density {spacing}", max(4.0, spacing * self.radius)
            )
            density += np.float32(weight) * field.sample(pixels)
        # Nothing is left to be cut off at the end of its reach.
        density -= np.float32(4.0) * np.maximum(distance - np.float32(0.8 * _REACH), 0)
        return density


@dataclass(frozen=True)
class Road:
    """A road, straight in the bent plane; pixels. Ends are (row, col)."""

    start: tuple[float, float]
    end: tuple[float, float]
    half_width: float

    def covers(self, bent: Bent) -> NDArray[np.bool_]:
        """Return which positions lie on it, bool (y, x)."""
        (row, col), (end_row, end_col) = self.start, self.end
        length = float(np.hypot(end_row - row, end_col - col))
        in_y, in_x = np.float32((end_row - row) / length), np.float32((end_col - col) / length)
        off_y, off_x = bent.y - np.float32(row), bent.x - np.float32(col)
        on_line = np.abs(off_x * in_y - off_y * in_x) < self.half_width
        if not on_line.any():
            return on_line
        along = off_x * in_x + off_y * in_y
        return on_line & (along > 0) & (along < length)


@dataclass(frozen=True)
class Settlements:
    """All settlements and roads of one scene."""

    places: tuple[Settlement, ...]
    roads: tuple[Road, ...]

    @classmethod
    def of_scene(cls, seed: int, size: int, terrain: Terrain) -> Settlements:
        """Place the settlements of a scene of `size` x `size` pixels and join them by roads."""
        towns = _towns(named_seed(seed, "towns"), size, terrain)
        villages = _villages(named_seed(seed, "villages"), size, towns)
        return cls((*towns, *villages), (*_highways(towns), *_lanes(towns, villages)))

    def near(self, pixels: Pixels, reach: float = 0.0) -> list[Settlement]:
        """Return the settlements that may cover pixels, or come as near to them as `reach`."""
        row, col, radius = self._extents
        margin = _REACH * radius + reach
        hit = (row + margin >= pixels.rows[0]) & (row - margin <= pixels.rows[-1])
        hit &= (col + margin >= pixels.cols[0]) & (col - margin <= pixels.cols[-1])
        return [self.places[each] for each in np.flatnonzero(hit)]

    def roads_on(self, bent: Bent) -> NDArray[np.bool_]:
        """Return which positions lie on a road between settlements, bool (y, x)."""
        low = np.array([bent.y.min(), bent.x.min()]) - _HIGHWAY_HALF_WIDTH
        high = np.array([bent.y.max(), bent.x.max()]) + _HIGHWAY_HALF_WIDTH
        ends = self._ends
        hit = (ends.max(axis=0) >= low).all(axis=1) & (ends.min(axis=0) <= high).all(axis=1)
        road = np.zeros(bent.x.shape, np.bool_)
        for each in np.flatnonzero(hit):
            road |= self.roads[each].covers(bent)
        return road

    @cached_property
    def _extents(self) -> NDArray[np.float64]:
        """Row, column and radius of the settlements, (3, settlement)."""
        return np.array([(place.row, place.col, place.radius) for place in self.places]).T

    @cached_property
    def _ends(self) -> NDArray[np.float64]:
        """Ends of the roads, (start or end, road, row or column)."""
        ends = np.array([(road.start, road.end) for road in self.roads]).reshape(-1, 2, 2)
        return ends.transpose(1, 0, 2)


def _towns(seed: int, size: int, terrain: Terrain) -> tuple[Settlement, ...]:
    """Return a town near the river in the middle of the scene, others about 10 km apart."""
    unit = min(size, _TOWN_SPACING)
    offsets = (hash_units(seed, np.arange(64)[:, None], np.arange(2)) - 0.5) * 0.6 * unit
    spots = size / 2 + offsets
    radius = unit * (0.052 + 0.018 * hash_unit(seed, 7))
    # The river shall touch the town, not run through its middle.
    distance = np.array([terrain.river(Pixels.at(row, col))[0, 0] for row, col in spots])
    row, col = spots[int(np.argmin(np.abs(distance * RIVER_HALF_WIDTH - 0.9 * radius)))]
    first = Settlement(float(row), float(col), radius, seed)
    y, x, words = lattice_points(seed, _TOWN_SPACING, Pixels.block(0, 0, size, size))
    share = hash_units(1, words)
    # One in eight is a city.
    radii = np.where(share < 0.125, 110 + 480 * share, 30 + 40 * share)
    clear = np.hypot(y - first.row, x - first.col) > 0.75 * _TOWN_SPACING
    return (first, *_settlements(y[clear], x[clear], radii[clear], words[clear]))


def _villages(seed: int, size: int, towns: tuple[Settlement, ...]) -> tuple[Settlement, ...]:
    y, x, words = lattice_points(seed, _VILLAGE_SPACING, Pixels.block(0, 0, size, size))
    radii = 8.0 + 13.0 * hash_units(2, words) ** 2
    town_y, town_x, town_radius = np.array([(t.row, t.col, t.radius) for t in towns]).T
    gap = np.hypot(y[:, None] - town_y, x[:, None] - town_x) - 1.6 * town_radius
    keep = (hash_units(1, words) < 0.75) & ((gap - radii[:, None]).min(axis=1) > 20)
    return _settlements(y[keep], x[keep], radii[keep], words[keep])


def _settlements(
    y: FloatArray, x: FloatArray, radii: NDArray[np.floating], words: NDArray[np.uint32]
) -> tuple[Settlement, ...]:
    return tuple(
        Settlement(float(row), float(col), float(radius), int(word))
        for row, col, radius, word in zip(y, x, radii, words, strict=True)
    )


def _highways(towns: tuple[Settlement, ...]) -> list[Road]:
    """Return main roads from each town to its three nearest."""
    places = np.array([(town.row, town.col) for town in towns])
    pairs: set[tuple[int, int]] = set()
    for number, place in enumerate(places):
        order = np.argsort(np.hypot(*(places - place).T), kind="stable")[1:4]
        pairs |= {(min(number, int(other)), max(number, int(other))) for other in order}
    return [_road(places[one], places[other], _HIGHWAY_HALF_WIDTH) for one, other in sorted(pairs)]


def _lanes(towns: tuple[Settlement, ...], villages: tuple[Settlement, ...]) -> list[Road]:
    """Return a minor road from each village to its nearest neighbour nearer to a town."""
    places = np.array([(place.row, place.col) for place in (*towns, *villages)])
    to_town = np.array([np.hypot(*(places[: len(towns)] - place).T).min() for place in places])
    lanes = []
    for number in range(len(towns), len(places)):
        distance = np.hypot(*(places - places[number]).T)
        distance[to_town >= to_town[number]] = np.inf
        lanes.append(_road(places[number], places[int(np.argmin(distance))], _LANE_HALF_WIDTH))
    return lanes


def _road(start: NDArray[np.float64], end: NDArray[np.float64], half_width: float) -> Road:
    return Road((float(start[0]), float(start[1])), (float(end[0]), float(end[1])), half_width)
