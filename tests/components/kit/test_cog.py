"""Writing Cloud-Optimized GeoTIFFs: layout, values, and what a failure leaves behind."""

import itertools
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.windows import Window

from components.kit.cog import cog_writer
from components.kit.errors import StorageError
from components.kit.rasters import blocks, open_raster
from tests.data import ROOT


def geobox(height: int, width: int, pixel: float = 10.0) -> GeoBox:
    return GeoBox((height, width), Affine(pixel, 0, 500_000, 0, -pixel, 5_100_000), "EPSG:32633")


def noise(*shape: int) -> NDArray[np.uint16]:
    return np.random.default_rng(7).integers(1, 10_000, shape).astype(np.uint16)


def write_blocks(path: Path, values: NDArray[Any], **options: Any) -> None:
    count, height, width = values.shape
    options = {"dtype": values.dtype.name, "count": count, **options}
    with cog_writer(path, geobox(height, width), **options) as writer:
        for window in blocks((height, width), 300):
            rows, columns = window.toslices()
            writer.write(values[:, rows, columns], window)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    values = noise(2, 700, 1100)
    write_blocks(
        tmp_path / "x.tif",
        values,
        nodata=0,
        scale=1e-4,
        offset=-0.1,
        band_names=["B04", "B08"],
    )
    with rasterio.open(tmp_path / "x.tif") as dataset:
        np.testing.assert_array_equal(dataset.read(), values)
        assert dataset.descriptions == ("B04", "B08")
        assert dataset.scales == (1e-4, 1e-4)
        assert dataset.offsets == (-0.1, -0.1)
        assert dataset.nodatavals == (0, 0)
        assert dataset.crs.to_epsg() == 32633
        assert dataset.transform == geobox(700, 1100).transform
    assert [path.name for path in tmp_path.iterdir()] == ["x.tif"]  # no .aux.xml either


def read_ifds(path: Path) -> list[dict[int, list[int]]]:
    """Return the tags of each image in a TIFF, by number (TIFF 6.0, BigTIFF excluded)."""
    content = path.read_bytes()
    assert content[:4] == b"II*\0"
    (position,) = struct.unpack_from("<I", content, 4)
    images = []
    while position:
        (entries,) = struct.unpack_from("<H", content, position)
        tags: dict[int, list[int]] = {-1: [position]}
        for index in range(entries):
            entry = position + 2 + 12 * index
            tag, kind, count = struct.unpack_from("<HHI", content, entry)
            form = {3: "H", 4: "I"}.get(kind)
            if form:
                size = count * struct.calcsize(form)
                place = entry + 8 if size <= 4 else struct.unpack_from("<I", content, entry + 8)[0]
                tags[tag] = list(struct.unpack_from(f"<{count}{form}", content, place))
        images.append(tags)
        (position,) = struct.unpack_from("<I", content, position + 2 + 12 * entries)
    return images


def test_the_layout_is_that_of_a_cog(tmp_path: Path) -> None:
    """OGC 21-026: tiled, directories first, overviews by halves, smallest overview's data first."""
    path = tmp_path / "x.tif"
    write_blocks(path, noise(1, 2100, 1700), nodata=0)
    assert b"LAYOUT=IFDS_BEFORE_DATA" in path.read_bytes()[:200]
    images = read_ifds(path)
    width, height, tile_width, tile_height, offsets = 256, 257, 322, 323, 324
    sizes = [(image[height][0], image[width][0]) for image in images]
    assert sizes == [(2100, 1700), (1050, 850), (525, 425), (262, 212)]
    assert all((image[tile_width][0], image[tile_height][0]) == (512, 512) for image in images)
    first_data = min(offset for image in images for offset in image[offsets])
    assert all(image[-1][0] < first_data for image in images)
    levels = [image[offsets] for image in images]
    assert all(level == sorted(level) for level in levels)
    for larger, smaller in itertools.pairwise(levels):
        assert max(smaller) < min(larger)
    with rasterio.open(path) as dataset:
        assert dataset.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"


@pytest.mark.parametrize(
    ("dtype", "predictor"),
    [("uint8", 2), ("uint16", 2), ("int16", 2), ("float32", 3), ("float64", 3)],
)
def test_the_predictor_suits_the_type(tmp_path: Path, dtype: str, predictor: int) -> None:
    values = noise(1, 600, 600).astype(dtype)
    write_blocks(tmp_path / "x.tif", values)
    deflate = 8
    for image in read_ifds(tmp_path / "x.tif"):
        assert image[259] == [deflate]
        assert image[317] == [predictor]
    with rasterio.open(tmp_path / "x.tif") as dataset:
        np.testing.assert_array_equal(dataset.read(), values)


