import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import rayleigh, rice

from components.s2_change.em import DegenerateMixtureError
from components.s2_change.rayleigh_rice import (
    RayleighRiceMixture,
    fit_rayleigh_rice,
    log_rice,
    rayleigh_rice_threshold,
)


@pytest.mark.parametrize(("noncentrality", "scale"), [(0.0, 0.4), (2.0, 0.5), (300.0, 0.7)])
def test_the_density_is_that_of_the_rice_distribution(noncentrality: float, scale: float) -> None:
    values = np.linspace(max(0.01, noncentrality - 2.0), noncentrality + 2.0, 50)
    expected = rice.logpdf(values, noncentrality / scale, scale=scale)
    np.testing.assert_allclose(log_rice(values, noncentrality, scale), expected, rtol=1e-9)


@pytest.mark.parametrize("share", [0.3, 0.05])
def test_em_recovers_the_difference_vectors_of_two_bands(share: float) -> None:
    # The length of a Gaussian vector in two bands is Rayleigh, about a shifted mean it is Rice.
    rng = np.random.default_rng(0)
    changed = rng.uniform(size=200_000) < share
    vectors = rng.normal(0.0, np.where(changed, 0.8, 0.5), (2, changed.size))
    vectors[0] += 4.0 * changed
    fit = fit_rayleigh_rice(np.hypot(*vectors))
    assert fit.prior_change == pytest.approx(share, rel=0.03)
    assert fit.scale_no_change == pytest.approx(0.5, rel=0.01)
    assert fit.noncentrality_change == pytest.approx(4.0, rel=0.01)
    assert fit.scale_change == pytest.approx(0.8, rel=0.03)


def test_the_threshold_is_where_both_classes_are_equally_probable() -> None:
    threshold = rayleigh_rice_threshold(RayleighRiceMixture(0.5, 4.0, 0.8, 0.1))

    def log_odds(x: float) -> float:
        change = rice.logpdf(x, 4.0 / 0.8, scale=0.8) + np.log(0.1)
        return float(change - rayleigh.logpdf(x, scale=0.5) - np.log(0.9))

    assert threshold == pytest.approx(brentq(log_odds, 0.5, 4.0), abs=1e-9)


def test_change_that_is_nowhere_the_more_probable_has_no_threshold() -> None:
    with pytest.raises(DegenerateMixtureError):
        rayleigh_rice_threshold(RayleighRiceMixture(1.0, 0.1, 0.5, 0.01))


def test_equal_magnitudes_are_refused() -> None:
    with pytest.raises(DegenerateMixtureError):
        fit_rayleigh_rice(np.full(1000, 0.5))
