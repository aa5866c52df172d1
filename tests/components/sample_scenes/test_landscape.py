from itertools import combinations

import numpy as np
import pytest
from scipy import ndimage

from components.sample_scenes.landscape import Landscape
from components.sample_scenes.pixels import Pixels
from components.sample_scenes.spectra import FARMLAND, FOREST, Cover

URBAN = (Cover.RESIDENTIAL, Cover.CENTRE, Cover.HALL, Cover.YARD)


@pytest.mark.parametrize("seed", [0, 1, 7, 2**32 - 1])
def test_a_scene_has_all_that_makes_a_landscape(seed: int) -> None:
    axis = np.arange(0, 1000, 2)
    kind = Landscape(seed, 1000).covers(Pixels(axis, axis)).kind

    def share(*covers: Cover) -> float:
        return float(np.isin(kind, covers).mean())

    assert 0.2 < share(*FARMLAND) < 0.85
    assert 0.05 < share(*FOREST) < 0.65
    assert 0.003 < share(Cover.RIVER) < 0.04
    assert 0.0005 < share(Cover.LAKE) < 0.03
    assert 0.005 < share(*URBAN) < 0.12
    assert 0.005 < share(Cover.ROAD) < 0.05
    assert all((kind == crop).any() for crop in FARMLAND)


def test_small_scenes_have_a_river_and_a_town_too() -> None:
    kind = Landscape(1, 200).covers(Pixels.block(0, 0, 200, 200)).kind
    assert (kind == Cover.RIVER).any()
    assert np.isin(kind, URBAN).any()


def test_the_ground_does_not_depend_on_the_block() -> None:
    landscape = Landscape(3, 1000)
    whole = landscape.ground(Pixels.block(300, 400, 160, 160))
    part = landscape.ground(Pixels.block(370, 430, 64, 90))
    inner = (slice(70, 134), slice(30, 120))
    # Rounding differs between matrix products of different size: borders may move in a few pixels.
    assert (whole.covers.kind[inner] == part.covers.kind).mean() > 0.9995
    assert (whole.covers.level[inner] == part.covers.level).mean() > 0.999
    np.testing.assert_array_equal(whole.grain[inner], part.grain)
    np.testing.assert_allclose(whole.patch[inner], part.patch, atol=1e-5)
    np.testing.assert_allclose(whole.slope_y[inner], part.slope_y, atol=1e-5)


def test_the_river_crosses_the_scene() -> None:
    offset = Landscape(1, 1000).terrain.river(Pixels.block(0, 0, 1000, 1000))
    wet = offset < 1
    parts, _ = ndimage.label(wet)
    ends = [set(np.unique(edge)) - {0} for edge in (parts[0], parts[-1], parts[:, 0], parts[:, -1])]
    # One and the same stretch of water leaves over two different edges.
    assert any(one & other for one, other in combinations(ends, 2))
    # It is some pixels wide and not a lake.
    assert 5_000 < wet.sum() < 40_000