def test_overviews_leave_out_nodata(tmp_path: Path) -> None:
    values = np.full((1, 1024, 1024), 500, np.uint16)
    values[:, ::2] = 0
    write_blocks(tmp_path / "x.tif", values, nodata=0)
    with rasterio.open(tmp_path / "x.tif", overview_level=0) as dataset:
        np.testing.assert_array_equal(dataset.read(), np.full((1, 512, 512), 500))


@pytest.mark.parametrize("resampling", ["nearest", "mode"])
def test_overviews_of_classes_have_no_new_classes(tmp_path: Path, resampling: str) -> None:
    values = np.random.default_rng(1).choice([4, 11], (1, 1024, 1024)).astype(np.uint8)
    write_blocks(tmp_path / "x.tif", values, resampling=resampling)
    with rasterio.open(tmp_path / "x.tif", overview_level=0) as dataset:
        assert set(np.unique(dataset.read())) == {4, 11}


def test_colours_of_classes(tmp_path: Path) -> None:
    colours = {0: (0, 0, 0, 0), 4: (16, 211, 45, 255), 11: (83, 255, 250, 255)}
    values = np.full((1, 600, 600), 4, np.uint8)
    write_blocks(tmp_path / "x.tif", values, nodata=0, resampling="nearest", colormap=colours)
    with rasterio.open(tmp_path / "x.tif") as dataset:
        found = dataset.colormap(1)
    assert {index: found[index][:3] for index in colours} == {
        index: colour[:3] for index, colour in colours.items()
    }
    assert found[0][3] == 0  # nodata is transparent


@pytest.mark.parametrize(
    ("dtype", "nodata"), [("uint16", 0), ("float32", np.nan), ("int16", -32768)]
)
def test_what_is_never_written_is_nodata(tmp_path: Path, dtype: str, nodata: float) -> None:
    with cog_writer(tmp_path / "x.tif", geobox(700, 700), dtype=dtype, nodata=nodata) as writer:
        writer.write(np.ones((100, 100), dtype), Window(600, 600, 100, 100))
    with open_raster(str(tmp_path / "x.tif")) as raster:
        values = raster.read()
    assert np.isnan(values).sum() == 700 * 700 - 100 * 100
    assert (values[0, 600:, 600:] == 1).all()


def test_blocks_can_be_read_back_while_writing(tmp_path: Path) -> None:
    with cog_writer(tmp_path / "x.tif", geobox(100, 100), dtype="uint8") as writer:
        writer.write(np.full((100, 100), 7, np.uint8))
        assert (writer.dataset.read(1) == 7).all()
        writer.write(np.full((50, 100), 9, np.uint8), Window(0, 50, 100, 50))
    with rasterio.open(tmp_path / "x.tif") as dataset:
        assert np.unique(dataset.read(1), return_counts=True)[1].tolist() == [5000, 5000]


def test_a_raster_without_crs(tmp_path: Path) -> None:
    bare = GeoBox((600, 600), Affine.identity(), None)
    with cog_writer(tmp_path / "x.tif", bare, dtype="uint8") as writer:
        writer.write(np.ones((600, 600), np.uint8))
    with open_raster(str(tmp_path / "x.tif")) as raster:
        assert raster.geobox == bare


@pytest.mark.parametrize(
    ("values", "window", "error"),
    [
        (np.ones((1, 10, 10)), None, TypeError),
        (np.ones((1, 10, 10), np.int64), None, TypeError),
        (np.ones((1, 10, 10), np.uint16), None, TypeError),
        (np.ones((1, 9, 10), np.uint8), None, ValueError),
        (np.ones((2, 10, 10), np.uint8), None, ValueError),
        (np.ones((1, 5, 5), np.uint8), Window(0, 0, 10, 10), ValueError),
        (np.ones((1, 5, 5), np.uint8), Window(7, 0, 5, 5), ValueError),
        (np.ones((1, 5, 5), np.uint8), Window(0, -1, 5, 5), ValueError),
    ],
)
def test_values_that_gdal_would_wrap_or_stretch_are_refused(
    tmp_path: Path, values: NDArray[Any], window: Window | None, error: type[Exception]
) -> None:
    with cog_writer(tmp_path / "x.tif", geobox(10, 10), dtype="uint8") as writer:
        with pytest.raises(error):
            writer.write(values, window)
        writer.write(np.ones((1, 10, 10), bool))


