"""Blocks and samples give what the whole scene gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio

from components.kit.storage import Storage
from components.s2_change import layers, sample
from components.s2_change.algorithm import Settings
from components.s2_change.algorithm import detect as detect_arrays
from tests.components.s2_change.conftest import COMMON_NAMES, Detect, Put, ground
from tests.components.s2_change.test_service import path_of


@pytest.mark.parametrize("block", [64, 100, 1024])
def test_a_scene_in_blocks_is_the_scene_as_a_whole(
    put: Put, detect: Detect, storage: Storage, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Patches lie across the seams, specks and holes near them."""
    monkeypatch.setattr(layers, "_BLOCK_PX", block)
    before, after = ground(1), ground(2, square=slice(50, 130))
    after[:, 62:66, 98:102] = before[:, 62:66, 98:102]
    after[:, 150:152, 63:65] = 0.4
    scenes = put(1, before), put(2, after)
    [change] = detect(*scenes)
    stored = [np.rint(values * 1e4) / 1e4 for values in (before, after)]
    whole = detect_arrays(stored[0], stored[1], Settings(), COMMON_NAMES)
    with rasterio.open(path_of(change, "mask", storage)) as raster:
        assert ((raster.read(1) == 1) == whole.changed).mean() > 0.9999


@pytest.mark.parametrize("hectares", [0.03, 0.09, 0.3])
@pytest.mark.parametrize("connectivity", [4, 8])
def test_patches_of_a_file_are_sieved_like_those_of_an_array(
    put: Put, detect: Detect, storage: Storage, hectares: float, connectivity: int
) -> None:
    before, after = ground(1), ground(2)
    specks = np.random.default_rng(3).random(before.shape[1:]) > 0.95
    after[:, specks] = 0.9
    after[:, 50:130, 50:130] = 0.9
    scenes = put(1, before), put(2, after)
    [change] = detect(*scenes, threshold=5.0, connectivity=connectivity, minimum_area_ha=hectares)
    stored = [np.rint(values * 1e4) / 1e4 for values in (before, after)]
    settings = Settings(
        threshold=5.0,
        min_patch=round(hectares * 100),
        connectivity=connectivity,  # type: ignore[arg-type]
    )
    whole = detect_arrays(stored[0], stored[1], settings, COMMON_NAMES)
    assert ((_mask(path_of(change, "mask", storage)) == 1) == whole.changed).all()


def test_windows_of_a_sample_are_spread_over_the_scene() -> None:
    assert [tuple(w.flatten()) for w in sample.sample_windows((915, 915))] == [(0, 0, 915, 915)]
    windows = sample.sample_windows((10980, 5000))
    assert len(windows) == 64
    assert {(w.height, w.width) for w in windows} == {(128, 128)}
    tops = sorted({w.row_off for w in windows})
    assert np.diff(tops) == pytest.approx(10980 / 8, abs=1)
    assert tops[0] > 500
    assert tops[-1] + 128 < 10980


@pytest.mark.parametrize("method", ["cva", "irmad"])
def test_statistics_of_a_sample_give_the_same_change(
    put: Put, detect: Detect, storage: Storage, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sixteen windows of 40 pixels, a tenth of the scene, against all of it."""
    scenes = [put(day, _scattered(ground(day, size=500), day)) for day in (1, 2)]
    [everything] = detect(*scenes, method=method)
    whole = _mask(path_of(everything, "mask", storage))
    monkeypatch.setattr(sample, "SAMPLE_PX", 40)
    monkeypatch.setattr(sample, "SAMPLE_CELLS", 4)
    monkeypatch.setattr(sample, "WHOLE_PX", 200)
    [sampled] = detect(*scenes, method=method)
    assert (_mask(path_of(sampled, "mask", storage)) == whole).mean() > 0.998
    assert (whole == 1).mean() > 0.02


@pytest.mark.parametrize("method", ["cva", "irmad"])
def test_one_change_between_the_windows_of_the_grid_is_found(
    put: Put, detect: Detect, storage: Storage, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows of 20 pixels every 100: the change of 0.1 % of the scene lies between them."""
    monkeypatch.setattr(sample, "SAMPLE_PX", 20)
    monkeypatch.setattr(sample, "SAMPLE_CELLS", 5)
    monkeypatch.setattr(sample, "SUSPECTS", 4)
    monkeypatch.setattr(sample, "WHOLE_PX", 200)
    place = slice(92, 108)
    assert not any(
        w.row_off < 108 and w.row_off + 20 > 92 for w in sample.sample_windows((500, 500))
    )
    scenes = put(1, ground(1, size=500)), put(2, ground(2, size=500, square=place))
    [change] = detect(*scenes, method=method)
    mask = _mask(path_of(change, "mask", storage))
    assert (mask[place, place] == 1).mean() > 0.95
    assert (mask == 1).sum() < 1.1 * 16**2


def test_suspect_windows_are_where_the_overviews_differ() -> None:
    rng = np.random.default_rng(0)
    before = rng.normal(0.2, 0.01, (4, 100, 80))
    after = before + rng.normal(0.0, 0.001, before.shape)
    after[:, 10, 70] += 0.1
    after[:, 99, 3] += 0.2
    after[2, 50, 50] = np.nan
    windows = sample.suspect_windows(before, after, (2000, 1600))
    assert len(windows) == sample.SUSPECTS
    found = [
        [
            w
            for w in windows
            if w.row_off <= y < w.row_off + 128 and w.col_off <= x < w.col_off + 128
        ]
        for y, x in ((210, 1410), (1990, 70))
    ]
    assert [len(w) > 0 for w in found] == [True, True]
    assert all(w.row_off + 128 <= 2000 and w.col_off + 128 <= 1600 for w in windows)
    assert sample.suspect_windows(np.full((4, 9, 9), np.nan), after[:, :9, :9], (2000, 1600)) == []


def _scattered(values: np.ndarray, day: int) -> np.ndarray:
    """Clear some 40 squares on the second day."""
    rng = np.random.default_rng(5)
    for row, column in rng.integers(0, 480, (40, 2)) if day == 2 else ():
        values[:, row : row + 16, column : column + 16] = np.asarray((0.09, 0.12, 0.15, 0.22))[
            :, None, None
        ]
    return values


def _mask(path: Path) -> np.ndarray:
    with rasterio.open(path) as raster:
        return raster.read(1)
