import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from components.s2_change.coherence import coherent_threshold, morans_i
from components.s2_change.thresholds import NO_CHANGE, find_threshold, manual_threshold

RULES = ("em", "rayleigh-rice", "otsu")


def noise(bands: int = 4, side: int = 120) -> np.ndarray:
    vectors = np.random.default_rng(0).normal(size=(bands, 1, side, side))
    return np.sqrt((vectors**2).sum(axis=0))


def patches() -> tuple[np.ndarray, np.ndarray]:
    """Magnitudes of noise, and of three square changes; which pixels those are."""
    magnitudes, changed = noise(), np.zeros((1, 120, 120), dtype=bool)
    for top, left, side in ((10, 20, 12), (50, 70, 20), (100, 40, 6)):
        changed[0, top : top + side, left : left + side] = True
    return np.where(changed, magnitudes + 6.0, magnitudes), changed


def morans_i_by_definition(mask: np.ndarray) -> float:
    z = mask - mask.mean()
    rows, columns = (z[1:] * z[:-1]).sum(), (z[:, 1:] * z[:, :-1]).sum()
    pairs = z[1:].size + z[:, 1:].size
    return float((rows + columns) / pairs * z.size / (z**2).sum())


def test_morans_i_is_its_definition() -> None:
    field = gaussian_filter(np.random.default_rng(1).normal(size=(400, 400)), 3, mode="wrap")
    for threshold in (-0.1, 0.0, 0.15):
        mask = field > threshold
        found = morans_i(mask[np.newaxis], np.ones((1, 400, 400), dtype=bool))
        assert found == pytest.approx(morans_i_by_definition(mask), abs=0.005)


@pytest.mark.parametrize("share", [0.01, 0.2, 0.5, 0.8])
def test_pixels_at_random_have_no_coherence_whatever_their_share(share: float) -> None:
    mask = np.random.default_rng(2).uniform(size=(1, 500, 500)) < share
    assert morans_i(mask, np.ones_like(mask)) == pytest.approx(0.0, abs=0.01)


def test_pixels_of_different_windows_are_no_neighbours() -> None:
    mask = np.zeros((2, 4, 4), dtype=bool)
    mask[0, :, 3], mask[1, :, 0] = True, True
    separate = np.zeros((2, 4, 4), dtype=bool)
    separate[:, :, 0] = True
    valid = np.ones_like(mask)
    assert morans_i(mask, valid) == morans_i(separate, valid)


@pytest.mark.parametrize("rule", RULES)
def test_noise_alone_is_no_change(rule: object) -> None:
    threshold = find_threshold(noise(), rule, 0.65, np.random.default_rng(0))  # type: ignore[arg-type]
    assert threshold.value == NO_CHANGE
    assert "no change found" in threshold.notes[-1]


@pytest.mark.parametrize("rule", RULES)
def test_changes_are_found_without_a_word(rule: object) -> None:
    magnitudes, changed = patches()
    threshold = find_threshold(magnitudes, rule, 0.65, np.random.default_rng(0))  # type: ignore[arg-type]
    marked = magnitudes > threshold.value
    assert (marked & changed).sum() > 0.98 * changed.sum()
    assert (marked & ~changed).sum() < 0.01 * changed.sum()
    assert threshold.value == threshold.proposed
    assert threshold.notes == ()


def test_a_threshold_within_the_noise_is_raised_and_this_is_said() -> None:
    magnitudes, changed = patches()
    # Noise of heavy tails: the class of change of two Gaussians takes these, not the patches.
    tails = np.random.default_rng(3).uniform(size=magnitudes.shape) < 0.04
    magnitudes[tails & ~changed] += 2.5
    threshold = find_threshold(magnitudes, "em", 0.65, np.random.default_rng(0))
    assert threshold.proposed is not None
    assert threshold.value > threshold.proposed
    assert threshold.morans_i >= 0.65
    assert "was raised" in threshold.notes[0]
    free = find_threshold(magnitudes, "em", 0.0, np.random.default_rng(0))
    assert free.value == free.proposed == threshold.proposed


def test_coherence_already_there_leaves_the_threshold() -> None:
    magnitudes, _ = patches()
    found = coherent_threshold(magnitudes, 5.5, 0.65)
    assert found is not None
    assert (found.threshold, found.raised) == (5.5, False)


def test_constant_magnitudes_are_no_change() -> None:
    threshold = find_threshold(np.zeros((1, 50, 50)), "em", 0.65, np.random.default_rng(0))
    assert threshold.value == NO_CHANGE
    assert "no two classes" in threshold.notes[0]


def test_a_threshold_by_number_is_taken_at_its_word() -> None:
    threshold = manual_threshold(noise(), 1.0)
    assert (threshold.value, threshold.rule, threshold.notes) == (1.0, "manual", ())
