import numpy as np
import pytest

from components.s2_change.algorithm import (
    METHODS,
    ChangeMap,
    Settings,
    TooFewPixelsError,
    apply,
    detect,
    drop_small_patches,
    fit,
)
from components.s2_change.thresholds import NO_CHANGE

NAMES = ("blue", "green", "red", "nir")
NOISE = np.array([0.003, 0.004, 0.003, 0.016])[:, None, None]


def scene(side: int = 160, changed: bool = True) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two dates (band, y, x) of fields, and which pixels were cleared between them."""
    rng = np.random.default_rng(0)
    fields = np.kron(rng.uniform(0.3, 1.0, (1, side // 20, side // 20)), np.ones((20, 20)))
    ground = np.array([0.05, 0.08, 0.07, 0.4])[:, None, None] * fields
    truth = np.zeros((side, side), dtype=bool)
    if changed:
        truth[30:50, 40:70] = truth[100:106, 20:26] = True
    after = np.where(truth, np.array([0.12, 0.15, 0.2, 0.22])[:, None, None], ground * 0.9 + 0.01)
    before, after = (date + NOISE * rng.normal(size=date.shape) for date in (ground, after))
    return before.astype(np.float32), after.astype(np.float32), truth


def false_share(found: ChangeMap, truth: np.ndarray) -> float:
    return float((found.changed & ~truth).sum() / (~truth).sum())


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("rule", ["auto", "em", "rayleigh-rice", "otsu"])
def test_every_method_and_rule_finds_a_plain_change(method: object, rule: object) -> None:
    before, after, truth = scene()
    found = detect(before, after, Settings(method=method, threshold=rule), NAMES)  # type: ignore[arg-type]
    # Without iteration the change itself weighs in the statistics of MAD.
    assert found.changed[truth].mean() > (0.8 if method == "mad" else 0.95)
    assert false_share(found, truth) < 0.005


@pytest.mark.parametrize("method", METHODS)
def test_a_pair_without_change_is_reported_as_such(method: object) -> None:
    before, after, _ = scene(changed=False)
    found = detect(before, after, Settings(method=method), NAMES)  # type: ignore[arg-type]
    assert not found.changed.any()
    assert found.model.threshold.value == NO_CHANGE
    assert any("no change found" in note for note in found.model.notes)


@pytest.mark.parametrize("method", METHODS)
def test_identical_dates_have_no_change(method: object) -> None:
    before, _, _ = scene()
    assert not detect(before, before.copy(), Settings(method=method)).changed.any()  # type: ignore[arg-type]


@pytest.mark.parametrize("method", METHODS)
def test_masked_pixels_stay_masked_and_out_of_the_statistics(method: object) -> None:
    before, after, truth = scene()
    cloudy = after.copy()
    cloudy[:, 60:90] = 0.9
    masked = cloudy.copy()
    masked[2, 60:90] = np.nan
    found = detect(before, masked, Settings(method=method), NAMES)  # type: ignore[arg-type]
    assert (found.classes[60:90] == 255).all()
    assert np.isnan(found.layers.magnitude[60:90]).all()
    assert np.isnan(found.layers.direction[60:90]).all()
    kept = np.ones_like(truth)
    kept[60:90] = False
    assert (found.classes[kept] != 255).all()
    assert found.changed[truth].mean() > 0.95


def test_a_constant_band_is_left_out_and_named() -> None:
    before, after, truth = scene()
    before[1] = 0.1
    found = detect(before, after, Settings(), NAMES)
    assert any("band 2 " in note for note in found.model.notes)
    assert found.changed[truth].mean() > 0.95


@pytest.mark.parametrize("method", METHODS)
def test_dates_that_are_constant_throughout_are_refused(method: object) -> None:
    with pytest.raises(TooFewPixelsError):
        detect(np.ones((4, 30, 30)), np.ones((4, 30, 30)), Settings(method=method))  # type: ignore[arg-type]


def test_too_few_common_clear_pixels_are_refused() -> None:
    before, after, _ = scene()
    before[:, 1:] = np.nan
    after[:, :, 80:] = np.nan
    with pytest.raises(TooFewPixelsError, match="80 clear pixels"):
        detect(before, after)


def test_dates_of_different_shape_are_refused() -> None:
    with pytest.raises(ValueError, match="shapes"):
        detect(np.ones((4, 30, 30)), np.ones((3, 30, 30)))


def test_a_threshold_by_number_marks_what_is_above_it() -> None:
    before, after, _ = scene()
    found = detect(before, after, Settings(threshold=2.0, min_patch=1))
    np.testing.assert_array_equal(found.changed, found.layers.magnitude > 2.0)


def test_without_standardisation_magnitudes_are_reflectance() -> None:
    before, after, _ = scene()
    found = detect(before, after, Settings(standardise=False))
    expected = np.linalg.norm(after - before, axis=0)
    np.testing.assert_allclose(found.layers.magnitude, expected, atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_blocks_give_what_the_whole_gives(method: object) -> None:
    before, after, _ = scene()
    model = fit(before, after, Settings(method=method), NAMES)  # type: ignore[arg-type]
    whole = apply(model, before, after)
    block = apply(model, before[:, 30:61, 40:99], after[:, 30:61, 40:99])
    np.testing.assert_allclose(block.magnitude, whole.magnitude[30:61, 40:99], rtol=1e-5)
    np.testing.assert_array_equal(block.kinds, whole.kinds[30:61, 40:99])


@pytest.mark.parametrize("method", METHODS)
def test_the_same_seed_gives_the_same_result(method: object) -> None:
    before, after, _ = scene()
    first, second = (detect(before, after, Settings(method=method), NAMES) for _ in range(2))  # type: ignore[arg-type]
    np.testing.assert_array_equal(first.classes, second.classes)
    assert first.model.threshold == second.model.threshold


def test_windows_teach_what_the_whole_teaches() -> None:
    before, after, _ = scene()
    windows = [np.s_[:, row : row + 40, :] for row in range(0, 160, 40)]
    stacked = (np.stack([date[window] for window in windows], axis=1) for date in (before, after))
    sample, whole = fit(*stacked, Settings(), NAMES), fit(before, after, Settings(), NAMES)
    assert sample.threshold.value == pytest.approx(whole.threshold.value, rel=1e-6)
    assert sample.directions.names == whole.directions.names


def test_small_patches_and_holes_go_and_corners_may_join() -> None:
    mask = np.zeros((30, 30), dtype=bool)
    mask[2:4, 2:4] = True  # 4 pixels
    mask[10:20, 10:20] = True
    mask[14, 14:16] = False  # a hole of 2
    mask[24:26, 2:4] = mask[26:28, 4:6] = True  # 4 + 4, touching at a corner
    four, eight = drop_small_patches(mask, 5, 4), drop_small_patches(mask, 5, 8)
    assert four.sum() == 100
    assert eight.sum() == 108
    np.testing.assert_array_equal(drop_small_patches(mask, 1, 4), mask)
