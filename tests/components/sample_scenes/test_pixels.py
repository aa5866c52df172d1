import numpy as np

from components.sample_scenes.pixels import Pixels


def test_around_and_shifted() -> None:
    pixels = Pixels.block(10, 20, 3, 4)
    assert pixels.shape == (3, 4)
    assert pixels.around(2).rows.tolist() == [8, 9, 10, 11, 12, 13, 14]
    assert pixels.shifted(-10, 5).cols.tolist() == [25, 26, 27, 28]


def test_within_finds_the_square_around_a_point() -> None:
    pixels = Pixels(np.arange(0, 100, 10), np.arange(0, 50, 10))
    part = pixels.part(pixels.within(35, 100, 12))
    assert part.rows.tolist() == [30, 40]
    assert part.shape == (2, 0)


def test_distance_is_euclidean() -> None:
    np.testing.assert_allclose(Pixels.block(3, 4, 1, 1).distance(0, 0), [[5.0]])
