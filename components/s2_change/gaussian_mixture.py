"""Magnitudes as a mixture of two Gaussians, and its Bayes threshold.

Bruzzone and Prieto 2000, 10.1109/36.843009. Magnitudes are 1-D float64 arrays without NaN.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.s2_change.em import DegenerateMixtureError, initial_classes, maximise

Array = NDArray[np.float64]


@dataclass(frozen=True)
class GaussianMixture:
    """No change N(mean, sd) and change N(mean, sd), in units of the magnitude.

    prior_change: share of changed pixels, 0..1. log_likelihood: mean per pixel.
    """

    mean_no_change: float
    sd_no_change: float
    mean_change: float
    sd_change: float
    prior_change: float
    iterations: int = 0
    log_likelihood: float = float("nan")


def fit_gaussians(magnitudes: Array) -> GaussianMixture:
    """Fit two Gaussians by EM.

    Raises DegenerateMixtureError where the pixels are too few, constant, or of one class.
    """
    none, change = initial_classes(magnitudes)
    start = np.array([none.mean(), none.std(), change.mean(), change.std()])
    squares = magnitudes**2

    def log_densities(parameters: Array) -> tuple[Array, Array]:
        mean_n, sd_n, mean_c, sd_c = parameters
        return _log_normal(magnitudes, mean_n, sd_n), _log_normal(magnitudes, mean_c, sd_c)

    def update(weights: Array, _: Array) -> Array:
        return np.array(
            [
                *_weighted_moments(magnitudes, squares, 1.0 - weights),
                *_weighted_moments(magnitudes, squares, weights),
            ]
        )

    fit = maximise(start, change.size / (none.size + change.size), log_densities, update)
    mean_n, sd_n, mean_c, sd_c = map(float, fit.parameters)
    if mean_c <= mean_n:
        raise DegenerateMixtureError("the class of change lies below that of no change")
    return GaussianMixture(
        mean_n, sd_n, mean_c, sd_c, fit.prior_change, fit.iterations, fit.log_likelihood
    )


def gaussian_threshold(mixture: GaussianMixture) -> float:
    """Return the magnitude where both classes are equally probable (Bayes, equal costs).

    It is the first root above the mean of no change of the quadratic that equates both
    discriminant functions. Raises DegenerateMixtureError where there is none.
    """
    m = mixture
    precision_n, precision_c = m.sd_no_change**-2, m.sd_change**-2
    constant = (
        0.5 * (m.mean_no_change**2 * precision_n - m.mean_change**2 * precision_c)
        + np.log(m.prior_change * m.sd_no_change)
        - np.log((1.0 - m.prior_change) * m.sd_change)
    )
    linear = m.mean_change * precision_c - m.mean_no_change * precision_n
    quadratic = 0.5 * (precision_n - precision_c)
    # Equal spreads leave a linear equation; a leading 0 is no polynomial to numpy.
    excess = np.polynomial.Polynomial([constant, linear, quadratic]).trim()
    roots = excess.roots()
    above = roots[(np.abs(roots.imag) < 1e-9) & (roots.real > m.mean_no_change)].real
    if above.size == 0 or excess(m.mean_no_change) >= 0.0:
        raise DegenerateMixtureError("no change and change are nowhere equally probable")
    return float(above.min())


def _weighted_moments(values: Array, squares: Array, weights: Array) -> tuple[float, float]:
    total = weights.sum()
    mean = float(weights @ values / total)
    return mean, float(np.sqrt(max(weights @ squares / total - mean**2, 0.0)))


def _log_normal(values: Array, mean: float, sd: float) -> Array:
    normalised: Array = (values - mean) / sd
    return np.asarray(-0.5 * normalised**2 - np.log(sd * np.sqrt(2.0 * np.pi)))
