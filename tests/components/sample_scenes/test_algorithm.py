from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from components.sample_scenes.algorithm import BLOCK, Block, Series
from components.sample_scenes.bands import BANDS
from components.sample_scenes.changes import CODES
from components.sample_scenes.pixels import Pixels
from components.sample_scenes.sky import Sun
from components.sample_scenes.spectra import Cover
from components.sample_scenes.surface import spread

SUN = Sun(155.0, 50.0)


def _reflectance(stored: np.ndarray) -> np.ndarray:
    return (stored.astype(np.float64) - 1000) / 10000


def _equal(one: Block, other: Block) -> bool:
    return (
        all(np.array_equal(one.bands[band], other.bands[band]) for band in one.bands)
        and np.array_equal(one.scl, other.scl)
        and np.array_equal(one.truth, other.truth)
    )


def test_blocks_come_out_the_same_in_any_order() -> None:
    def series() -> Series:
        return Series(4, BLOCK + 100, (date(2024, 6, 1),), (SUN,), ("B04", "B11"), 0.1)

    forth, back = series(), series()
    blocks = forth.blocks()
    assert blocks == [(0, 0), (0, BLOCK), (BLOCK, 0), (BLOCK, BLOCK)]
    first = {block: forth.render(0, *block) for block in blocks}
    second = {block: back.render(0, *block) for block in reversed(blocks)}
    assert all(_equal(first[block], second[block]) for block in blocks)
    assert first[BLOCK, BLOCK].bands["B04"].shape == (100, 100)
    assert first[BLOCK, BLOCK].bands["B11"].shape == (50, 50)


def test_no_seam_between_blocks() -> None:
    series = Series(4, BLOCK + 64, (date(2024, 6, 1),), (SUN,), ("B08",), 0.05)
    left, right = (series.render(0, 0, col).bands["B08"].astype(int) for col in (0, BLOCK))
    across = np.abs(right[:, 0] - left[:, -1])
    within = np.abs(np.diff(left[:, -40:], axis=1))
    assert np.median(across) < 1.3 * np.median(within)
    assert np.percentile(across, 90) < 1.5 * np.percentile(within, 90)


def test_seeds_give_different_landscapes(pair: Series) -> None:
    other = replace(pair, seed=2, change_numbers={})
    one, two = (_reflectance(each.render(0, 0, 0).bands["B08"]) for each in (pair, other))
    assert abs(np.corrcoef(one.ravel(), two.ravel())[0, 1]) < 0.3


def test_dates_differ_by_the_noise_of_real_scenes(pair: Series) -> None:
    before, after = (pair.render(number, 0, 0) for number in (0, 1))
    same = after.truth == 0
    for band in ("B02", "B03", "B04", "B08"):
        difference = _reflectance(after.bands[band]) - _reflectance(before.bands[band])
        # Of a real pair two days apart: noise 0.003/0.004/0.003/0.016, bias 0.008 to 0.020.
        spread_of = 1.4826 * np.median(np.abs(difference[same] - np.median(difference[same])))
        assert spread_of == pytest.approx(BANDS[band].noise, rel=0.15), band
        assert 0.008 < np.median(difference[same]) < 0.020, band


def test_changes_can_be_seen_and_nothing_else_changes(pair: Series) -> None:
    before, after = (pair.render(number, 0, 0) for number in (0, 1))
    shifts = []
    for band in ("B03", "B04", "B08"):
        difference = _reflectance(after.bands[band]) - _reflectance(before.bands[band])
        difference -= np.median(difference[after.truth == 0])
        shifts.append(np.abs(difference) / BANDS[band].noise)
    strength = np.max(shifts, axis=0)
    assert not before.truth.any()
    assert {change.kind for change in pair.changes} == set(CODES)
    for change in pair.changes:
        # The point spread mixes the outermost pixels with what is around.
        changed = after.truth == CODES[change.kind]
        assert (strength[changed] > 4).mean() > 0.85, change.kind
    # Some meadows are mown even within two days.
    kind = pair.landscape.covers(Pixels.block(0, 0, 512, 512)).kind
    assert (strength[(after.truth == 0) & (kind != Cover.MEADOW)] > 6).mean() < 0.005


def test_the_classification_tells_what_is_there() -> None:
    series = Series(1, 512, (date(2024, 7, 31),), (SUN,), ("B02",), 0.1)
    block = series.render(0, 0, 0)
    assert set(block.bands) == {"B02"}
    fine = np.repeat(np.repeat(block.scl, 2, 0), 2, 1)
    kind = series.landscape.covers(Pixels.block(0, 0, 512, 512)).kind
    clear = np.isin(fine, (4, 5, 6))
    assert (fine[clear & (kind == Cover.RIVER)] == 6).mean() > 0.85
    assert (fine[clear & np.isin(kind, (Cover.CONIFER, Cover.MAIZE))] == 4).mean() > 0.97
    assert (fine[clear & (kind == Cover.FALLOW)] == 5).mean() > 0.85
    assert np.isin(fine, (8, 9, 10)).mean() == pytest.approx(0.1, abs=0.04)
    # Clouds are bright, shadows are darker than the ground without them.
    blue = _reflectance(block.bands["B02"])
    assert np.median(blue[fine == 9]) > 0.4
    assert np.median(blue[fine == 3]) < np.median(blue[fine == 4])


def test_beyond_the_swath_there_is_nothing() -> None:
    series = Series(
        1, 512, (date(2024, 7, 1), date(2024, 8, 1)), (SUN, SUN), ("B04", "B11"), 0.0, 0.2
    )
    east, west = (series.render(number, 0, 0) for number in (0, 1))
    for block in (east, west):
        fine, coarse = block.bands["B04"] == 0, block.bands["B11"] == 0
        assert fine.mean() == pytest.approx(0.2, abs=0.02)
        np.testing.assert_array_equal(fine[::2, ::2], coarse)
        np.testing.assert_array_equal(coarse, block.scl == 0)
    assert (east.bands["B04"][:, :50] != 0).all()
    assert (west.bands["B04"][:, -50:] != 0).all()


def test_stored_values_never_mean_nodata(pair: Series) -> None:
    block = pair.render(0, 0, 0)
    assert all((stored > 0).all() and stored.dtype == np.uint16 for stored in block.bands.values())


def test_the_season_changes_the_fields_and_not_the_roofs() -> None:
    series = Series(1, 512, (date(2024, 5, 10), date(2024, 8, 10)), (SUN, SUN), ("B04", "B08"))
    blocks = [series.render(number, 0, 0) for number in (0, 1)]
    kind = series.landscape.covers(Pixels.block(0, 0, 512, 512)).kind

    def change(cover: Cover) -> float:
        ndvi = []
        for block in blocks:
            red, infrared = (_reflectance(block.bands[band])[kind == cover]
                             for band in ("B04", "B08"))  # fmt: skip
            ndvi.append(np.median((infrared - red) / (infrared + red)))
        return float(ndvi[1] - ndvi[0])

    assert change(Cover.WINTER_WHEAT) < -0.4
    assert change(Cover.MAIZE) > 0.4
    assert abs(change(Cover.CONIFER)) < 0.12
    assert abs(change(Cover.ROAD)) < 0.12


def test_the_point_spread_keeps_the_light() -> None:
    image = np.zeros((7, 7), np.float32)
    image[3, 3] = 16
    np.testing.assert_array_equal(spread(image)[1:4, 1:4], [[1, 2, 1], [2, 4, 2], [1, 2, 1]])
