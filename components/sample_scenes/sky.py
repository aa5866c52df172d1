"""Sun, air and clouds of one date."""

import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property

import numpy as np

from components.sample_scenes.bands import BANDS, BandName
from components.sample_scenes.noise import (
    FloatArray,
    SmoothField,
    hash_unit,
    named_seed,
    smooth_step,
)
from components.sample_scenes.pixels import PIXEL_M, Pixels

# Cumulus: lattice spacings (pixels) and weights of the noise that thresholding makes clouds of.
_CLOUD_OCTAVES = ((110.0, 1.0), (48.0, 0.62), (21.0, 0.36), (9.0, 0.22), (3.5, 0.13))
_CLOUD_STEP = 16
_CLOUD_EDGE = 0.34
# Reflectance of an opaque cloud: ice and droplets absorb in the shortwave infrared.
_CLOUD_REFLECTANCE: dict[BandName, float] = {
    "B02": 0.62, "B03": 0.61, "B04": 0.61, "B05": 0.62, "B06": 0.63, "B07": 0.63, "B08": 0.63,
    "B8A": 0.63, "B11": 0.46, "B12": 0.33,
}  # fmt: skip
# What a full shadow leaves of the light: the sky's share, largest in the blue.
_SHADOW_LIGHT: dict[BandName, float] = {
    "B02": 0.62, "B03": 0.54, "B04": 0.48, "B05": 0.46, "B06": 0.43, "B07": 0.41, "B08": 0.40,
    "B8A": 0.39, "B11": 0.34, "B12": 0.33,
}  # fmt: skip
# Range of the difference in level between a clear and a hazy date, reflectance in B02;
# what the air correction leaves over. BANDS[...].haze carries it over to the other bands.
_HAZE_RANGE = (0.014, 0.018)
_HAZE_SD = 0.0008
_GAIN_ERROR = 0.012
_CLOUD_HEIGHT_M = (900.0, 1800.0)
# A descending Sentinel-2 passes the latitudes of Europe shortly after 11 h mean solar time.
_PASS_SOLAR_TIME_H = 11.1


@dataclass(frozen=True)
class Sun:
    """Where the sun stands, degrees: azimuth clockwise from north, elevation above horizon."""

    azimuth: float
    elevation: float


def sensing_time(day: date, longitude: float) -> datetime:
    """Return when a Sentinel-2 passes a longitude (degrees east) on a day, UTC."""
    hours = (_PASS_SOLAR_TIME_H - longitude / 15.0) % 24
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return start + timedelta(seconds=round(hours * 3600))


def sun_position(time: datetime, longitude: float, latitude: float) -> Sun:
    """Return the position of the sun, to 0.1 degrees.

    Low-precision formulas of the Astronomical Almanac (U.S. Naval Observatory; Michalsky 1988,
    10.1016/0038-092X(88)90045-X), without refraction.

    Args:
        time: UTC.
        longitude: degrees east.
        latitude: degrees north.
    """
    days = (time - datetime(2000, 1, 1, 12, tzinfo=UTC)).total_seconds() / 86400.0
    mean_longitude = 280.460 + 0.9856474 * days
    anomaly = math.radians(357.528 + 0.9856003 * days)
    ecliptic = math.radians(
        mean_longitude + 1.915 * math.sin(anomaly) + 0.020 * math.sin(2 * anomaly)
    )
    obliquity = math.radians(23.439 - 0.0000004 * days)
    ascension = math.atan2(math.cos(obliquity) * math.sin(ecliptic), math.cos(ecliptic))
    declination = math.asin(math.sin(obliquity) * math.sin(ecliptic))
    sidereal = math.radians((6.697375 + 0.0657098242 * days) * 15 + longitude)
    hours = time.hour + time.minute / 60 + time.second / 3600
    angle = sidereal + math.radians(15 * hours) - ascension
    north = math.radians(latitude)
    elevation = math.asin(
        math.sin(declination) * math.sin(north)
        + math.cos(declination) * math.cos(north) * math.cos(angle)
    )
    azimuth = math.atan2(
        -math.sin(angle),
        math.tan(declination) * math.cos(north) - math.sin(north) * math.cos(angle),
    )
    return Sun(math.degrees(azimuth) % 360, math.degrees(elevation))


