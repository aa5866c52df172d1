"""Expectation maximisation for two classes of magnitudes, no change and change.

What the mixture models share: where EM starts, how it runs, and when there is no second class.
Magnitudes are 1-D float64 arrays without NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from components.s2_change.otsu import otsu_threshold

Array = NDArray[np.float64]

# Bruzzone and Prieto (2000, 10.1109/36.843009) start from the magnitudes below (1 - alpha) and
# above (1 + alpha) times the middle of the range; alpha hardly matters.
INITIAL_ALPHA: Final = 0.5

# One outlier would move the middle of the range, and the start would hold no other pixel.
RANGE_QUANTILE: Final = 0.999

# Of the mean log-likelihood per pixel. The likelihood is flat where classes overlap; where two
# classes are there, some 30 iterations are enough.
TOLERANCE: Final = 1e-8
MAX_ITERATIONS: Final = 300

# A class of fewer pixels than this says nothing about its spread.
SMALLEST_CLASS: Final = 5


class DegenerateMixtureError(ValueError):
    """The magnitudes hold no second class that the model could describe."""


class Fit(NamedTuple):
    """What EM found: (parameter,) in the model's order, and how it ended.

    prior_change: share of change, 0..1. log_likelihood: mean per pixel.
    """

    parameters: Array
    prior_change: float
    iterations: int
    log_likelihood: float


def initial_classes(magnitudes: Array) -> tuple[Array, Array]:
    """Return the surest magnitudes of no change and of change.

    Raises DegenerateMixtureError where the pixels are too few or hold no two classes.
    """
    if magnitudes.size < 2 * SMALLEST_CLASS:
        raise DegenerateMixtureError(f"there are only {magnitudes.size} pixels")
    low, high = magnitudes.min(), np.quantile(magnitudes, RANGE_QUANTILE)
    middle = float(low + high) / 2.0
    none = magnitudes[magnitudes < middle * (1.0 - INITIAL_ALPHA)]
    change = magnitudes[magnitudes > middle * (1.0 + INITIAL_ALPHA)]
    if min(none.size, change.size) < SMALLEST_CLASS:
        # The range says little about such a distribution; start from the best two-way split.
        split = otsu_threshold(magnitudes)
        none, change = magnitudes[magnitudes <= split], magnitudes[magnitudes > split]
    if min(none.size, change.size) < SMALLEST_CLASS or none.std() == 0.0 or change.std() == 0.0:
        raise DegenerateMixtureError("the magnitudes hold no two classes to start from")
    return none, change


def maximise(
    parameters: Array,
    prior_change: float,
    log_densities: Callable[[Array], tuple[Array, Array]],
    update: Callable[[Array, Array], Array],
) -> Fit:
    """Run EM from the given start until the likelihood stands still.

    log_densities: parameters -> log density of every pixel under no change and under change.
    update: (probability of change of every pixel, parameters) -> new parameters. Raises
    DegenerateMixtureError where one class loses its pixels or its spread.
    """
    likelihood, iterations = -np.inf, 0
    while iterations < MAX_ITERATIONS:
        iterations += 1
        none, change = log_densities(parameters)
        none += np.log1p(-prior_change)
        change += np.log(prior_change)
        both = np.logaddexp(none, change)
        previous, likelihood = likelihood, float(both.mean())
        if likelihood - previous < TOLERANCE:
            break
        weights = np.exp(change - both)
        total = float(weights.sum())
        if not SMALLEST_CLASS <= total <= weights.size - SMALLEST_CLASS:
            raise DegenerateMixtureError("one of the two classes has no pixels")
        parameters, prior_change = update(weights, parameters), total / weights.size
        if not (np.all(np.isfinite(parameters)) and np.all(parameters > 0.0)):
            raise DegenerateMixtureError("one of the two classes shrank to a single value")
    return Fit(parameters, prior_change, iterations, likelihood)
