"""Surface reflectance of what covers the ground, by band and day of the year.

A cover has one spectrum per level (0 to 15): fields of one crop differ by sowing date and growth,
stands of one tree species by age, roofs by material. Spectra are mixtures of end members.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from components.sample_scenes.bands import BAND_NAMES, BandName
from components.sample_scenes.phenology import CALENDARS, fractions, mown

LEVELS = 16

# Reflectance in the order of BAND_NAMES (B02 B03 B04 B05 B06 B07 B08 B8A B11 B12). Round values
# within the ranges of the ECOSTRESS spectral library (10.1016/j.rse.2019.05.015) as Sentinel-2's
# bands see them at 10 m, where shadows between plants and houses darken them.
_ENDMEMBERS: dict[str, tuple[float, ...]] = {
    "soil": (0.082, 0.115, 0.150, 0.178, 0.205, 0.222, 0.240, 0.258, 0.335, 0.285),
    "dark_soil": (0.052, 0.070, 0.088, 0.105, 0.125, 0.138, 0.150, 0.165, 0.235, 0.195),
    "straw": (0.078, 0.115, 0.160, 0.190, 0.235, 0.258, 0.278, 0.295, 0.335, 0.215),
    "cereal": (0.027, 0.044, 0.027, 0.068, 0.270, 0.385, 0.415, 0.430, 0.125, 0.060),
    "maize": (0.024, 0.045, 0.023, 0.064, 0.290, 0.430, 0.440, 0.460, 0.165, 0.072),
    "rapeseed": (0.032, 0.062, 0.036, 0.092, 0.400, 0.480, 0.505, 0.520, 0.150, 0.068),
    "beet": (0.030, 0.068, 0.028, 0.098, 0.420, 0.545, 0.565, 0.580, 0.200, 0.085),
    "potato": (0.029, 0.062, 0.029, 0.090, 0.370, 0.475, 0.495, 0.510, 0.190, 0.085),
    "petals": (0.060, 0.185, 0.190, 0.240, 0.450, 0.520, 0.545, 0.560, 0.190, 0.085),
    "grass": (0.032, 0.068, 0.034, 0.112, 0.335, 0.415, 0.440, 0.455, 0.205, 0.098),
    "broadleaf": (0.017, 0.041, 0.017, 0.078, 0.280, 0.345, 0.358, 0.378, 0.165, 0.068),
    "autumn_leaves": (0.035, 0.062, 0.085, 0.125, 0.190, 0.215, 0.230, 0.245, 0.210, 0.125),
    "litter": (0.035, 0.050, 0.062, 0.085, 0.120, 0.135, 0.150, 0.165, 0.200, 0.130),
    "conifer": (0.014, 0.026, 0.014, 0.044, 0.160, 0.200, 0.212, 0.228, 0.098, 0.042),
    "clear_water": (0.022, 0.026, 0.013, 0.011, 0.008, 0.008, 0.007, 0.006, 0.003, 0.002),
    "turbid_water": (0.040, 0.060, 0.047, 0.043, 0.030, 0.029, 0.024, 0.018, 0.007, 0.004),
    "mud_water": (0.072, 0.100, 0.112, 0.110, 0.085, 0.082, 0.068, 0.055, 0.014, 0.008),
    "asphalt": (0.078, 0.086, 0.094, 0.101, 0.110, 0.115, 0.120, 0.126, 0.155, 0.145),
    "paving": (0.118, 0.138, 0.155, 0.167, 0.180, 0.188, 0.195, 0.203, 0.240, 0.225),
    "tiles": (0.052, 0.070, 0.128, 0.160, 0.185, 0.205, 0.220, 0.238, 0.295, 0.275),
    "dark_roof": (0.060, 0.067, 0.075, 0.081, 0.089, 0.094, 0.100, 0.106, 0.135, 0.130),
    "bright_roof": (0.330, 0.350, 0.365, 0.372, 0.380, 0.385, 0.388, 0.390, 0.385, 0.350),
    "gravel": (0.180, 0.230, 0.270, 0.288, 0.304, 0.315, 0.325, 0.334, 0.390, 0.365),
    "char": (0.030, 0.035, 0.041, 0.047, 0.056, 0.062, 0.070, 0.080, 0.120, 0.135),
    "slash": (0.055, 0.075, 0.092, 0.122, 0.160, 0.178, 0.192, 0.208, 0.290, 0.215),
}  # fmt: skip


class Cover(IntEnum):
    """What may cover a pixel; the values are the order in the tables."""

    WINTER_WHEAT = 0
    WINTER_BARLEY = 1
    RAPESEED = 2
    MAIZE = 3
    SUGAR_BEET = 4
    POTATO = 5
    FALLOW = 6
    MEADOW = 7
    PASTURE = 8
    BROADLEAF = 9
    CONIFER = 10
    SHRUB = 11
    TRACK = 12
    ROAD = 13
    RESIDENTIAL = 14
    CENTRE = 15
    HALL = 16
    YARD = 17
    PARK = 18
    RIVER = 19
    LAKE = 20
    CLEAR_CUT = 21
    BURNED = 22
    FLOODED = 23
    BUILT = 24
    QUARRY = 25


FARMLAND = (
    Cover.WINTER_WHEAT, Cover.WINTER_BARLEY, Cover.RAPESEED, Cover.MAIZE, Cover.SUGAR_BEET,
    Cover.POTATO, Cover.FALLOW, Cover.MEADOW, Cover.PASTURE,
)  # fmt: skip
FOREST = (Cover.BROADLEAF, Cover.CONIFER)
WATER = (Cover.RIVER, Cover.LAKE, Cover.FLOODED)

_CROPS: dict[Cover, tuple[str, str]] = {
    Cover.WINTER_WHEAT: ("winter_wheat", "cereal"),
    Cover.WINTER_BARLEY: ("winter_barley", "cereal"),
    Cover.RAPESEED: ("rapeseed", "rapeseed"),
    Cover.MAIZE: ("maize", "maize"),
    Cover.SUGAR_BEET: ("sugar_beet", "beet"),
    Cover.POTATO: ("potato", "potato"),
    Cover.FALLOW: ("fallow", "grass"),
}
# Mixtures of covers that do not follow the season: at level 0 and at level 15, linear between.
_Mixture = Mapping[str, float]
_STEADY: dict[Cover, tuple[_Mixture, _Mixture]] = {
    Cover.TRACK: ({"soil": 0.6, "grass": 0.4}, {"gravel": 0.4, "soil": 0.4, "grass": 0.2}),
    Cover.ROAD: ({"asphalt": 1.0}, {"asphalt": 0.6, "paving": 0.4}),
    Cover.CENTRE: (
        {"tiles": 0.45, "asphalt": 0.4, "broadleaf": 0.15},
        {"dark_roof": 0.45, "paving": 0.5, "bright_roof": 0.05},
    ),
    Cover.HALL: ({"dark_roof": 1.0}, {"bright_roof": 0.9, "paving": 0.1}),
    Cover.YARD: ({"asphalt": 0.9, "grass": 0.1}, {"paving": 1.0}),
    Cover.RIVER: ({"clear_water": 0.35, "turbid_water": 0.65}, {"turbid_water": 1.0}),
    Cover.LAKE: ({"clear_water": 1.0}, {"clear_water": 0.65, "turbid_water": 0.35}),
    Cover.CLEAR_CUT: ({"slash": 0.75, "dark_soil": 0.25}, {"slash": 0.7, "soil": 0.3}),
    Cover.BURNED: ({"char": 1.0}, {"char": 0.8, "litter": 0.2}),
    Cover.FLOODED: ({"turbid_water": 0.5, "mud_water": 0.5}, {"mud_water": 1.0}),
    Cover.BUILT: ({"asphalt": 0.6, "paving": 0.4}, {"bright_roof": 0.8, "paving": 0.2}),
    Cover.QUARRY: ({"soil": 0.4, "gravel": 0.6}, {"gravel": 1.0}),
}


@dataclass(frozen=True)
class ReflectanceTable:
    """Spectra of all covers on one day.

    Attributes:
        base: reflectance, float32 (band, cover * LEVELS + level), bands as asked for.
        thinner: what a canopy that is one unit thinner adds to `base`, same shape; 0 where
            nothing grows.
    """

    base: NDArray[np.float32]
    thinner: NDArray[np.float32]


def reflectance_table(day: int, bands: tuple[BandName, ...]) -> ReflectanceTable:
    """Return the reflectance of every cover and level on a day of the year (1 to 366)."""
    base = np.zeros((len(Cover), LEVELS, len(BAND_NAMES)))
    thinner = np.zeros_like(base)
    for cover in Cover:
        base[cover], thinner[cover] = _spectra(cover, day)
    keep = [BAND_NAMES.index(band) for band in bands]

    def by_band(table: NDArray[np.float64]) -> NDArray[np.float32]:
        flat = table.reshape(-1, len(BAND_NAMES))[:, keep].T
        return np.ascontiguousarray(flat, np.float32)

    return ReflectanceTable(by_band(base), by_band(thinner))


def _spectra(cover: Cover, day: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return spectra (level, band) of a cover and the change towards a thinner canopy."""
    if cover in _CROPS:
        return _crop(*_CROPS[cover], day)
    if cover in (Cover.MEADOW, Cover.PASTURE, Cover.PARK):
        return _grassland(cover, day)
    if cover in (Cover.BROADLEAF, Cover.CONIFER, Cover.SHRUB):
        return _trees(cover, day)
    if cover is Cover.RESIDENTIAL:
        return _gardens(day)
    low, high = (_mixture(parts) for parts in _STEADY[cover])
    share = _level_share()[:, None]
    spectra = low + share * (high - low)
    return spectra, np.zeros_like(spectra)


