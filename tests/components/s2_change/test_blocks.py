"""Blocks and samples give what the whole scene gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio

from components.kit.storage import Storage
from components.s2_change import layers, pair
from components.s2_change.algorithm import Settings, detect, drop_small_patches
from tests.components.s2_change.conftest import COMMON_NAMES, Detect, Put, ground
from tests.components.s2_change.test_service import path_of


@pytest.mark.parametrize("block", [64, 100, 1024])
def test_a_scene_in_blocks_is_the_scene_as_a_whole(
    put: Put, detect_files: Detect, storage: Storage, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Patches lie across the seams, specks and holes near them."""
    monkeypatch.setattr(layers, "_BLOCK_PX", block)
    before, after = ground(1), ground(2, square=slice(50, 130))
    after[:, 62:66, 98:102] = before[:, 62:66, 98:102]
    after[:, 150:152, 63:65] = 0.4
    scenes = put(1, before), put(2, after)
    [change] = detect_files(*scenes)
    stored = [np.rint(values * 1e4) / 1e4 for values in (before, after)]
    whole = detect(stored[0], stored[1], Settings(), COMMON_NAMES)
    with rasterio.open(path_of(change, "mask", storage)) as raster:
        assert ((raster.read(1) == 1) == whole.changed).mean() > 0.9999


@pytest.fixture
def detect_files(detect: Detect) -> Detect:
    return detect


@pytest.mark.parametrize("smallest", [2, 9, 30])
@pytest.mark.parametrize("connectivity", [4, 8])
def test_a_margin_of_twice_the_smallest_patch_decides_every_pixel(
    smallest: int, connectivity: int
) -> None:
    changed = np.random.default_rng(3).random((300, 300)) > 0.55
    whole = drop_small_patches(changed, smallest, connectivity)  # type: ignore[arg-type]
    for row in range(0, 300, 100):
        for column in range(0, 300, 100):
            core = pair.Window(column, row, 100, 100)
            around = layers._grow(core, 2 * smallest, (300, 300))
            outer = changed[
                around.row_off : around.row_off + around.height,
                around.col_off : around.col_off + around.width,
            ]
            kept = drop_small_patches(outer, smallest, connectivity)  # type: ignore[arg-type]
            inner = kept[layers._within(core, around)]
            assert (inner == whole[row : row + 100, column : column + 100]).all()


def test_windows_of_a_sample_are_spread_over_the_scene() -> None:
    assert [tuple(w.flatten()) for w in pair.sample_windows((915, 915))] == [(0, 0, 915, 915)]
    windows = pair.sample_windows((10980, 5000))
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
    monkeypatch.setattr(pair, "SAMPLE_PX", 40)
    monkeypatch.setattr(pair, "SAMPLE_CELLS", 4)
    monkeypatch.setattr(pair, "WHOLE_PX", 200)
    [sampled] = detect(*scenes, method=method)
    assert (_mask(path_of(sampled, "mask", storage)) == whole).mean() > 0.998
    assert (whole == 1).mean() > 0.02


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
