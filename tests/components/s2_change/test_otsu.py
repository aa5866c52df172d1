import numpy as np
import pytest
from skimage.filters import threshold_otsu

from components.s2_change.otsu import otsu_threshold, robust_otsu_threshold


def exact(values: np.ndarray) -> float:
    """The split of largest between-class variance among all splits of the sorted values."""
    ordered = np.sort(values)
    low = np.arange(1, ordered.size)
    sums = np.cumsum(ordered)
    gap = sums[:-1] / low - (sums[-1] - sums[:-1]) / (ordered.size - low)
    return float(ordered[np.argmax(low * (ordered.size - low) * gap**2)])


def two_classes(share: float) -> np.ndarray:
    rng = np.random.default_rng(0)
    count = int(20_000 * share)
    return np.abs(
        np.concatenate([rng.normal(1.0, 0.4, 20_000 - count), rng.normal(4.0, 1.0, count)])
    )


def test_threshold_equals_scikit_image_and_the_exhaustive_search() -> None:
    values = two_classes(0.3)
    assert otsu_threshold(values) == threshold_otsu(values, nbins=4096)
    assert otsu_threshold(values) == pytest.approx(exact(values), abs=0.01)


def test_an_outlier_does_not_coarsen_the_histogram() -> None:
    values = np.append(two_classes(0.3), 60.0)
    assert otsu_threshold(values) == pytest.approx(exact(values), abs=0.05)


def test_where_change_is_common_the_robust_form_is_otsus() -> None:
    values = two_classes(0.3)
    assert robust_otsu_threshold(values) == (otsu_threshold(values), False)


def test_a_few_very_strong_changes_do_not_hide_weaker_ones() -> None:
    rng = np.random.default_rng(1)
    none, weak, strong = (
        rng.rayleigh(3.0, 100_000),
        rng.normal(35, 3, 2000),
        rng.normal(200, 9, 500),
    )
    values = np.concatenate([none, weak, strong])
    assert otsu_threshold(values) > weak.max()
    threshold, winsorised = robust_otsu_threshold(values)
    assert winsorised
    assert np.quantile(none, 0.999) < threshold < weak.min()


def test_equal_magnitudes_are_all_unchanged() -> None:
    assert otsu_threshold(np.full(10, 2.0)) == 2.0


def test_no_magnitudes_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        otsu_threshold(np.empty(0))
