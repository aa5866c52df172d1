import numpy as np
import pytest

from components.s2_change import cva


def test_magnitude_is_the_euclidean_length() -> None:
    vectors = np.array([[3.0, 0.0, 1.0], [4.0, 0.0, 2.0], [0.0, 0.0, 2.0]])
    np.testing.assert_allclose(cva.magnitude(vectors), [5.0, 0.0, 3.0])


@pytest.mark.parametrize("bands", [2, 3, 4, 6, 13])
def test_direction_of_known_vectors(bands: int) -> None:
    # Equal steps in all bands lie on the reference vector; one band alone lies arccos(1/sqrt(B))
    # from it; a vector of sum 0 is at a right angle (C2VA).
    one = np.eye(bands)[0]
    across = np.zeros(bands)
    across[:2] = 1.0, -1.0
    vectors = np.stack([np.full(bands, 0.3), np.full(bands, -2.0), one, -one, across], axis=1)
    single = np.degrees(np.arccos(1 / np.sqrt(bands)))
    np.testing.assert_allclose(
        cva.direction(vectors), [0.0, 180.0, single, 180.0 - single, 90.0], atol=1e-5
    )


def test_direction_has_no_value_where_there_is_no_difference() -> None:
    vectors = np.array([[0.0, np.nan, 1.0], [0.0, 1.0, 1.0]])
    assert np.isnan(cva.direction(vectors)).tolist() == [True, True, False]


def test_direction_does_not_depend_on_the_length() -> None:
    vectors = np.random.default_rng(0).normal(size=(4, 100))
    np.testing.assert_allclose(cva.direction(vectors), cva.direction(7.3 * vectors), atol=1e-5)


def test_z_score_gives_each_band_and_date_mean_0_and_deviation_1() -> None:
    rng = np.random.default_rng(1)
    before = rng.normal(0.2, 0.05, (3, 5000))
    standardisation = cva.z_score(before, rng.normal(0.3, 0.1, (3, 5000)))
    scaled = before * standardisation.gain_before[:, None]
    np.testing.assert_allclose(scaled.std(axis=1), 1.0)


def test_z_scored_difference_ignores_gain_and_offset_of_either_date() -> None:
    rng = np.random.default_rng(2)
    before = rng.uniform(0.0, 0.5, (4, 2000))
    after = before + rng.normal(0.0, 0.02, before.shape)
    plain = cva.difference(cva.z_score(before, after), before, after)
    hazy = after * np.array([[0.8], [0.9], [1.1], [1.3]]) + 0.05
    np.testing.assert_allclose(
        cva.difference(cva.z_score(before, hazy), before, hazy), plain, atol=1e-9
    )


def test_a_band_that_is_constant_on_one_date_counts_for_nothing() -> None:
    rng = np.random.default_rng(3)
    before, after = rng.uniform(size=(2, 3, 500)).astype(np.float32)
    after[1] = np.float32(0.1)
    difference = cva.difference(cva.z_score(before, after), before, after)
    assert np.isfinite(difference).all()
    np.testing.assert_allclose(difference[1], 0.0, atol=1e-6)


def test_without_standardisation_the_difference_is_that_of_reflectance() -> None:
    before, after = np.random.default_rng(4).uniform(size=(2, 3, 4, 5))
    difference = cva.difference(cva.no_standardisation(3), before, after)
    np.testing.assert_allclose(difference, after - before)


def test_common_clear_needs_every_band_of_both_dates() -> None:
    before, after = np.zeros((2, 2, 1, 3))
    before[1, 0, 0] = np.nan
    after[0, 0, 2] = np.nan
    assert cva.common_clear(before, after).tolist() == [[False, True, False]]
