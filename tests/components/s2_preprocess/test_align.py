from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from scipy.ndimage import fourier_shift

from components.kit.errors import InputError
from components.s2_preprocess.service import S2Preprocess
from protos.common.v1.item_pb2 import Item
from tests.components.s2_preprocess.products import (
    LEFT,
    TOP,
    RecordingCall,
    assets,
    catalogue_item,
    fields,
    make_call,
    read,
    write_raster,
)

SIDE = 240
BANDS = ("B04", "B08")
FIGURE_PX = 0.05


def landscape(seed: int = 0) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.fftfreq(SIDE)[None, :])
    frequency[0, 0] = 1
    field = np.fft.ifft2(np.fft.fft2(rng.normal(size=(SIDE, SIDE))) * frequency**-1.5).real
    result: NDArray[np.float64] = 0.25 + 0.03 * field / field.std()
    return result


def moved(image: NDArray[np.float64], y: float, x: float) -> NDArray[np.float64]:
    result: NDArray[np.float64] = np.fft.ifft2(fourier_shift(np.fft.fft2(image), (y, x))).real
    return result


def delivered(
    shared: Path,
    name: str,
    reflectance: NDArray[np.float64],
    *,
    scl: NDArray[Any] | None = None,
    bands: Sequence[str] = BANDS,
    pixel: float = 10,
    **where: Any,
) -> Item:
    """A scene as delivered, its bands alike."""
    dn = np.rint(reflectance * 10000 + 1000).astype(np.uint16)
    files = {}
    for band in bands:
        write_raster(shared / name / f"{band}.tif", dn, pixel, **where)
        files[band] = {"href": f"{name}/{band}.tif"}
    classes = np.full(reflectance.shape, 4, np.uint8) if scl is None else scl
    write_raster(shared / name / "SCL.tif", classes, pixel, **where)
    files["SCL"] = {"href": f"{name}/SCL.tif"}
    return catalogue_item(files, {"s2:processing_baseline": "05.09"}, name=name)


def prepared(shared: Path, items: Sequence[Item], **params: Any) -> list[Item]:
    wishes = {"bands": list(BANDS), "keep_classification": True} | params
    call = make_call(shared, **wishes)
    return [S2Preprocess().prepare(item, call) for item in items]


def align(items: Sequence[Item], call: RecordingCall) -> list[Item]:
    return list(S2Preprocess().align(iter(items), call))


def shift_px(item: Item) -> tuple[float, float]:
    made = fields(item)
    return -made["eoloom:shift_north"] / 10, made["eoloom:shift_east"] / 10


@pytest.mark.parametrize(("y", "x"), [(0.37, -1.42), (-2.6, 0.55)])
def test_a_series_comes_onto_its_first_scene(shared: Path, y: float, x: float) -> None:
    land = landscape()
    items = prepared(
        shared,
        [
            delivered(shared, "first", land),
            delivered(shared, "second", moved(land, -y, -x)),
            delivered(shared, "third", land),
        ],
    )
    call = make_call(shared, node="align")
    first, second, third = align(items, call)
    assert call.warned == []
    found = shift_px(second)
    assert max(abs(found[0] - y), abs(found[1] - x)) <= FIGURE_PX
    stored = read(shared, assets(second)["reflectance"]).astype(float)
    reference = read(shared, assets(first)["reflectance"]).astype(float)
    before = read(shared, assets(items[1])["reflectance"]).astype(float)
    inside = np.s_[:, 8:-8, 8:-8]
    off = np.abs(before - reference)[inside].mean()
    # What is left is what cubic interpolation costs at the finest frequencies.
    assert np.abs(stored - reference)[inside].mean() < 0.2 * off
    # The first, and what lies right already, are passed on with the files that they have.
    assert [a.href for a in first.assets] == [a.href for a in items[0].assets]
    assert [a.href for a in third.assets] == [a.href for a in items[2].assets]
    assert [item.id for item in (first, second, third)] == [
        "first_aligned",
        "second_aligned",
        "third_aligned",
    ]
    assert list(second.derived_from) == [
        "eoloom-s2-reflectance/second",
        "eoloom-s2-reflectance/first",
    ]
    assert second.datetime == items[1].datetime
    assert fields(second)["eoloom:clear_percentage"] == 100
    assert set(assets(second)) == {"reflectance", "scl", "thumbnail"}
    assert assets(second)["reflectance"].href == "align/second/reflectance.tif"


def test_masks_move_with_the_scene(shared: Path) -> None:
    land = landscape()
    scl = np.full((SIDE, SIDE), 4, np.uint8)
    scl[100:130, 60:90] = 9
    items = prepared(
        shared,
        [
            delivered(shared, "first", land),
            delivered(shared, "second", moved(land, 3, -2), scl=scl),
        ],
    )
    _, second = align(items, make_call(shared, node="align"))
    assert shift_px(second) == pytest.approx((-3, 2), abs=FIGURE_PX)
    classes = read(shared, assets(second)["scl"])[0]
    expected = np.zeros((SIDE, SIDE), bool)
    expected[97:127, 62:92] = True
    np.testing.assert_array_equal(classes == 9, expected)
    masked = read(shared, assets(second)["reflectance"])[0] == 0
    inside = np.s_[8:-8, 8:-8]
    assert (masked[inside] ^ expected[inside]).sum() <= 130  # within a pixel of the outline


