"""What a settlement is built of: quarters with streets of one direction, houses, halls, parks."""

import numpy as np
from numpy.typing import NDArray

from components.sample_scenes.cells import Bent, divide
from components.sample_scenes.covers import CoverMap, as_level
from components.sample_scenes.noise import (
    FloatArray,
    HashArray,
    hash_integers,
    hash_unit,
    hash_units,
    unit_interval,
)
from components.sample_scenes.settlements import Settlement
from components.sample_scenes.spectra import Cover

_QUARTER_SPACING = 24.0
# Smaller places have neither industry nor parks.
_TOWN_RADIUS = 20.0
_CENTRE_DENSITY = 0.75
# Lots of houses and of halls, and the blocks between side streets: pixels along and across.
_LOT = (2.3, 3.1)
_HALL = (9.0, 5.5)
_BLOCK = (9.0, 14.0)


def build(covers: CoverMap, settlement: Settlement, bent: Bent, density: FloatArray) -> None:
    """Cover the built-up ground of a settlement, in place.

    Args:
        covers: to change.
        settlement: to build.
        bent: positions of the pixels in the bent plane.
        density: how built-up each pixel is, see `Settlement.density`.
    """
    quarters = divide(bent, _QUARTER_SPACING, settlement.identity)
    # Most quarters follow the main street.
    main = np.float32(0.5 * np.pi * hash_unit(settlement.identity, 5))
    own = np.float32(0.5 * np.pi) * unit_interval(quarters.identity)
    follows = hash_units(1, quarters.identity) < 0.65
    streets = quarters.turned(bent, np.where(follows, main, own))
    word = np.take(quarters.identity, quarters.index)
    use = np.take(hash_units(4, quarters.identity), quarters.index)
    built = density > 0
    _houses(covers, built, _lots(word, streets, _LOT, 2), density)
    # Side streets are narrower than a pixel: they show as closely built ground.
    side = (np.mod(streets.x, _BLOCK[0]) < 1.0) | (np.mod(streets.y, _BLOCK[1]) < 1.0)
    covers.put(Cover.RESIDENTIAL, built & side & (density <= _CENTRE_DENSITY), 15)
    covers.put(Cover.ROAD, built & (quarters.border < 0.5), 8)
    if settlement.radius > _TOWN_RADIUS:
        industry = built & (use < 0.12) & (density < 0.55)
        _industry(covers, industry, streets, _lots(word, streets, _HALL, 3))
        covers.put(Cover.PARK, built & (use > 0.93))


def _lots(word: HashArray, streets: Bent, size: tuple[float, float], salt: int) -> HashArray:
    """Return a random word per lot, uint32 (y, x)."""
    return hash_integers(salt, word, np.floor(streets.x / size[0]), np.floor(streets.y / size[1]))


def _houses(
    covers: CoverMap, where: NDArray[np.bool_], lots: HashArray, density: FloatArray
) -> None:
    """Cover ground with houses, denser towards the middle, and gardens between, in place."""
    share = unit_interval(lots)
    close = np.float32(0.6) * share + np.float32(0.45) * np.clip(density, 0, 1)
    covers.put(Cover.RESIDENTIAL, where, as_level(close))
    covers.put(Cover.PARK, where & ((lots & np.uint32(15)) < 3))
    covers.put(Cover.CENTRE, where & (density > _CENTRE_DENSITY), as_level(share))


def _industry(covers: CoverMap, where: NDArray[np.bool_], streets: Bent, lots: HashArray) -> None:
    """Cover ground with halls between paved yards, in place."""
    roof = (np.mod(streets.x, _HALL[0]) > 1.8) & (np.mod(streets.y, _HALL[1]) > 1.5)
    roof &= (lots & np.uint32(7)) < 6
    share = unit_interval(lots)
    covers.put(Cover.YARD, where, as_level(unit_interval(hash_integers(9, lots))))
    # Most roofs are grey, some are bright metal.
    shade = np.where(
        share < 0.7, np.float32(0.6) * share, np.float32(0.5) + np.float32(0.5) * share
    )
    covers.put(Cover.HALL, where & roof, as_level(shade))
