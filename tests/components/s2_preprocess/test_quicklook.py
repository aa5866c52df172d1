from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from components.kit.errors import StorageError
from components.s2_preprocess.quicklook import render, write_png
from components.s2_preprocess.service import S2Preprocess
from tests.components.s2_preprocess.products import (
    SIDE,
    assets,
    make_call,
    product_item,
    write_product,
)


def test_black_white_and_nothing() -> None:
    values = np.array([[[0.0, 0.3, np.nan, 0.9, -0.1]]] * 3, np.float32)
    rgba = render(values)[0]
    assert rgba.tolist() == [
        [0, 0, 0, 255],
        [255, 255, 255, 255],
        [0, 0, 0, 0],
        [255, 255, 255, 255],
        [0, 0, 0, 255],
    ]


def test_red_is_red(shared: Path) -> None:
    high, low = (np.full((SIDE, SIDE), dn, np.uint16) for dn in (4000, 1000))
    bands = {"B02": low, "B03": low, "B04": high, "B08": low}
    safe = write_product(shared, bands, offsets=dict.fromkeys(bands, -1000.0))
    call = make_call(shared, mask="none")
    result = S2Preprocess().prepare(product_item(shared, safe), call)
    thumbnail = assets(result)["thumbnail"]
    assert (thumbnail.media_type, list(thumbnail.roles)) == ("image/png", ["thumbnail"])
    picture = imread(shared / thumbnail.href)
    assert picture.shape == (SIDE, SIDE, 4)
    np.testing.assert_array_equal(picture[5, 5], [1, 0, 0, 1])


@pytest.mark.parametrize("bands", [["B08"], ["B08", "B04"], ["B08", "B04", "B03"]])
def test_scenes_without_true_colour_have_a_picture_too(shared: Path, bands: list[str]) -> None:
    values = {name: np.full((SIDE, SIDE), 2000, np.uint16) for name in bands}
    safe = write_product(shared, values, offsets=dict.fromkeys(bands, -1000.0))
    call = make_call(shared, mask="none", bands=bands)
    result = S2Preprocess().prepare(product_item(shared, safe), call)
    assert (shared / assets(result)["thumbnail"].href).is_file()


def test_no_picture_if_none_is_wanted(shared: Path) -> None:
    values = {"B08": np.full((SIDE, SIDE), 2000, np.uint16)}
    safe = write_product(shared, values, offsets={"B08": -1000.0})
    call = make_call(shared, mask="none", bands=["B08"], quicklook=False)
    assert set(assets(S2Preprocess().prepare(product_item(shared, safe), call))) == {"reflectance"}


def test_a_picture_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"cannot write .*missing/t.png"):
        write_png(np.zeros((4, 4, 4), np.uint8), tmp_path / "missing" / "t.png")