def test_blocks_do_not_show(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    land = landscape()
    items = prepared(
        shared,
        [delivered(shared, "first", land), delivered(shared, "second", moved(land, 0.4, 0.3))],
    )
    whole = align(items, make_call(shared, node="whole"))[1]
    monkeypatch.setattr("components.s2_preprocess.alignment._BLOCK_PX", 33)
    blocks = align(items, make_call(shared, node="blocks"))[1]
    np.testing.assert_array_equal(
        read(shared, assets(blocks)["reflectance"]), read(shared, assets(whole)["reflectance"])
    )


def test_grids_of_different_extent_come_onto_the_first(shared: Path) -> None:
    land = landscape()
    items = prepared(
        shared,
        [
            delivered(shared, "first", land[:200, :200]),
            delivered(shared, "second", land[20:, 30:], left=LEFT + 300, top=TOP - 200),
        ],
    )
    first, second = align(items, make_call(shared, node="align"))
    assert shift_px(second) == (0, 0)
    expected = read(shared, assets(first)["reflectance"])
    stored = read(shared, assets(second)["reflectance"])
    assert stored.shape == expected.shape
    assert not stored[:, :20].any()
    np.testing.assert_array_equal(stored[:, 20:, 30:], expected[:, 20:, 30:])


def test_scenes_of_different_land_are_passed_on_with_a_warning(shared: Path) -> None:
    items = prepared(
        shared,
        [delivered(shared, "first", landscape(1)), delivered(shared, "second", landscape(2))],
    )
    call = make_call(shared, node="align")
    _, second = align(items, call)
    assert "scene second cannot be aligned" in call.warned[0]
    assert fields(second)["eoloom:aligned"] is False
    assert [a.href for a in second.assets] == [a.href for a in items[1].assets]


def test_an_all_cloud_scene_is_passed_on_with_a_warning(shared: Path) -> None:
    cloud = np.full((SIDE, SIDE), 9, np.uint8)
    items = prepared(
        shared,
        [
            delivered(shared, "first", landscape()),
            delivered(shared, "second", landscape(), scl=cloud),
        ],
    )
    call = make_call(shared, node="align")
    _, second = align(items, call)
    assert "scene second cannot be aligned" in call.warned[0]
    assert fields(second)["eoloom:aligned"] is False


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epsg": 32634}, "scene second is in EPSG:32634, but scene first, .* in EPSG:32633"),
        ({"pixel": 20}, "scene second has pixels of 20, but scene first, .* of 10"),
        ({"left": LEFT + 90000}, "scene second does not overlap scene first"),
    ],
)
def test_scenes_that_cannot_be_compared_are_named(
    shared: Path, change: dict[str, Any], message: str
) -> None:
    items = prepared(
        shared,
        [
            delivered(shared, "first", landscape()),
            delivered(shared, "second", landscape(), **change),
        ],
    )
    with pytest.raises(InputError, match=message):
        align(items, make_call(shared, node="align"))


def test_other_bands_are_named(shared: Path) -> None:
    files = [delivered(shared, name, landscape()) for name in ("first", "second")]
    items = prepared(shared, files[:1]) + prepared(shared, files[1:], bands=["B08"])
    with pytest.raises(InputError, match=r"second has bands B08, but scene first, .* B04, B08"):
        align(items, make_call(shared, node="align"))
    with pytest.raises(InputError, match="scene first has no band B11 to align by; it has B04"):
        align(items[:1], make_call(shared, node="align", align_band="B11"))


def test_what_was_not_prepared_is_refused(shared: Path) -> None:
    item = delivered(shared, "raw", landscape())
    with pytest.raises(InputError, match="has no asset 'reflectance'"):
        align([item], make_call(shared, node="align"))
    item.assets[0].key = "reflectance"
    with pytest.raises(InputError, match="was not made by the operation prepare"):
        align([item], make_call(shared, node="align"))


def test_a_series_may_be_empty(shared: Path) -> None:
    assert align([], make_call(shared)) == []


def test_results_come_one_by_one(shared: Path) -> None:
    """A stream is answered as it arrives; nothing waits for its end."""
    land = landscape()
    items = prepared(shared, [delivered(shared, name, land) for name in ("first", "second")])
    taken = []

    def stream() -> Any:
        for item in items:
            taken.append(item.id)
            yield item

    results = S2Preprocess().align(stream(), make_call(shared, node="align"))
    assert next(results).id == "first_aligned"
    assert taken == ["first"]


def test_the_file_states_its_encoding(shared: Path) -> None:
    land = landscape()
    items = prepared(
        shared,
        [delivered(shared, "first", land), delivered(shared, "second", moved(land, 0.4, 0.3))],
    )
    _, second = align(items, make_call(shared, node="align"))
    with rasterio.open(shared / assets(second)["reflectance"].href) as dataset:
        assert dataset.descriptions == BANDS
        assert (dataset.scales[0], dataset.offsets[0], dataset.nodata) == (1e-4, -0.1, 0)
