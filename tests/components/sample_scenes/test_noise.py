import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from components.sample_scenes.noise import (
    SmoothField,
    hash_integers,
    hash_units,
    named_seed,
    pixel_noise,
    smooth_step,
)
from components.sample_scenes.pixels import Pixels

seeds = st.integers(0, 2**32 - 1)
origins = st.integers(-5000, 11_000)


@settings(max_examples=30)
@given(seeds, origins, origins, st.integers(1, 40), st.integers(1, 40), st.floats(2.5, 300))
def test_a_part_of_a_field_is_the_field_of_a_part(
    seed: int, row: int, col: int, height: int, width: int, spacing: float
) -> None:
    whole = Pixels.block(row, col, 40, 40)
    part = Pixels.block(row, col, height, width)
    field = SmoothField(seed, spacing)
    np.testing.assert_allclose(field.sample(whole)[:height, :width], field.sample(part), atol=2e-6)
    np.testing.assert_array_equal(
        pixel_noise(seed, whole)[:height, :width], pixel_noise(seed, part)
    )


def test_fields_have_mean_0_and_standard_deviation_1() -> None:
    pixels = Pixels.block(-1000, 300, 2000, 2000)
    for spacing in (3.0, 12.5):
        field = SmoothField(7, spacing).sample(pixels)
        assert abs(field.mean()) < 0.03
        assert abs(field.std() - 1) < 0.03
    noise = pixel_noise(7, pixels)
    assert abs(noise.mean()) < 0.005
    assert abs(noise.std() - 1) < 0.005
    # White: a pixel says nothing about its neighbours.
    assert abs(np.corrcoef(noise[1:].ravel(), noise[:-1].ravel())[0, 1]) < 0.005


def test_derivatives_are_those_of_the_field() -> None:
    field = SmoothField(3, 20.0)
    pixels = Pixels.block(5, 5, 60, 60)
    values = field.sample(pixels).astype(np.float64)
    for axis, along in ((0, (1, 0)), (1, (0, 1))):
        numeric = np.gradient(values, axis=axis)[1:-1, 1:-1]
        np.testing.assert_allclose(field.sample(pixels, along)[1:-1, 1:-1], numeric, atol=1e-3)


def test_hashes_are_even_and_differ_by_key_and_seed() -> None:
    words = hash_integers(1, np.arange(-500, 500)[:, None], np.arange(1000))
    # Chi-squared over the top byte with 255 degrees of freedom: mean 255, standard deviation 22.6.
    counts = np.bincount((words >> np.uint32(24)).ravel(), minlength=256)
    expected = words.size / 256
    assert abs(((counts - expected) ** 2 / expected).sum() - 255) < 5 * 22.6
    assert np.unique(words).size > 0.999 * words.size
    assert (hash_integers(2, np.arange(100)) != hash_integers(1, np.arange(100))).all()
    units = hash_units(5, np.arange(100_000))
    assert units.min() >= 0
    assert units.max() < 1


def test_whole_floats_hash_as_integers() -> None:
    keys = np.array([-3, 0, 70_000])
    np.testing.assert_array_equal(hash_integers(1, keys), hash_integers(1, keys.astype(np.float32)))


def test_names_give_seeds_of_their_own() -> None:
    names = ("river", "forest", "soil")
    assert len({named_seed(1, name) for name in names} | {named_seed(2, "river")}) == 4


def test_smooth_step_rises_from_0_to_1() -> None:
    steps = smooth_step(np.array([-1.0, 0.0, 0.5, 1.0, 2.0], np.float32), 0.0, 1.0)
    np.testing.assert_array_equal(steps, [0, 0, 0.5, 1, 1])
