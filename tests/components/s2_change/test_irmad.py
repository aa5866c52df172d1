import numpy as np
import pytest
from scipy.linalg import eigh
from scipy.stats import chi2

from components.s2_change import irmad


def pair(changed_share: float = 0.0, bands: int = 4, size: int = 20_000) -> np.ndarray:
    """Two dates (2, band, n) of correlated bands; the first pixels changed."""
    rng = np.random.default_rng(0)
    ground = rng.normal(size=(bands, bands)) @ rng.normal(size=(bands, size))
    dates = np.stack([ground, 0.8 * ground + 0.1]) + rng.normal(0.0, 0.2, (2, bands, size))
    changed = int(changed_share * size)
    dates[1, :, :changed] += rng.normal(0.0, 3.0, (bands, 1)) + 3.0
    return dates


def test_correlations_solve_the_generalised_eigenproblem() -> None:
    # Independent: S12 S22^-1 S21 a = rho^2 S11 a, by another solver on the stacked covariance.
    before, after = pair()
    covariance = np.cov(np.concatenate([before, after]), bias=True)
    s11, s12, s22 = covariance[:4, :4], covariance[:4, 4:], covariance[4:, 4:]
    squares = eigh(s12 @ np.linalg.solve(s22, s12.T), s11, eigvals_only=True)
    found = irmad.fit_mad(before, after).correlations
    np.testing.assert_allclose(found, np.sqrt(squares), atol=1e-7)


def test_one_band_gives_pearsons_correlation() -> None:
    before, after = pair(bands=1)
    expected = abs(np.corrcoef(before[0], after[0])[0, 1])
    assert irmad.fit_mad(before, after).correlations[0] == pytest.approx(expected, abs=1e-8)


def test_weights_count_as_repeated_pixels() -> None:
    before, after = pair(size=500)
    weights = np.random.default_rng(1).integers(1, 4, 500)
    repeated = (np.repeat(date, weights, axis=1) for date in (before, after))
    weighted = irmad.canonical_correlation(before, after, weights.astype(float))[2]
    plain = irmad.canonical_correlation(*repeated, np.ones(weights.sum()))[2]
    np.testing.assert_allclose(weighted, plain, atol=1e-10)


def test_mad_variates_are_uncorrelated_with_variance_twice_one_minus_rho() -> None:
    before, after = pair()
    transform = irmad.fit_mad(before, after)
    variates = irmad.mad_variates(transform, before, after)
    np.testing.assert_allclose(
        np.cov(variates, bias=True), np.diag(2 * (1 - transform.correlations)), atol=1e-7
    )
    np.testing.assert_allclose(variates.mean(axis=1), 0.0, atol=1e-9)


@pytest.mark.parametrize("fit", [irmad.fit_mad, irmad.fit_irmad])
def test_gain_and_offset_of_any_band_change_nothing(fit: object) -> None:
    before, after = pair(changed_share=0.1)
    rng = np.random.default_rng(2)
    gains, offsets = rng.uniform(-3.0, 3.0, (2, 4, 1)), rng.uniform(-50.0, 50.0, (2, 4, 1))
    assert callable(fit)
    plain = irmad.chi_magnitude(fit(before, after), before, after)
    before, after = before * gains[0] + offsets[0], after * gains[1] + offsets[1]
    moved = irmad.chi_magnitude(fit(before, after), before, after)
    np.testing.assert_allclose(moved, plain, rtol=1e-5)


def test_chi_square_of_unchanged_ground_follows_its_distribution() -> None:
    before, after = pair()
    square = irmad.chi_magnitude(irmad.fit_mad(before, after), before, after) ** 2
    for quantile in (0.1, 0.5, 0.9, 0.99):
        assert np.mean(square < chi2.ppf(quantile, 4)) == pytest.approx(quantile, abs=0.01)
    np.testing.assert_allclose(irmad.no_change_probability(square, 4), chi2.sf(square, 4))


def test_iteration_takes_changed_pixels_out_of_the_statistics() -> None:
    clean, mixed = irmad.fit_mad(*pair()), pair(changed_share=0.2)
    plain, iterated = irmad.fit_mad(*mixed), irmad.fit_irmad(*mixed)
    assert iterated.converged
    error, plain_error = (
        np.abs(found.correlations - clean.correlations).max() for found in (iterated, plain)
    )
    # Weighting by the probability of no change also trims unchanged pixels, hence not nearer.
    assert error < 0.6 * plain_error
    # The same trimming makes chi2 of unchanged ground too large, but leaves change well apart.
    magnitudes = irmad.chi_magnitude(iterated, *mixed)
    assert np.quantile(magnitudes[4000:], 0.999) < np.quantile(magnitudes[:4000], 0.001)


def test_constant_and_repeated_bands_are_no_fault() -> None:
    before, after = pair()
    before = np.concatenate([before, before[:1], np.ones((1, before.shape[1]))])
    after = np.concatenate([after, after[:1], after[:1]])
    transform = irmad.fit_irmad(before, after)
    assert transform.used.tolist() == [True] * 5 + [False]
    assert np.isfinite(irmad.chi_magnitude(transform, before, after)).all()


def test_the_same_date_twice_has_no_change() -> None:
    before = pair()[0]
    transform = irmad.fit_irmad(before, before.copy())
    assert irmad.chi_magnitude(transform, before, before).max() < 0.01


@pytest.mark.parametrize("bad", [np.ones((3, 1000)), np.random.default_rng(0).normal(size=(3, 8))])
def test_what_cannot_be_correlated_is_refused(bad: np.ndarray) -> None:
    with pytest.raises(irmad.DegenerateCorrelationError):
        irmad.fit_irmad(bad, bad)


def test_missing_pixels_stay_missing() -> None:
    before, after = pair()
    transform = irmad.fit_mad(before, after)
    window = before.reshape(4, 100, 200).copy()
    window[2, 5, 7] = np.nan
    found = irmad.chi_magnitude(transform, window, after.reshape(4, 100, 200))
    assert np.argwhere(np.isnan(found)).tolist() == [[5, 7]]
