import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox

from components.kit.rasters import blocks
from components.s2_preprocess.resampling import Method, Resampler

SOURCE = GeoBox((120, 150), Affine(10, 0, 300000, 0, -10, 5900040), "EPSG:32633")


def texture(shape: tuple[int, int] = (120, 150)) -> np.ndarray:
    return np.random.default_rng(3).uniform(0, 1, shape).astype(np.float32)


def covering(resolution: float, crs: str = "EPSG:32633") -> GeoBox:
    bounds = SOURCE.extent.to_crs(crs).boundingbox
    return GeoBox.from_bbox(bounds, crs, resolution=resolution, anchor="edge")


def whole(values: np.ndarray, target: GeoBox, method: Method | str) -> np.ndarray:
    resampler = Resampler.between(SOURCE, target, method)
    plan = resampler.plan(target)
    assert plan is not None
    return resampler.resample(values[plan.source], plan, target)


def in_blocks(values: np.ndarray, target: GeoBox, method: Method | str, size: int) -> np.ndarray:
    resampler = Resampler.between(SOURCE, target, method)
    result = np.full(target.shape, np.nan, np.float32)
    for window in blocks(target.shape, size):
        roi = window.toslices()
        plan = resampler.plan(target[roi])
        if plan is not None:
            result[roi] = resampler.resample(values[plan.source], plan, target[roi])
    return result


@pytest.mark.parametrize("method", ["nearest", "bilinear", "cubic", "average"])
@pytest.mark.parametrize(
    ("resolution", "crs"),
    [(10, "EPSG:32633"), (20, "EPSG:32633"), (15, "EPSG:32633"), (7, "EPSG:32633"),
     (120, "EPSG:32633"), (12, "EPSG:32634"), (50, "EPSG:3035")],
)  # fmt: skip
def test_blocks_have_no_seams(method: Method, resolution: float, crs: str) -> None:
    values, target = texture(), covering(resolution, crs)
    expected = whole(values, target, method)
    actual = in_blocks(values, target, method, 17)
    if crs == "EPSG:32633":
        np.testing.assert_allclose(actual, expected, atol=2e-6)
    else:
        # GDAL interpolates positions within each block; neighbours may be taken at the limit.
        close = np.isclose(actual, expected, atol=0.02, equal_nan=True)
        assert close.mean() > 0.98


def test_the_same_grid_is_copied_exactly() -> None:
    values = texture()
    resampler = Resampler.between(SOURCE, SOURCE[20:80, 30:90])
    plan = resampler.plan(SOURCE[25:60, 31:70])
    assert plan is not None
    assert plan.copy
    assert plan.source == np.s_[25:60, 31:70]
    block = resampler.resample(values[plan.source], plan, SOURCE[25:60, 31:70])
    np.testing.assert_array_equal(block, values[25:60, 31:70])


def test_auto_averages_where_pixels_get_larger() -> None:
    values = texture((120, 150))
    expected = values.reshape(40, 3, 50, 3).mean(axis=(1, 3))
    target = GeoBox((40, 50), Affine(30, 0, 300000, 0, -30, 5900040), "EPSG:32633")
    np.testing.assert_allclose(whole(values, target, "auto"), expected, atol=1e-6)


def test_auto_is_bilinear_where_pixels_get_smaller() -> None:
    # Bilinear is exact for a plane; one coarse pixel at the border is extrapolated.
    y, x = np.mgrid[0:120, 0:150].astype(np.float32)
    values = (2 * x + 3 * y).astype(np.float32)
    target = GeoBox((240, 300), Affine(5, 0, 300000, 0, -5, 5900040), "EPSG:32633")
    fine_y, fine_x = (np.mgrid[0:240, 0:300] + 0.5) / 2 - 0.5
    inside = np.s_[2:-2, 2:-2]
    np.testing.assert_allclose(
        whole(values, target, "auto")[inside], (2 * fine_x + 3 * fine_y)[inside], atol=1e-3
    )


def test_missing_values_take_no_part_in_an_average() -> None:
    values = texture()
    values[0, 0] = np.nan
    values[3:6, 3:6] = np.nan
    target = GeoBox((40, 50), Affine(30, 0, 300000, 0, -30, 5900040), "EPSG:32633")
    result = whole(values, target, "average")
    assert result[0, 0] == pytest.approx(np.nanmean(values[0:3, 0:3]), abs=1e-6)
    assert np.isnan(result[1, 1])


def test_outside_is_missing() -> None:
    target = GeoBox((20, 20), Affine(10, 0, 299900, 0, -10, 5900140), "EPSG:32633")
    result = whole(texture(), target, "bilinear")
    assert np.isnan(result[:10]).all()
    assert not np.isnan(result[10:, 10:]).any()
    away = GeoBox((20, 20), Affine(10, 0, 400000, 0, -10, 5900140), "EPSG:32633")
    assert Resampler.between(SOURCE, SOURCE).plan(away) is None


def test_classes_keep_to_their_values() -> None:
    classes = np.random.default_rng(1).choice([4, 9], (60, 75)).astype(np.uint8)
    coarse = GeoBox((60, 75), Affine(20, 0, 300000, 0, -20, 5900040), "EPSG:32633")
    resampler = Resampler.between(coarse, SOURCE, "nearest")
    plan = resampler.plan(SOURCE)
    assert plan is not None
    result = resampler.resample_classes(classes[plan.source], plan, SOURCE)
    np.testing.assert_array_equal(result, classes.repeat(2, axis=0).repeat(2, axis=1))