def test_real_numbers_may_lose_precision(tmp_path: Path) -> None:
    with cog_writer(tmp_path / "x.tif", geobox(10, 10), dtype="float32") as writer:
        writer.write(np.full((10, 10), 0.1))
    with open_raster(str(tmp_path / "x.tif")) as raster:
        assert raster.read()[0, 0, 0] == np.float32(0.1)


def test_nothing_has_the_final_name_before_all_is_written(tmp_path: Path) -> None:
    path = tmp_path / "new" / "x.tif"
    with cog_writer(path, geobox(600, 600), dtype="uint8") as writer:
        writer.write(np.ones((600, 600), np.uint8))
        assert not path.exists()
        assert all(file.name.startswith(".") for file in path.parent.iterdir())
    assert [file.name for file in path.parent.iterdir()] == ["x.tif"]


def test_an_older_file_stays_until_it_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    path.write_bytes(b"older")
    with pytest.raises(KeyError), cog_writer(path, geobox(600, 600), dtype="uint8"):
        raise KeyError("stopped")
    assert path.read_bytes() == b"older"
    write_blocks(path, noise(1, 600, 600))
    with rasterio.open(path) as dataset:
        assert dataset.shape == (600, 600)


class Gone(BaseException):
    """Like the end of a call whose caller has gone."""


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, Gone])
@pytest.mark.parametrize("name", ["x.tif", "[ab]*?.tif"])
def test_a_failure_leaves_nothing(tmp_path: Path, kind: type[BaseException], name: str) -> None:
    (tmp_path / "ab.tif").write_bytes(b"not ours")

    def fail() -> None:
        with cog_writer(tmp_path / name, geobox(600, 600), dtype="uint8") as writer:
            writer.write(np.ones((600, 600), np.uint8))
            raise kind

    with pytest.raises(kind):
        fail()
    assert [file.name for file in tmp_path.iterdir()] == ["ab.tif"]


def test_two_writers_of_one_file(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    with cog_writer(path, geobox(10, 10), dtype="uint8") as slow:
        with cog_writer(path, geobox(10, 10), dtype="uint8") as fast:
            fast.write(np.full((10, 10), 1, np.uint8))
        slow.write(np.full((10, 10), 2, np.uint8))
    with rasterio.open(path) as dataset:
        assert (dataset.read(1) == 2).all()
    assert [file.name for file in tmp_path.iterdir()] == ["x.tif"]


def test_a_file_in_the_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "clean").write_text("a file")
    with (
        pytest.raises(StorageError, match=r"cannot write .*clean/x.tif: "),
        cog_writer(tmp_path / "clean" / "x.tif", geobox(10, 10), dtype="uint8"),
    ):
        pass


def test_a_folder_in_the_place_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "x.tif").mkdir()
    with (
        pytest.raises(StorageError, match=r"cannot write .*x.tif: Is a directory"),
        cog_writer(tmp_path / "x.tif", geobox(10, 10), dtype="uint8"),
    ):
        pass
    assert [file.name for file in tmp_path.iterdir()] == ["x.tif"]


# Incompressible, so that the COG with its overview is larger than the blocks it is made from.
LIMITED = """
import resource, sys
from pathlib import Path
import numpy as np
from components.kit.errors import StorageError
from tests.components.kit.test_cog import noise, write_blocks

path, limit = Path(sys.argv[1]), int(sys.argv[2])
values = noise(1, 1024, 1024) * np.uint16(13)
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    write_blocks(path, values, nodata=0)
except StorageError as error:
    print(error)
"""


def write_limited(path: Path, limit: int) -> str:
    result = subprocess.run(
        [sys.executable, "-c", LIMITED, str(path), str(limit)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return result.stdout.strip()


@pytest.fixture(scope="module")
def full_size(tmp_path_factory: pytest.TempPathFactory) -> int:
    path = tmp_path_factory.mktemp("full") / "x.tif"
    assert write_limited(path, 0) == ""
    return path.stat().st_size


@pytest.mark.parametrize("share", [0.05, 0.5, 0.9, 0.999])
def test_a_full_disk(tmp_path: Path, full_size: int, share: float) -> None:
    """A limit on the size of files stands in for the disk: the same errors at the same places."""
    path = tmp_path / "x.tif"
    message = write_limited(path, int(full_size * share))
    assert message.startswith(f"cannot write {path}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small file system")
@pytest.mark.parametrize("mebibytes", [1, 2])
def test_a_full_file_system(tmp_path: Path, mebibytes: int) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "none", str(small)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting is not permitted here")
    try:
        message = write_limited(small / "x.tif", 0)
        assert message.startswith(f"cannot write {small / 'x.tif'}")
        assert list(small.iterdir()) == []
    finally:
        subprocess.run(["umount", str(small)], check=True)
