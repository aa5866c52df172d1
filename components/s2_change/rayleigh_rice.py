"""Magnitudes as a mixture of a Rayleigh and a Rice distribution, and its Bayes threshold.

Zanetti, Bovolo and Bruzzone 2015, 10.1109/TIP.2015.2474710. Magnitudes are 1-D float64 arrays
without NaN.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import i0e, i1e

from components.s2_change.em import DegenerateMixtureError, initial_classes, maximise

Array = NDArray[np.float64]

# How finely the first crossing of the two densities is looked for before it is refined.
GRID: Final = 1025


@dataclass(frozen=True)
class RayleighRiceMixture:
    """No change Rayleigh(scale) and change Rice(noncentrality, scale), in units of the magnitude.

    prior_change: share of changed pixels, 0..1. log_likelihood: mean per pixel.
    """

    scale_no_change: float
    noncentrality_change: float
    scale_change: float
    prior_change: float
    iterations: int = 0
    log_likelihood: float = float("nan")


def fit_rayleigh_rice(magnitudes: Array) -> RayleighRiceMixture:
    """Fit a Rayleigh and a Rice distribution by EM.

    Raises DegenerateMixtureError where the pixels are too few, constant, or of one class.
    """
    none, change = initial_classes(magnitudes)
    squares = magnitudes**2
    sum_of_squares = float(squares.sum())
    start = np.array([np.sqrt(np.mean(none**2) / 2.0), change.mean(), change.std()])

    def log_densities(parameters: Array) -> tuple[Array, Array]:
        scale_n, noncentrality, scale_c = parameters
        return log_rice(magnitudes, 0.0, scale_n), log_rice(magnitudes, noncentrality, scale_c)

    def update(weights: Array, parameters: Array) -> Array:
        _, noncentrality, scale_c = parameters
        total, power = float(weights.sum()), float(weights @ squares)
        argument = magnitudes * (noncentrality / scale_c**2)
        # I1/I0 of the exponentially scaled functions: finite for any argument.
        new = float(weights @ (magnitudes * (i1e(argument) / i0e(argument)))) / total
        return np.array(
            [
                np.sqrt((sum_of_squares - power) / (2.0 * (weights.size - total))),
                new,
                np.sqrt(max(power / total - new**2, 0.0) / 2.0),
            ]
        )

    fit = maximise(start, change.size / (none.size + change.size), log_densities, update)
    scale_n, noncentrality, scale_c = map(float, fit.parameters)
    return RayleighRiceMixture(
        scale_n, noncentrality, scale_c, fit.prior_change, fit.iterations, fit.log_likelihood
    )


def rayleigh_rice_threshold(mixture: RayleighRiceMixture) -> float:
    """Return the magnitude where both classes are equally probable (Bayes, equal costs).

    It is the first such above the mode of no change. Raises DegenerateMixtureError where there
    is none.
    """
    m = mixture
    log_odds = np.log(m.prior_change) - np.log1p(-m.prior_change)

    def excess(values: Array) -> Array:
        change = log_rice(values, m.noncentrality_change, m.scale_change)
        none = log_rice(values, 0.0, m.scale_no_change)
        return np.asarray(change - none + log_odds)

    top = max(m.noncentrality_change, m.scale_no_change) + 6.0 * m.scale_change
    grid = np.linspace(m.scale_no_change, top, GRID)
    signs = excess(grid) >= 0.0
    rises = np.flatnonzero(~signs[:-1] & signs[1:])
    if signs[0] or rises.size == 0:
        raise DegenerateMixtureError("no change and change are nowhere equally probable")
    low, high = grid[rises[0]], grid[rises[0] + 1]
    return float(brentq(lambda value: float(excess(np.array([value]))[0]), low, high))


def log_rice(values: Array, noncentrality: float, scale: float) -> Array:
    """Return the log density of Rice(noncentrality, scale); of Rayleigh(scale) where it is 0."""
    # i0e(x) is exp(-x) I0(x): it completes the square and keeps the exponential finite.
    bessel: Array = i0e(values * (noncentrality / scale**2))
    exponent: Array = -((values - noncentrality) ** 2) / (2.0 * scale**2)
    factor: Array = np.log(np.maximum(values, 1e-300) / scale**2)
    return np.asarray(factor + exponent + np.log(bessel))
