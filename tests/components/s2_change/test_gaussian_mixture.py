import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import norm

from components.s2_change.em import DegenerateMixtureError
from components.s2_change.gaussian_mixture import (
    GaussianMixture,
    fit_gaussians,
    gaussian_threshold,
)


def draw(share: float, change: tuple[float, float], size: int = 100_000) -> np.ndarray:
    rng = np.random.default_rng(0)
    count = int(share * size)
    return np.concatenate([rng.normal(1.0, 0.3, size - count), rng.normal(*change, count)])


@pytest.mark.parametrize(("share", "change"), [(0.3, (3.0, 0.6)), (0.05, (4.0, 1.0))])
def test_em_recovers_a_known_mixture(share: float, change: tuple[float, float]) -> None:
    fit = fit_gaussians(draw(share, change))
    assert fit.prior_change == pytest.approx(share, rel=0.02)
    assert (fit.mean_no_change, fit.sd_no_change) == pytest.approx((1.0, 0.3), rel=0.01)
    assert (fit.mean_change, fit.sd_change) == pytest.approx(change, rel=0.03)


def test_one_outlier_does_not_decide_where_em_starts() -> None:
    # Half of the range would be 25: above every changed pixel.
    values = np.append(draw(0.2, (3.0, 0.6)), 50.0)
    assert fit_gaussians(values).mean_change == pytest.approx(3.0, abs=0.1)


@pytest.mark.parametrize(("sd", "prior"), [(0.6, 0.3), (0.3, 0.5), (0.3, 0.1), (0.2, 0.05)])
def test_the_threshold_is_where_both_classes_are_equally_probable(sd: float, prior: float) -> None:
    mixture = GaussianMixture(1.0, 0.3, 3.0, sd, prior)

    def log_odds(x: float) -> float:
        change = norm.logpdf(x, 3.0, sd) + np.log(prior)
        return float(change - norm.logpdf(x, 1.0, 0.3) - np.log(1.0 - prior))

    assert gaussian_threshold(mixture) == pytest.approx(brentq(log_odds, 1.0, 3.0), abs=1e-9)


def test_with_equal_spreads_and_priors_the_threshold_is_half_way() -> None:
    assert gaussian_threshold(GaussianMixture(1.0, 0.3, 3.0, 0.3, 0.5)) == pytest.approx(2.0)


def test_a_narrow_class_inside_a_wide_one_has_a_threshold_too() -> None:
    threshold = gaussian_threshold(GaussianMixture(1.0, 0.1, 1.2, 1.0, 0.2))
    assert 1.2 < threshold < 1.5


def test_change_that_is_nowhere_the_more_probable_has_no_threshold() -> None:
    with pytest.raises(DegenerateMixtureError):
        gaussian_threshold(GaussianMixture(1.0, 1.0, 1.1, 0.5, 1e-6))


@pytest.mark.parametrize("values", [np.ones(1000), np.arange(4.0), np.r_[np.zeros(1000), 1.0]])
def test_magnitudes_of_one_class_are_refused(values: np.ndarray) -> None:
    with pytest.raises(DegenerateMixtureError):
        fit_gaussians(values)
