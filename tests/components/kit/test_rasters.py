"""Reading rasters: physical values, windows, overviews, and the assets that describe them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.windows import Window

from components.kit.cog import cog_writer
from components.kit.errors import InputError
from components.kit.rasters import COG_MEDIA_TYPE, blocks, open_raster, raster_asset
from components.kit.storage import Storage
from protos.common.v1.item_pb2 import Band

GRID = Affine(10, 0, 500_000, 0, -10, 5_100_000)


def write(path: Path, values: NDArray[Any], **options: Any) -> str:
    """Write (band, y, x) with rasterio alone, in a format of its choice."""
    count, height, width = values.shape
    scaling = {name: options.pop(name) for name in ("scales", "offsets") if name in options}
    profile = {"driver": "GTiff", "crs": "EPSG:32633", "transform": GRID, **options}
    with rasterio.open(
        path, "w", height=height, width=width, count=count, dtype=values.dtype, **profile
    ) as dataset:
        dataset.write(values)
        for name, numbers in scaling.items():
            setattr(dataset, name, numbers)
    return str(path)


def ramp(count: int, height: int, width: int) -> NDArray[np.uint16]:
    return np.arange(count * height * width, dtype=np.uint16).reshape(count, height, width)


def test_what_a_raster_says_of_itself(tmp_path: Path) -> None:
    path = write(tmp_path / "x.tif", ramp(2, 30, 40), nodata=7)
    with open_raster(path) as raster:
        assert raster.geobox == GeoBox((30, 40), GRID, "EPSG:32633")
        assert (raster.count, raster.dtype, raster.nodata) == (2, "uint16", 7)
        assert raster.georeferenced
        assert raster.band_names == ("", "")
        assert raster.path == path


def test_physical_values(tmp_path: Path) -> None:
    values = np.array([[[0, 1, 1000], [2000, 11000, 65535]]], np.uint16)
    path = write(tmp_path / "x.tif", values, nodata=0, scales=[1e-4], offsets=[-0.1])
    with open_raster(path) as raster:
        read = raster.read()
        stored = raster.read_stored()
    assert read.dtype == np.float32
    np.testing.assert_allclose(
        read, [[[np.nan, -0.0999, 0.0], [0.1, 1.0, 6.4535]]], rtol=1e-6, atol=1e-7
    )
    assert stored.dtype == np.uint16
    np.testing.assert_array_equal(stored, values)


def test_scaling_of_each_band(tmp_path: Path) -> None:
    values = np.ones((3, 2, 2), np.int16)
    path = write(tmp_path / "x.tif", values, scales=[1, 2, 3], offsets=[0, 10, 20])
    with open_raster(path) as raster:
        assert raster.read()[:, 0, 0].tolist() == [1, 12, 23]
        assert raster.read(indexes=[3, 1])[:, 0, 0].tolist() == [23, 1]


@pytest.mark.parametrize(
    ("dtype", "nodata"),
    [
        ("uint8", 255),
        ("int16", -32768),
        ("float32", np.nan),
        ("float32", -9999),
        ("float32", float(np.finfo(np.float32).min)),
        ("float64", float(np.finfo(np.float64).min)),
        ("float32", np.inf),
    ],
)
def test_nodata_is_nan(tmp_path: Path, dtype: str, nodata: float) -> None:
    values = np.ones((1, 4, 4), dtype)
    values[0, 1, 1] = nodata
    with open_raster(write(tmp_path / "x.tif", values, nodata=nodata)) as raster:
        read = raster.read()
    assert np.isnan(read[0, 1, 1])
    assert np.isnan(read).sum() == 1


@pytest.mark.parametrize("nodata", ["-9999", "65536", "0.5", "nan", "inf"])
def test_nodata_that_no_pixel_can_have(tmp_path: Path, nodata: str) -> None:
    """-9999 in a file of uint16 must not hide the pixels of 55537."""
    values = np.array([[[0, 1, 55537, 65535]]], np.uint16)
    path = write(tmp_path / "x.tif", values)
    with open_raster(path, bands=[Band(name="B04", nodata=nodata)]) as raster:
        np.testing.assert_array_equal(raster.read(), values.astype(np.float32))


def test_every_value_counts_where_there_is_no_nodata(tmp_path: Path) -> None:
    with open_raster(write(tmp_path / "x.tif", ramp(1, 3, 3))) as raster:
        assert raster.nodata is None
        assert not np.isnan(raster.read()).any()


def test_the_item_overrules_the_file(tmp_path: Path) -> None:
    values = np.array([[[5, 7]], [[5, 7]]], np.uint16)
    path = write(tmp_path / "x.tif", values, nodata=7, scales=[2, 2], offsets=[1, 1])
    bands = [Band(name="B04", scale=10, offset=3, nodata="5"), Band(name="B08")]
    with open_raster(path, bands=bands) as raster:
        np.testing.assert_array_equal(raster.read(), [[[np.nan, 73]], [[11, np.nan]]])
    with open_raster(path, bands=[Band(scale=1)] * 2) as raster:
        np.testing.assert_array_equal(raster.read(), [[[5, np.nan]], [[5, np.nan]]])


def test_a_band_without_a_name_speaks_for_all(tmp_path: Path) -> None:
    path = write(tmp_path / "x.tif", ramp(3, 2, 2))
    with open_raster(path, bands=[Band(scale=0.5)]) as raster:
        np.testing.assert_array_equal(raster.read(), ramp(3, 2, 2) * 0.5)


@pytest.mark.parametrize("names", [["B04"], ["B04", "B08", "B11"]])
def test_bands_that_are_not_those_of_the_file(tmp_path: Path, names: list[str]) -> None:
    path = write(tmp_path / "x.tif", ramp(2, 2, 2))
    with pytest.raises(InputError, match=rf"x.tif has 2 bands, its item describes {len(names)}"):
        open_raster(path, bands=[Band(name=name) for name in names])


def test_nodata_that_is_no_number(tmp_path: Path) -> None:
    path = write(tmp_path / "x.tif", ramp(1, 2, 2))
    with pytest.raises(InputError, match="band 'B04': nodata 'none' is not a number"):
        open_raster(path, bands=[Band(name="B04", nodata="none")])


def test_complex_values_have_no_physical_value(tmp_path: Path) -> None:
    path = write(tmp_path / "x.tif", np.full((1, 2, 2), 1 + 2j, np.complex64))
    with open_raster(path) as raster:
        assert raster.read_stored()[0, 0, 0] == 1 + 2j
        with pytest.raises(InputError, match="complex"):
            raster.read()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, NDArray[np.uint16]]:
    """A COG of several tiles, written by the kit."""
    path = tmp_path_factory.mktemp("whole") / "x.tif"
    values = np.random.default_rng(3).integers(0, 12_000, (2, 600, 1300)).astype(np.uint16)
    with cog_writer(
        path,
        GeoBox((600, 1300), GRID, "EPSG:32633"),
        dtype="uint16",
        count=2,
        nodata=0,
        scale=1e-4,
        offset=-0.1,
    ) as writer:
        writer.write(values)
    return str(path), values


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.integers(0, 1299), st.integers(0, 599), st.data())
def test_a_window_equals_that_part_of_the_whole(
    whole: tuple[str, NDArray[np.uint16]], column: int, row: int, data: st.DataObject
) -> None:
    path, values = whole
    window = Window(
        column,
        row,
        data.draw(st.integers(1, 1300 - column)),
        data.draw(st.integers(1, 600 - row)),
    )
    indexes = data.draw(st.sampled_from([None, [1], [2], [2, 1]]))
    with open_raster(path) as raster:
        read = raster.read(window, indexes)
    part = values[[0, 1] if indexes is None else [i - 1 for i in indexes]]
    part = part[:, row : row + window.height, column : column + window.width]
    expected = np.where(part == 0, np.nan, part * 1e-4 - 0.1)
    np.testing.assert_allclose(read, expected, atol=2e-7)


@given(st.integers(1, 3000), st.integers(1, 3000), st.integers(64, 1500))
def test_blocks_cover_each_pixel_once(height: int, width: int, size: int) -> None:
    windows = blocks((height, width), size)
    assert sum(window.width * window.height for window in windows) == height * width
    corners = [(window.row_off, window.col_off) for window in windows]
    assert corners == sorted(set(corners))
    for window in windows:
        assert 0 < window.width <= size
        assert 0 < window.height <= size
        assert window.row_off + window.height <= height
        assert window.col_off + window.width <= width


def test_an_overview(whole: tuple[str, NDArray[np.uint16]], tmp_path: Path) -> None:
    path, _ = whole
    with open_raster(path) as raster:
        assert raster.overview(130).shape == (2, 60, 130)
        assert raster.overview(5000, [2]).shape == (1, 600, 1300)
    values = np.kron(ramp(1, 8, 8), np.ones((64, 64), np.uint16))
    values[values == 9] = 0
    path = write(tmp_path / "x.tif", values, nodata=0, scales=[0.5])
    with open_raster(path) as raster:
        expected = np.where(np.isin(ramp(1, 8, 8), [0, 9]), np.nan, ramp(1, 8, 8) * 0.5)
        np.testing.assert_array_equal(raster.overview(8), expected)


@pytest.mark.data
def test_a_sentinel_2_band_of_jpeg_2000(eoloom_data: Path) -> None:
    folder = eoloom_data / "s2_preprocess" / "mapchete_l2a_120m" / "S2A_33TWL_20230815_0_L2A"
    band = Band(name="B04", scale=1e-4, nodata="0")
    with open_raster(str(folder / "B04.tif"), bands=[band]) as raster:
        assert raster.geobox.shape == (915, 915)
        assert not raster.georeferenced  # the item says where it lies
        values = raster.read()
    assert 0 < np.nanmedian(values) < 0.3


def test_the_asset_of_a_raster(storage: Storage) -> None:
    geobox = GeoBox((600, 1300), GRID, "EPSG:32633")
    path = storage.output / "a" / "x.tif"
    asset = raster_asset(
        "reflectance", path, storage, geobox=geobox, bands=[Band(name="B04")], title="T"
    )
    assert (asset.key, asset.href, asset.title) == ("reflectance", "clean/a/x.tif", "T")
    assert asset.media_type == COG_MEDIA_TYPE
    assert list(asset.roles) == ["data"]
    assert [band.name for band in asset.bands] == ["B04"]
    assert json.loads(asset.properties) == {
        "proj:code": "EPSG:32633",
        "proj:shape": [600, 1300],
        "proj:transform": [10, 0, 500_000, 0, -10, 5_100_000],
    }


def test_the_asset_of_a_raster_whose_crs_has_no_code(storage: Storage) -> None:
    crs = "+proj=laea +lat_0=47 +lon_0=16 +x_0=0 +y_0=0 +datum=WGS84 +units=m"
    asset = raster_asset(
        "x", storage.output / "x.tif", storage, geobox=GeoBox((2, 2), GRID, crs), bands=[]
    )
    grid = json.loads(asset.properties)
    assert grid["proj:code"] is None
    assert "Lambert Azimuthal Equal Area" in grid["proj:wkt2"]
