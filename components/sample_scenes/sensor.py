"""From light to stored integers: pixel size, noise, ESA's encoding, scene classification."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from components.sample_scenes.bands import BANDS, BandName
from components.sample_scenes.noise import FloatArray, SmoothField
from components.sample_scenes.pixels import Pixels

# reflectance = (stored + BOA_ADD_OFFSET) / BOA_QUANTIFICATION_VALUE, stored 0 is nodata:
# Sentinel-2 Products Specification Document, since processing baseline 04.00.
BOA_QUANTIFICATION_VALUE = 10000
BOA_ADD_OFFSET = -1000
NODATA = 0

# NDVI above which ground counts as vegetation.
_VEGETATION = 0.42
# Part of the noise that all bands and neighbouring pixels share (view angle, adjacency).
_SHARED = 0.45
_SHARED_SPACING = 3.0


@dataclass(frozen=True)
class Sensor:
    """The instrument over one block on one date.

    Args:
        seed: of the date.
        pixels: of the block, 10 m.
        beyond: which of them it does not see, bool (y, x); whole pixels of 20 m.
    """

    seed: int
    pixels: Pixels
    beyond: NDArray[np.bool_]

    @cached_property
    def _shared_noise(self) -> dict[int, FloatArray]:
        """Noise that the bands share, float32 (y, x), by pixel size (m)."""
        fine = SmoothField.named(self.seed, "shared noise", _SHARED_SPACING).sample(self.pixels)
        return {10: fine, 20: halve(fine)}

    def store(self, reflectance: FloatArray, band: BandName) -> NDArray[np.uint16]:
        """Add noise and encode.

        Args:
            reflectance: at the band's pixel size, float32 (y, x).
            band: whose it is.

        Returns:
            uint16 (y, x); 0 is nodata.
        """
        # Two dates differ by the square root of 2 times the noise of one.
        sd = BANDS[band].noise / 2**0.5
        key = [self.seed, int(self.pixels.rows[0]), int(self.pixels.cols[0]), *band.encode()]
        noise = np.random.Generator(np.random.SFC64(key)).standard_normal(
            reflectance.shape, np.float32
        )
        noise *= np.float32(sd * (1 - _SHARED**2) ** 0.5)
        noise += np.float32(sd * _SHARED) * self._shared_noise[BANDS[band].gsd]
        noise += reflectance
        noise *= np.float32(BOA_QUANTIFICATION_VALUE)
        noise -= np.float32(BOA_ADD_OFFSET - 0.5)
        stored = np.clip(noise, NODATA + 1, 65535).astype(np.uint16)
        stored[self._unseen(BANDS[band].gsd)] = NODATA
        return stored

    def classify(
        self,
        light: Mapping[BandName, FloatArray],
        water: FloatArray,
        cloud: FloatArray,
        shadow: FloatArray,
    ) -> NDArray[np.uint8]:
        """Classify the scene as Level-2A delivers it (class numbers of Sen2Cor's SCL).

        Args:
            light: reflectance in B04 and B08, float32 (y, x) at 20 m like all arguments.
            water: share of water, 0 to 1.
            cloud: light blocked by clouds, 0 to 1.
            shadow: light blocked by cloud shadows, 0 to 1.

        Returns:
            uint8 (y, x) at 20 m; 0 is nodata.
        """
        red, infrared = light["B04"], light["B08"]
        ndvi = (infrared - red) / np.maximum(infrared + red, np.float32(1e-3))
        scl = np.where(ndvi > _VEGETATION, np.uint8(4), np.uint8(5))
        scl[water > 0.5] = 6
        scl[shadow > 0.08] = 7
        scl[shadow > 0.16] = 3
        scl[cloud > 0.02] = 10
        scl[cloud > 0.12] = 8
        scl[cloud > 0.45] = 9
        scl[self._unseen(20)] = NODATA
        return scl

    def _unseen(self, gsd: int) -> NDArray[np.bool_]:
        return self.beyond if gsd == 10 else self.beyond[::2, ::2]


def halve(image: FloatArray) -> FloatArray:
    """Return the mean of each 2 x 2 pixels, float32 (y / 2, x / 2)."""
    rows = image[0::2] + image[1::2]
    total: FloatArray = rows[:, 0::2] + rows[:, 1::2]
    total *= np.float32(0.25)
    return total
