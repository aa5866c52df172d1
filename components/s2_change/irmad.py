"""Multivariate alteration detection (MAD) and its iteratively reweighted form (IR-MAD).

Nielsen, Conradsen and Simpson 1998, 10.1016/S0034-4257(97)00162-4 (MAD); Nielsen 2007,
10.1109/TIP.2006.888195 (IR-MAD). Arrays are (band, n) or (band, y, x) without standardisation:
the variates do not depend on gain and offset of any band of either date.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import svd
from scipy.special import chdtrc

FloatArray = NDArray[np.floating[Any]]
Matrix = NDArray[np.float64]

# Largest change of a canonical correlation between two iterations that counts as none.
TOLERANCE: Final = 1e-6
MAX_ITERATIONS: Final = 200

# Added to each variance, relative to it: keeps bands that repeat each other solvable and moves
# correlations by no more than itself.
REGULARISATION: Final = 1e-9

# A variate of correlation 1 has no variance to be measured in; this stands for it.
SMALLEST_VARIANCE: Final = 1e-12

# With fewer pixels of no change per band the covariances are noise.
PIXELS_PER_BAND: Final = 10


class DegenerateCorrelationError(ValueError):
    """The two dates cannot be correlated: too few pixels, or only constant bands."""


@dataclass(frozen=True)
class MadTransform:
    """From a pair to its MAD variates, U - V.

    before, after: (band, band) float64, one row of coefficients per variate, largest correlation
    last, as is customary. offset: (band,). variance: (band,), of each variate over no change.
    correlations: (band,), canonical. used: (band,) bool, bands that are not constant; the others
    have coefficients 0 and their variates are left out.
    """

    before: Matrix
    after: Matrix
    offset: Matrix
    variance: Matrix
    correlations: Matrix
    used: NDArray[np.bool_]
    iterations: int
    last_step: float
    converged: bool

    @property
    def variates(self) -> int:
        """How many variates there are: the degrees of freedom of chi2."""
        return int(self.correlations.size)


def fit_mad(before: FloatArray, after: FloatArray) -> MadTransform:
    """Return the MAD transform of a pair, (band, n), without NaN.

    Raises DegenerateCorrelationError where there are too few pixels or only constant bands.
    """
    return fit_irmad(before, after, max_iterations=1)


def fit_irmad(
    before: FloatArray,
    after: FloatArray,
    *,
    max_iterations: int = MAX_ITERATIONS,
    tolerance: float = TOLERANCE,
    regularisation: float = REGULARISATION,
) -> MadTransform:
    """Return the IR-MAD transform of a pair, (band, n), without NaN.

    Each pixel is weighted by its probability of no change, P(chi2 > observed), until no canonical
    correlation moves by more than `tolerance`. Raises DegenerateCorrelationError where there are
    too few pixels, too few of no change, or only constant bands.
    """
    first, second = before.astype(np.float64), after.astype(np.float64)
    used = (_spread(first) > 0.0) & (_spread(second) > 0.0)
    first, second = first[used], second[used]
    weights = np.ones(first.shape[1])
    correlations = np.full(first.shape[0], np.inf)
    for iteration in range(1, max_iterations + 1):
        if weights.sum() < PIXELS_PER_BAND * max(1, first.shape[0]) or not used.any():
            raise DegenerateCorrelationError(
                f"{weights.sum():.0f} pixels of no change in {first.shape[0]} bands that vary"
            )
        previous = correlations
        rows_before, rows_after, correlations, means = canonical_correlation(
            first, second, weights, regularisation
        )
        step = float(np.max(np.abs(correlations - previous)))
        variance = np.maximum(2.0 * (1.0 - correlations), SMALLEST_VARIANCE)
        offset = rows_after @ means[1] - rows_before @ means[0]
        if step < tolerance or iteration == max_iterations:
            break
        variates = rows_before @ first - rows_after @ second + offset[:, None]
        weights = no_change_probability(np.sum(variates**2 / variance[:, None], axis=0), used.sum())
    return MadTransform(
        before=_widen(rows_before, used),
        after=_widen(rows_after, used),
        offset=offset,
        variance=variance,
        correlations=correlations,
        used=used,
        iterations=iteration,
        last_step=step,
        converged=step < tolerance,
    )


def canonical_correlation(
    first: Matrix, second: Matrix, weights: Matrix, regularisation: float = REGULARISATION
) -> tuple[Matrix, Matrix, Matrix, tuple[Matrix, Matrix]]:
    """Return the weighted canonical correlation analysis of two sets of bands, (band, n) each.

    Gives the coefficients of both sets, (variate, band), such that the canonical variates have
    weighted variance 1 and correlation rho >= 0, the correlations in rising order, and the
    weighted means. Solved by the singular values of the whitened cross-covariance, after each
    band is scaled to variance 1 so that `regularisation` means the same for all.
    """
    total = weights.sum()
    means = (first @ weights / total, second @ weights / total)
    covariances = [
        ((a - mean_a[:, None]) * weights) @ (b - mean_b[:, None]).T / total
        for a, mean_a, b, mean_b in (
            (first, means[0], first, means[0]),
            (second, means[1], second, means[1]),
            (first, means[0], second, means[1]),
        )
    ]
    whiten_first = _whitening(covariances[0], regularisation)
    whiten_second = _whitening(covariances[1], regularisation)
    left, values, right = svd(whiten_first @ covariances[2] @ whiten_second.T)
    order = slice(None, None, -1)
    correlations = np.clip(values[order], 0.0, 1.0)
    return (left.T @ whiten_first)[order], (right @ whiten_second)[order], correlations, means


def mad_variates(transform: MadTransform, before: FloatArray, after: FloatArray) -> FloatArray:
    """Return the MAD variates in the type of the input, (variate, ...); NaN where missing."""
    dtype = before.dtype
    shape = before.shape[1:]
    variates: FloatArray = transform.before.astype(dtype) @ before.reshape(before.shape[0], -1)
    variates -= transform.after.astype(dtype) @ after.reshape(after.shape[0], -1)
    variates += transform.offset.astype(dtype)[:, None]
    return variates.reshape(-1, *shape)


def chi_magnitude(transform: MadTransform, before: FloatArray, after: FloatArray) -> FloatArray:
    """Return sqrt(chi2): the root of the sum of squared MAD variates over their variances.

    Shape (y, x) or (n,), in standard deviations of no change; NaN where missing.
    """
    scaled = mad_variates(transform, before, after)
    deviations = np.sqrt(transform.variance).astype(scaled.dtype)
    scaled /= deviations.reshape(-1, *(1,) * (scaled.ndim - 1))
    result: FloatArray = np.sqrt(np.einsum("b...,b...->...", scaled, scaled))
    return result


def no_change_probability(chi_square: FloatArray, degrees: int) -> NDArray[np.float64]:
    """Return the probability that a pixel without change would differ by at least so much."""
    probability: NDArray[np.float64] = chdtrc(degrees, chi_square)
    return probability


def _whitening(covariance: Matrix, regularisation: float) -> Matrix:
    """Return W with W C W^T = 1 for the regularised covariance."""
    scale = 1.0 / np.sqrt(np.diag(covariance))
    correlation = covariance * np.outer(scale, scale)
    correlation[np.diag_indices_from(correlation)] *= 1.0 + regularisation
    values, vectors = np.linalg.eigh(correlation)
    floor = max(regularisation, np.finfo(np.float64).eps) * values[-1]
    whitening: Matrix = (vectors / np.sqrt(np.maximum(values, floor))).T * scale
    return whitening


def _widen(rows: Matrix, used: NDArray[np.bool_]) -> Matrix:
    wide = np.zeros((rows.shape[0], used.size))
    wide[:, used] = rows
    return wide


def _spread(values: Matrix) -> Matrix:
    if values.shape[1] == 0:
        return np.zeros(values.shape[0])
    sd = values.std(axis=1)
    return np.where(sd > 1e-6 * np.abs(values.mean(axis=1)), sd, 0.0)