@dataclass(frozen=True)
class Sky:
    """Air and clouds over a scene on one date.

    Args:
        seed: of the date.
        size: pixels per side of the scene.
        sun: where it stands.
        cloud_share: of the scene under clouds, 0 to 1.
        hazy: whether the air is hazier than the correction assumes.
    """

    seed: int
    size: int
    sun: Sun
    cloud_share: float
    hazy: bool

    def haze(self, pixels: Pixels) -> FloatArray:
        """Return the reflectance that the air adds in B02, float32 (y, x)."""
        low, high = _HAZE_RANGE
        level = low + (high - low) * hash_unit(self.seed, 1) if self.hazy else 0.0
        haze = SmoothField.named(self.seed, "haze", 400.0).sample(pixels)
        haze *= np.float32(_HAZE_SD)
        haze += np.float32(level)
        return haze

    def gain(self, band: BandName) -> float:
        """Return the error of the illumination correction, a factor near 1."""
        return 1.0 + _GAIN_ERROR * (2 * hash_unit(named_seed(self.seed, band), 2) - 1)

    def clouds(self, pixels: Pixels) -> tuple[FloatArray, FloatArray]:
        """Return how much of the light clouds and their shadows block, 0 to 1.

        Returns:
            Clouds and shadows, float32 (y, x) each.
        """
        if self.cloud_share <= 0:
            return np.zeros(pixels.shape, np.float32), np.zeros(pixels.shape, np.float32)
        rows, cols = self.shadow_shift
        return self._cover(pixels), self._cover(pixels.shifted(-rows, -cols))

    @cached_property
    def shadow_shift(self) -> tuple[int, int]:
        """Rows and columns from a cloud to its shadow: away from the sun."""
        low, high = _CLOUD_HEIGHT_M
        height = low + (high - low) * hash_unit(named_seed(self.seed, "height"), 0)
        reach = height / math.tan(math.radians(self.sun.elevation)) / PIXEL_M
        azimuth = math.radians(self.sun.azimuth)
        return round(reach * math.cos(azimuth)), round(-reach * math.sin(azimuth))

    @cached_property
    def _threshold(self) -> float:
        """Noise level at which clouds begin, so that their share is right in this scene."""
        axis = np.arange(0, self.size, min(_CLOUD_STEP, max(1, self.size // 64)))
        noise = self._noise(Pixels(axis, axis))
        # An edge counts as cloud from about a quarter of its width on.
        return float(np.quantile(noise, 1 - self.cloud_share)) - 0.25 * _CLOUD_EDGE

    def _cover(self, pixels: Pixels) -> FloatArray:
        return smooth_step(self._noise(pixels), self._threshold, self._threshold + _CLOUD_EDGE)

    def _noise(self, pixels: Pixels) -> FloatArray:
        total = np.zeros(pixels.shape, np.float32)
        for spacing, weight in _CLOUD_OCTAVES:
            field = SmoothField.named(self.seed, f"cloud {spacing}", spacing)
            total += np.float32(weight) * field.sample(pixels)
        return total


def veil(
    reflectance: FloatArray, band: BandName, haze: FloatArray, cloud: FloatArray, shadow: FloatArray
) -> None:
    """Add air, shadows and clouds to the reflectance of a band, in place; float32 (y, x) each."""
    if bool(shadow.any()):
        reflectance *= np.float32(1.0) - np.float32(1.0 - _SHADOW_LIGHT[band]) * shadow
    reflectance += np.float32(BANDS[band].haze) * haze
    if bool(cloud.any()):
        bright = np.float32(_CLOUD_REFLECTANCE[band])
        # Thick middles of clouds are brighter than their edges.
        reflectance += cloud * (bright * (np.float32(0.7) + np.float32(0.5) * cloud) - reflectance)
