import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from components.kit.errors import InputError
from components.s2_preprocess.cloud_probability import MODEL_BANDS, classify_block, load_detector
from components.s2_preprocess.offset import DecidedOffset
from components.s2_preprocess.service import S2Preprocess
from tests.components.s2_preprocess.products import (
    NATIVE,
    assets,
    make_call,
    product_item,
    read,
    write_product,
)

SIDE = 240  # pixels of 10 m; 40 of 60 m


class BrightIsCloud:
    """Stands in for the model: the probability is the reflectance of the second band, B02."""

    seen: list[tuple[int, ...]]

    def __init__(self, **settings: Any) -> None:
        self.threshold = settings["threshold"]
        self.seen = []

    def get_cloud_probability_maps(self, data: np.ndarray) -> np.ndarray:
        self.seen.append(data.shape)
        return data[..., 1]

    def get_mask_from_prob(self, probability: np.ndarray) -> np.ndarray:
        return (probability > self.threshold).astype(np.uint8)


@pytest.fixture
def detector(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("s2cloudless")
    module.S2PixelCloudDetector = BrightIsCloud  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "s2cloudless", module)


def level_1c(shared: Path, level: str = "L1C") -> Any:
    bright = np.zeros((SIDE // 60 * 10, SIDE // 60 * 10), bool)
    bright[5:12, 20:31] = True
    bands = {}
    for name in MODEL_BANDS:
        factor = 60 // NATIVE[name]
        fine = bright.repeat(factor, axis=0).repeat(factor, axis=1)
        bands[name] = np.where(fine, 7000, 1500).astype(np.uint16)
    safe = write_product(shared, bands, level=level, offsets=dict.fromkeys(bands, -1000.0))
    return product_item(shared, safe), bright


@pytest.mark.usefixtures("detector")
def test_what_the_model_calls_cloud_is_masked(shared: Path) -> None:
    item, bright = level_1c(shared)
    call = make_call(shared, bands=["B02"], mask="s2cloudless")
    masked = read(shared, assets(S2Preprocess().prepare(item, call))["reflectance"])[0] == 0
    np.testing.assert_array_equal(masked, bright.repeat(6, axis=0).repeat(6, axis=1))


@pytest.mark.usefixtures("detector")
def test_the_threshold_is_a_parameter(shared: Path) -> None:
    item, _ = level_1c(shared)
    call = make_call(shared, bands=["B02"], mask="s2cloudless", cloud_probability=0.7)
    assert read(shared, assets(S2Preprocess().prepare(item, call))["reflectance"]).all()


@pytest.mark.usefixtures("detector")
def test_only_level_1c(shared: Path) -> None:
    item, _ = level_1c(shared, "L2A")
    with pytest.raises(InputError, match="is not Level-1C, for which alone s2cloudless is made"):
        S2Preprocess().prepare(item, make_call(shared, bands=["B02"], mask="s2cloudless"))


def test_without_the_package_it_says_how_to_get_it(
    shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "s2cloudless", None)
    item, _ = level_1c(shared)
    with pytest.raises(InputError, match=r"python\S* -m pip install 'eoloom\[s2cloudless\]'"):
        S2Preprocess().prepare(item, make_call(shared, bands=["B02"], mask="s2cloudless"))


def test_the_model_sees_reflectance_and_missing_pixels_are_no_data() -> None:
    dn = np.full((10, 4, 5), 6000, np.float32)
    dn[3, 0, 0] = np.nan
    offset = DecidedOffset(
        dict.fromkeys(MODEL_BANDS, -1000.0), dict.fromkeys(MODEL_BANDS, 10000.0), "metadata"
    )
    classes = classify_block(dn, offset, BrightIsCloud(threshold=0.4))
    assert classes[0, 0] == 0
    assert (classes.ravel()[1:] == 9).all()
    assert (classify_block(dn, offset, BrightIsCloud(threshold=0.6)).ravel()[1:] == 7).all()


@pytest.mark.skipif(
    importlib.util.find_spec("s2cloudless") is None, reason="the extra s2cloudless is not installed"
)
@pytest.mark.filterwarnings("default")  # what the package's own dependencies warn of
def test_the_real_model_tells_cloud_from_forest() -> None:
    # Typical top-of-atmosphere reflectances of MODEL_BANDS.
    cloud = [0.55, 0.53, 0.52, 0.54, 0.56, 0.57, 0.35, 0.02, 0.45, 0.35]
    forest = [0.12, 0.09, 0.04, 0.08, 0.28, 0.30, 0.09, 0.001, 0.14, 0.06]
    dn = np.empty((10, 40, 40), np.float32)
    dn[:, :, :20] = np.array(cloud)[:, None, None] * 10000
    dn[:, :, 20:] = np.array(forest)[:, None, None] * 10000
    offset = DecidedOffset(
        dict.fromkeys(MODEL_BANDS, 0.0), dict.fromkeys(MODEL_BANDS, 10000.0), "metadata"
    )
    classes = classify_block(dn, offset, load_detector(0.4))
    assert (classes[:, :10] == 9).all()
    assert (classes[:, 30:] == 7).all()
