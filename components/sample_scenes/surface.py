"""Light that the ground reflects, before air and clouds: season, texture, relief, point spread."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.sample_scenes.landscape import Ground
from components.sample_scenes.noise import FloatArray
from components.sample_scenes.sky import Sun
from components.sample_scenes.spectra import LEVELS, Cover, ReflectanceTable

# Pixels at each side that the point spread takes away.
HALO = 1


def _by_cover(default: float, **values: float) -> NDArray[np.float32]:
    table = np.full(len(Cover), default)
    for name, value in values.items():
        table[Cover[name]] = value
    return np.repeat(table, LEVELS).astype(np.float32)


# Relative brightness from pixel to pixel, standard deviation: crowns and their shadows, roofs.
_GRAIN = _by_cover(
    0.035, BROADLEAF=0.19, CONIFER=0.22, SHRUB=0.18, PARK=0.20, RESIDENTIAL=0.20, CENTRE=0.18,
    ROAD=0.06, HALL=0.05, YARD=0.10, RIVER=0.02, LAKE=0.015, FLOODED=0.04, CLEAR_CUT=0.20,
    BURNED=0.20, BUILT=0.06, QUARRY=0.07, MEADOW=0.05, PASTURE=0.08,
)  # fmt: skip
# How much thinner or denser a canopy grows in patches, standard deviation.
_PATCHES = _by_cover(
    0.08, MEADOW=0.11, PASTURE=0.13, BROADLEAF=0.35, CONIFER=0.40, SHRUB=0.25, PARK=0.1,
)  # fmt: skip
# How much of the relief shows: a canopy levels it a little, and water lies flat.
_RELIEF = _by_cover(0.45, RIVER=0.0, LAKE=0.0, FLOODED=0.0, BROADLEAF=0.85, CONIFER=0.85)


@dataclass(frozen=True)
class Surface:
    """A lit grid of ground.

    Attributes:
        spectrum: index into a reflectance table, int32 (y, x).
        light: brightness against level, untextured ground, float32 (y, x).
        thinness: of the canopy, units of `ReflectanceTable.thinner`, float32 (y, x).
    """

    spectrum: NDArray[np.int32]
    light: FloatArray
    thinness: FloatArray

    @classmethod
    def lit(cls, ground: Ground, sun: Sun) -> "Surface":
        """Light the ground."""
        spectrum = ground.covers.kind.astype(np.int32)
        spectrum *= LEVELS
        spectrum += ground.covers.level
        # Cosine of the incidence angle over that on level ground, for gentle slopes. Rows grow
        # southwards, so the ground rises to the north where slope_y is negative.
        tangent = math.tan(math.radians(90 - sun.elevation))
        azimuth = math.radians(sun.azimuth)
        light = np.float32(tangent * math.cos(azimuth)) * ground.slope_y
        light -= np.float32(tangent * math.sin(azimuth)) * ground.slope_x
        np.clip(light, -0.45, 0.45, out=light)
        light *= np.take(_RELIEF, spectrum)
        light += np.take(_GRAIN, spectrum) * ground.grain
        light += np.float32(1.0)
        np.clip(light, 0.3, 2.0, out=light)
        return cls(spectrum, light, np.take(_PATCHES, spectrum) * ground.patch)

    def reflectance(self, table: ReflectanceTable, band: int) -> FloatArray:
        """Return the reflectance in one band of the table as a sensor sees it.

        Returns:
            float32 (y, x), smaller by `HALO` pixels at each side.
        """
        reflectance = np.take(table.thinner[band], self.spectrum)
        reflectance *= self.thinness
        reflectance += np.take(table.base[band], self.spectrum)
        reflectance *= self.light
        return spread(np.maximum(reflectance, np.float32(0.001), out=reflectance))


def spread(image: FloatArray) -> FloatArray:
    """Blur by the point spread of the instrument: binomial weights 1, 2, 1 in y and x.

    Their width at half maximum is about two pixels: between those of the 10 m bands before and
    after resampling to the delivered grid.

    Returns:
        float32 (y, x), smaller by one pixel at each side.
    """
    rows = image[1:-1] * np.float32(2.0)
    rows += image[:-2]
    rows += image[2:]
    blurred = rows[:, 1:-1] * np.float32(2.0)
    blurred += rows[:, :-2]
    blurred += rows[:, 2:]
    blurred *= np.float32(1.0 / 16.0)
    return blurred
