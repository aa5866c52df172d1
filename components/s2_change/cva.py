"""Change vector analysis in compressed polar form: standardisation, magnitude, direction.

Bovolo, Marchesi and Bruzzone 2012 (C2VA), 10.1109/TGRS.2011.2171493. Arrays are (band, y, x) or
(band, n); NaN marks missing data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Standardisation:
    """How a pair becomes a difference: after * gain_after - before * gain_before + offset.

    Each is (band,) float64; the result has no unit after a z-score, reflectance without one.
    """

    gain_before: NDArray[np.float64]
    gain_after: NDArray[np.float64]
    offset: NDArray[np.float64]


def common_clear(before: FloatArray, after: FloatArray) -> NDArray[np.bool_]:
    """Return where both dates have a value in every band: (y, x) or (n,) bool."""
    clear: NDArray[np.bool_] = np.all(np.isfinite(before) & np.isfinite(after), axis=0)
    return clear


def no_standardisation(bands: int) -> Standardisation:
    """Return the plain difference after - before, in reflectance."""
    return Standardisation(np.ones(bands), np.ones(bands), np.zeros(bands))


def z_score(before: FloatArray, after: FloatArray) -> Standardisation:
    """Return the standardisation by mean and standard deviation of each band and date.

    before, after: (band, n), common clear pixels only, so that both dates see the same ground. A
    band that is constant on one of the dates carries no change and gets gain 0 on both.
    """
    mean_before, sd_before = _moments(before)
    mean_after, sd_after = _moments(after)
    alive = (sd_before > 0.0) & (sd_after > 0.0)
    gain_before = np.where(alive, 1.0 / np.where(alive, sd_before, 1.0), 0.0)
    gain_after = np.where(alive, 1.0 / np.where(alive, sd_after, 1.0), 0.0)
    return Standardisation(
        gain_before, gain_after, mean_before * gain_before - mean_after * gain_after
    )


def difference(
    standardisation: Standardisation, before: FloatArray, after: FloatArray
) -> FloatArray:
    """Return the change vectors, of the shape and type of the input; NaN where either date is."""
    extra = (1,) * (before.ndim - 1)

    def spread(values: NDArray[np.float64]) -> FloatArray:
        return values.astype(before.dtype).reshape(-1, *extra)

    result: FloatArray = after * spread(standardisation.gain_after)
    result -= before * spread(standardisation.gain_before)
    result += spread(standardisation.offset)
    return result


def magnitude(vectors: FloatArray) -> FloatArray:
    """Return rho = ||dX||, (y, x) or (n,), in the unit of the change vectors."""
    result: FloatArray = np.sqrt(np.einsum("b...,b...->...", vectors, vectors))
    return result


def direction(vectors: FloatArray, magnitudes: FloatArray | None = None) -> FloatArray:
    """Return alpha = arccos(sum dX / (sqrt(B) rho)) in degrees, 0..180 (C2VA).

    0: all bands rise alike; 180: all fall alike. NaN where the magnitude is 0 or missing.
    """
    rho = magnitude(vectors) if magnitudes is None else magnitudes
    with np.errstate(divide="ignore", invalid="ignore"):
        cosine = vectors.sum(axis=0) / (np.sqrt(vectors.shape[0]).astype(vectors.dtype) * rho)
    result: FloatArray = np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))
    return result


def _moments(values: FloatArray) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    mean = values.mean(axis=1, dtype=np.float64)
    sd = values.std(axis=1, dtype=np.float64)
    # The rounding of float32 leaves a constant band a deviation that is not quite 0.
    return mean, np.where(sd > 1e-6 * np.abs(mean), sd, 0.0)
