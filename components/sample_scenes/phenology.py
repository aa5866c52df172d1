"""How much green canopy and how much straw covers a field on a day of the year.

Calendars are those of the lowlands of central Europe, simplified to a few points per crop.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# A run of (day of the year, fraction); linear between, periodic over the year.
Course = tuple[tuple[int, float], ...]
_DAYS = 365


@dataclass(frozen=True)
class Calendar:
    """The course of one crop over the year.

    Attributes:
        green: fraction of the ground under green canopy.
        straw: fraction under ripe crop, straw or stubble; what is left is bare soil.
        bloom: fraction of the canopy's surface that yellow flowers make up.
        tilled_from: day of the year from which harvested fields may be cultivated.
    """

    green: Course
    straw: Course = ((1, 0.0),)
    bloom: Course = ((1, 0.0),)
    tilled_from: int = 999


# fmt: off
CALENDARS: dict[str, Calendar] = {
    "winter_wheat": Calendar(
        green=((1, 0.25), (60, 0.40), (100, 0.85), (140, 0.97), (168, 0.88), (190, 0.35),
               (205, 0.05), (265, 0.05), (285, 0.02), (330, 0.20)),
        straw=((140, 0.0), (168, 0.08), (190, 0.60), (205, 0.90), (218, 0.80), (245, 0.68),
               (262, 0.50), (275, 0.05), (300, 0.0)),
        tilled_from=212,
    ),
    "winter_barley": Calendar(
        green=((1, 0.35), (60, 0.45), (95, 0.90), (130, 0.97), (152, 0.80), (172, 0.25),
               (185, 0.05), (225, 0.12), (255, 0.15), (270, 0.02), (320, 0.30)),
        straw=((130, 0.0), (152, 0.15), (172, 0.70), (185, 0.90), (200, 0.75), (245, 0.60),
               (260, 0.40), (272, 0.05), (300, 0.0)),
        tilled_from=195,
    ),
    "rapeseed": Calendar(
        green=((1, 0.55), (60, 0.60), (95, 0.95), (150, 0.90), (175, 0.60), (195, 0.20),
               (205, 0.08), (222, 0.16), (245, 0.22), (262, 0.03), (300, 0.25), (330, 0.50)),
        straw=((150, 0.0), (175, 0.30), (195, 0.70), (205, 0.85), (225, 0.65), (245, 0.55),
               (262, 0.05), (280, 0.0)),
        bloom=((102, 0.0), (115, 0.45), (132, 0.45), (144, 0.0)),
        tilled_from=209,
    ),
    "maize": Calendar(
        green=((1, 0.04), (110, 0.05), (140, 0.03), (165, 0.35), (190, 0.88), (215, 0.95),
               (244, 0.92), (262, 0.65), (272, 0.20), (276, 0.02), (330, 0.04)),
        straw=((1, 0.05), (110, 0.0), (240, 0.0), (262, 0.25), (272, 0.55), (278, 0.45),
               (320, 0.25)),
    ),
    "sugar_beet": Calendar(
        green=((1, 0.0), (120, 0.02), (150, 0.30), (175, 0.85), (195, 0.94), (280, 0.92),
               (295, 0.60), (302, 0.02), (330, 0.0)),
    ),
    # Late varieties, lifted in the second half of September.
    "potato": Calendar(
        green=((1, 0.0), (135, 0.02), (165, 0.65), (185, 0.92), (220, 0.90), (245, 0.80),
               (262, 0.25), (268, 0.0)),
        straw=((220, 0.0), (245, 0.10), (262, 0.40), (268, 0.05), (300, 0.0)),
    ),
    # Ploughed and left bare; weeds come up towards autumn.
    "fallow": Calendar(
        green=((1, 0.10), (110, 0.15), (125, 0.03), (240, 0.06), (300, 0.20)),
        straw=((1, 0.06), (300, 0.06)),
    ),
    # Grass is never gone; drought and winter thin it. Mowing comes on top (`mown`).
    "meadow": Calendar(
        green=((1, 0.66), (80, 0.74), (120, 0.97), (160, 0.90), (200, 0.80), (245, 0.80),
               (290, 0.85), (335, 0.72)),
        straw=((1, 0.18), (80, 0.14), (120, 0.02), (160, 0.06), (200, 0.14), (245, 0.13),
               (290, 0.08), (335, 0.14)),
    ),
    # Leaves of deciduous trees; "straw" is autumn colour, the rest twigs and litter.
    "broadleaf": Calendar(
        green=((1, 0.12), (98, 0.14), (130, 0.95), (160, 1.0), (250, 0.96), (275, 0.75),
               (300, 0.25), (318, 0.12)),
        straw=((1, 0.35), (98, 0.30), (130, 0.0), (250, 0.02), (275, 0.20), (300, 0.60),
               (318, 0.40)),
    ),
}
# fmt: on


def fractions(
    calendar: Calendar, day: float | NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return green, straw and bloom fractions on a day of the year (1 to 366, also an array)."""
    green = _course(calendar.green, day)
    straw = np.minimum(_course(calendar.straw, day), 1.0 - green)
    return green, straw, _course(calendar.bloom, day)


def mown(day: float, phase: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the share of its canopy that a meadow has on a day, after mowing.

    Cut to 0.72 every 48 days between mid May and the end of September, regrown after 30 days.

    Args:
        day: of the year.
        phase: 0 to 1, the place of each meadow in the round.
    """
    first_cut = 135 + 48 * np.asarray(phase, np.float64)
    since = np.mod(day - first_cut, 48)
    cut = (day >= first_cut) & (day <= 275)
    return np.where(cut, 0.72 + 0.28 * np.clip(since / 30, 0, 1), 1.0)


def _course(course: Course, day: float | NDArray[np.floating]) -> NDArray[np.float64]:
    days, values = zip(*course, strict=True)
    result: NDArray[np.float64] = np.interp(day, days, values, period=_DAYS)
    return result