def _crop(calendar: str, canopy: str, day: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    share = _level_share()
    # Fields differ by about a week in sowing, in vigour, and in soil from dark to bright.
    shifted = day + (share - 0.5) * 12
    green, straw, bloom = fractions(CALENDARS[calendar], shifted)
    green = green * (0.92 + 0.08 * _shuffled(7))
    light = _shuffled(5)[:, None]
    soil = light * _mixture({"soil": 1.0}) + (1 - light) * _mixture({"dark_soil": 1.0})
    # Every third field is cultivated soon after the harvest: little of its stubble is left.
    tilled = (_shuffled(11) > 0.66) & (day >= CALENDARS[calendar].tilled_from)
    straw = np.where(tilled, 0.18 * straw, straw)
    leaves = _mixture({canopy: 1.0})
    top = leaves + bloom[:, None] * (_mixture({"petals": 1.0}) - leaves)
    bare = np.clip(1 - green - straw, 0, 1)[:, None]
    spectra = green[:, None] * top + straw[:, None] * _mixture({"straw": 1.0}) + bare * soil
    # Where less grows, the soil shows; on bare ground moisture and humus make it paler or darker.
    growing = np.clip(green, 0.0, 1.0)[:, None]
    return spectra, growing * (soil - top) + (1 - growing) * 0.8 * spectra


def _grassland(cover: Cover, day: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    share = _level_share()
    green, straw, _ = fractions(CALENDARS["meadow"], day)
    canopy = green * (0.94 + 0.06 * _shuffled(7))
    if cover is Cover.MEADOW:
        canopy = canopy * mown(day, share)
    straw_share = np.minimum(straw + 0.5 * (green - canopy), 1 - canopy)[:, None]
    grass = _mixture({"grass": 1.0})
    soil = _mixture({"dark_soil": 0.5, "soil": 0.5})
    bare = 1 - canopy[:, None] - straw_share
    spectra = canopy[:, None] * grass + straw_share * _mixture({"straw": 1.0}) + bare * soil
    if cover is Cover.PARK:
        trees, _ = _trees(Cover.BROADLEAF, day)
        spectra = 0.6 * spectra + 0.4 * trees
    return spectra, 0.8 * (soil - grass) * np.ones_like(spectra)


def _trees(cover: Cover, day: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    share = _level_share()[:, None]
    green, autumn, _ = fractions(CALENDARS["broadleaf"], day)
    leaves = (
        green * _mixture({"broadleaf": 1.0})
        + autumn * _mixture({"autumn_leaves": 1.0})
        + (1 - green - autumn) * _mixture({"litter": 1.0})
    )
    needles = _mixture({"conifer": 1.0})
    if cover is Cover.CONIFER:
        # Old stands are dark; young ones are brighter, with some deciduous trees among them.
        spectra = (0.84 + 0.26 * share) * needles + 0.16 * share**2 * leaves
    elif cover is Cover.BROADLEAF:
        spectra = (0.90 + 0.16 * share) * leaves
    else:
        grass = _mixture({"grass": 0.85, "soil": 0.15})
        spectra = (0.75 - 0.2 * share) * leaves + (0.25 + 0.2 * share) * grass
    # Gaps in the canopy show litter and shade.
    return spectra, 0.25 * (_mixture({"litter": 1.0}) * 0.8 - spectra)


def _gardens(day: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return houses with gardens: from few houses (level 0) to closely built (level 15)."""
    share = _level_share()[:, None]
    houses = 0.55 * _mixture({"tiles": 1.0}) + 0.45 * _mixture({"dark_roof": 0.6, "paving": 0.4})
    streets = _mixture({"asphalt": 0.6, "paving": 0.4})
    trees, _ = _trees(Cover.BROADLEAF, day)
    lawns, _ = _grassland(Cover.PASTURE, day)
    built = 0.25 + 0.45 * share
    plants = 0.45 * trees[8] + 0.55 * lawns[8]
    spectra = built * (0.62 * houses + 0.38 * streets) + (1 - built) * plants
    return spectra, np.zeros_like(spectra)


def _level_share() -> NDArray[np.float64]:
    return np.arange(LEVELS) / (LEVELS - 1)


def _shuffled(step: int) -> NDArray[np.float64]:
    """Return 0 to 1 over the levels in another order: an odd step visits each of 16 levels once."""
    return np.mod(np.arange(LEVELS) * step, LEVELS) / (LEVELS - 1)


def _mixture(parts: _Mixture) -> NDArray[np.float64]:
    return sum(
        (share * np.array(_ENDMEMBERS[name]) for name, share in parts.items()),
        np.zeros(len(BAND_NAMES)),
    )
