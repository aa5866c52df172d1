"""Random fields that are functions of the pixel's position.

Every value follows from the seed, the name of the field and the position alone, so a scene may be
computed in blocks of any size and order and always comes out the same.
"""

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from components.sample_scenes.pixels import Pixels

FloatArray = NDArray[np.float32]
HashArray = NDArray[np.uint32]

# Multipliers of the 32-bit finaliser of MurmurHash3 (public domain, A. Appleby):
# https://github.com/aappleby/smhasher/blob/master/src/MurmurHash3.cpp
_MIX_1 = np.uint32(0x85EBCA6B)
_MIX_2 = np.uint32(0xC2B2AE35)
# An odd constant near 2**32 over the golden ratio spreads consecutive integers.
_SPREAD = np.uint32(0x9E3779B1)
# Independent values of variance 1, joined by cubic B-splines, have on average over the position
# the variance (151/315)**2: the integral of the squared spline, in each of two dimensions.
_SPLINE_SD = 151.0 / 315.0
# Uniform values on [0, 1) have the standard deviation 1/sqrt(12).
_UNIFORM_TO_UNIT = float(np.sqrt(12.0))
# Standard deviation of the sum of the four bytes of a uniform 32-bit word.
_BYTES_SD = float(np.sqrt(4 * (256**2 - 1) / 12))


def named_seed(seed: int, name: str) -> int:
    """Return the seed (0 to 2**32 - 1) of one of a scene's fields."""
    return zlib.crc32(f"{seed}/{name}".encode())


def hash_integers(seed: int, *keys: ArrayLike) -> HashArray:
    """Return evenly distributed 32-bit words for keys.

    Args:
        seed: keys give other words under another seed.
        keys: whole numbers, as integers or floats, that broadcast to the shape of the result.
    """
    state = np.atleast_1d(np.uint32(seed))
    for key in keys:
        word = np.atleast_1d(np.asarray(key))
        if word.dtype.kind == "f":
            word = word.astype(np.int32)
        # Conversion to unsigned takes integers modulo 2**32, negative ones too.
        state = _finalise(state ^ (word.astype(np.uint32) * _SPREAD))
    return state


def hash_units(seed: int, *keys: ArrayLike) -> FloatArray:
    """Return what `hash_integers` does, as float32 in [0, 1)."""
    return unit_interval(hash_integers(seed, *keys))


def hash_unit(seed: int, key: int) -> float:
    """Return one number in [0, 1) for one key."""
    return float(hash_units(seed, key)[0])


def unit_interval(words: HashArray) -> FloatArray:
    """Return 32-bit words as float32 in [0, 1)."""
    # 24 bits are what float32 holds exactly: rounding can never reach 1.
    return (words >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-24)


def pixel_noise(seed: int, pixels: Pixels) -> FloatArray:
    """Return white noise, float32 (y, x) with mean 0 and standard deviation 1.

    It is nearly Gaussian: the sum of four uniform values.
    """
    words = hash_integers(seed, pixels.rows[:, None], pixels.cols[None, :])
    total = np.zeros(words.shape, np.float32)
    for byte in range(4):
        total += ((words >> np.uint32(8 * byte)) & np.uint32(255)).astype(np.float32)
    total -= np.float32(4 * 127.5)
    total *= np.float32(1.0 / _BYTES_SD)
    return total


@dataclass(frozen=True)
class SmoothField:
    """A stationary random field: random values on a square lattice, joined by cubic B-splines.

    Args:
        seed: of the field.
        spacing: distance of the lattice points in pixels; detail is about twice as large.
    """

    seed: int
    spacing: float

    @classmethod
    def named(cls, seed: int, name: str, spacing: float) -> "SmoothField":
        """Return the field of that name among the fields of a seed."""
        return cls(named_seed(seed, name), spacing)

    def sample(self, pixels: Pixels, along: tuple[int, int] = (0, 0)) -> FloatArray:
        """Return the field at pixels, float32 (y, x): mean 0, standard deviation about 1.

        Args:
            pixels: where.
            along: order of the derivative (0 or 1) per pixel in y and x.
        """
        if 0 in pixels.shape:
            return np.zeros(pixels.shape, np.float32)
        first_row, row_weights = self._weights(pixels.rows, along[0])
        first_col, col_weights = self._weights(pixels.cols, along[1])
        lattice = hash_units(
            self.seed,
            (first_row + np.arange(row_weights.shape[1]))[:, None],
            (first_col + np.arange(col_weights.shape[1]))[None, :],
        )
        lattice -= np.float32(0.5)
        lattice *= np.float32(_UNIFORM_TO_UNIT / _SPLINE_SD)
        return np.asarray(row_weights @ lattice @ col_weights.T, np.float32)

    def _weights(self, axis: NDArray[np.int64], derivative: int) -> tuple[int, FloatArray]:
        """Return the first lattice index in reach and weights (pixel, lattice point)."""
        position = axis / self.spacing
        cell = np.floor(position).astype(np.int64)
        t = position - cell
        if derivative:
            basis = np.stack(
                [-0.5 * (1 - t) ** 2, 1.5 * t**2 - 2 * t, -1.5 * t**2 + t + 0.5, 0.5 * t**2]
            )
            basis /= self.spacing
        else:
            basis = np.stack(
                [
                    (1 - t) ** 3 / 6,
                    0.5 * t**3 - t**2 + 2 / 3,
                    -0.5 * t**3 + 0.5 * t**2 + 0.5 * t + 1 / 6,
                    t**3 / 6,
                ]
            )
        first = int(cell.min()) - 1
        weights = np.zeros((position.size, int(cell.max()) - first + 3), np.float32)
        index = np.arange(position.size)
        for offset, part in enumerate(basis):
            weights[index, cell - 1 - first + offset] = part
        return first, weights


def smooth_step(values: FloatArray, low: float, high: float) -> FloatArray:
    """Return 0 below `low`, 1 above `high`, a smooth rise between (float32, same shape)."""
    t = np.clip((values - np.float32(low)) * np.float32(1.0 / (high - low)), 0.0, 1.0)
    result: FloatArray = t * t * (np.float32(3.0) - np.float32(2.0) * t)
    return result


def _finalise(words: HashArray) -> HashArray:
    words = words ^ (words >> np.uint32(16))
    words = words * _MIX_1
    words ^= words >> np.uint32(13)
    words *= _MIX_2
    words ^= words >> np.uint32(16)
    return words
