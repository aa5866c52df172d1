"""Input that cannot be read: truncated, not a raster, untrusted, or behind a server."""

import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning

from components.kit.errors import MissingDataError, TemporaryError
from components.kit.rasters import blocks, open_raster
from components.kit.storage import Storage
from tests.components.kit.conftest import Site
from tests.components.kit.test_rasters import ramp, write
from tests.data import ROOT


def cut(path: Path, share: float) -> str:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return str(path)


def texture() -> NDArray[np.uint16]:
    return np.random.default_rng(5).integers(1, 4000, (1, 1500, 1500)).astype(np.uint16)


@pytest.mark.parametrize("share", [0.0, 0.0001, 0.1, 0.5, 0.9, 0.999])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("x.tif", {"tiled": True, "compress": "deflate"}),
        ("x.tif", {}),
        ("x.jp2", {"driver": "JP2OpenJPEG", "QUALITY": "100", "REVERSIBLE": "YES"}),
        ("x.jp2", {"driver": "JP2OpenJPEG", "QUALITY": "20", "BLOCKXSIZE": "512"}),
    ],
)
def test_a_truncated_file_is_an_error_and_not_zeros(
    tmp_path: Path, name: str, options: dict[str, Any], share: float
) -> None:
    write(tmp_path / name, texture(), **options)
    path = cut(tmp_path / name, share)

    def read_all() -> None:
        with open_raster(path) as raster:
            raster.read()

    with pytest.raises(MissingDataError, match=rf"{name} cannot be read; it is truncated"):
        read_all()


@pytest.mark.data
@pytest.mark.parametrize("share", [0.05, 0.5, 0.99])
def test_a_truncated_sentinel_2_band(eoloom_data: Path, tmp_path: Path, share: float) -> None:
    folder = eoloom_data / "s2_preprocess" / "mapchete_l2a_120m" / "S2A_33TWL_20230815_0_L2A"
    (tmp_path / "B04.tif").write_bytes((folder / "B04.tif").read_bytes())
    path = cut(tmp_path / "B04.tif", share)

    def read_in_blocks() -> None:
        with open_raster(path) as raster:
            for window in blocks(raster.geobox.shape, 500):
                raster.read(window)

    with pytest.raises(MissingDataError, match=r"B04.tif cannot be read"):
        read_in_blocks()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: None, "does not exist"),
        (lambda path: path.mkdir(), "is not a file"),
        (lambda path: path.write_bytes(b""), "not a raster"),
        (lambda path: path.write_text("<xml/>"), "not a raster"),
        (lambda path: path.write_bytes(b"II*\0" + bytes(100)), "damaged"),
    ],
)
def test_what_is_no_raster(tmp_path: Path, make: Any, words: str) -> None:
    make(tmp_path / "x.tif")
    with pytest.raises(MissingDataError, match=rf"x.tif .*{words}"):
        open_raster(str(tmp_path / "x.tif"))


VRT = """<VRTDataset rasterXSize="2" rasterYSize="2"><VRTRasterBand dataType="Byte" band="1">
<SimpleSource><SourceFilename relativeToVRT="0">{path}</SourceFilename></SimpleSource>
</VRTRasterBand></VRTDataset>"""


@pytest.mark.parametrize("name", ["x.vrt", "x.tif"])
def test_a_raster_that_refers_to_another_file_is_refused(tmp_path: Path, name: str) -> None:
    secret = write(tmp_path / "secret.tif", ramp(1, 2, 2).astype(np.uint8))
    (tmp_path / name).write_text(VRT.format(path=secret))
    with rasterio.open(tmp_path / name) as dataset:  # GDAL alone would open it
        assert dataset.read(1)[1, 1] == 3
    with pytest.raises(MissingDataError, match="not a raster"):
        open_raster(str(tmp_path / name))


def test_side_files_of_an_untrusted_raster_are_not_read(tmp_path: Path) -> None:
    path = write(tmp_path / "x.tif", ramp(1, 4, 4), crs=None, transform=Affine.identity())
    (tmp_path / "x.tfw").write_text("10\n0\n0\n-10\n500000\n5100000\n")
    with open_raster(path) as raster:
        assert raster.geobox.affine == Affine.identity()


OPEN_BARE = """
import sys
from components.kit.rasters import open_raster
with open_raster(sys.argv[1]) as raster:
    print(raster.georeferenced, raster.geobox.crs)
"""


def test_a_raster_without_georeferencing_opens_without_a_warning(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        bare = write(tmp_path / "x.png", ramp(1, 4, 4), driver="PNG", crs=None, transform=None)
    result = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", OPEN_BARE, bare],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.split() == ["False", "None"]
    assert result.stderr == ""


def test_gdals_own_messages_do_not_disturb_the_log(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "x.tif", texture(), tiled=True, compress="deflate")
    with open_raster(cut(Path(path), 0.5)) as raster, pytest.raises(MissingDataError):
        raster.read()
    assert capfd.readouterr().err == ""


def test_rasters_over_http(site: Site, storage: Storage, tmp_path: Path) -> None:
    values = texture()
    write(tmp_path / "x.tif", values, tiled=True, compress="deflate")
    site.files["x.tif"] = (tmp_path / "x.tif").read_bytes()
    with open_raster(storage.resolve(f"{site.url}/x.tif?sig=abc")) as raster:
        np.testing.assert_array_equal(raster.read_stored(), values)


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [
        (404, MissingDataError, "does not exist"),
        (403, MissingDataError, r"refused \(403\)"),
        (500, TemporaryError, "500"),
        (b"no raster" * 100, MissingDataError, "damaged or not a raster"),
    ],
)
def test_rasters_that_a_server_does_not_give(
    site: Site,
    storage: Storage,
    monkeypatch: pytest.MonkeyPatch,
    content: bytes | int,
    error: type[Exception],
    words: str,
) -> None:
    monkeypatch.setenv("GDAL_HTTP_MAX_RETRY", "0")
    site.files["x.tif"] = content
    url = site.url.replace("http://", "http://user:secret@")
    with pytest.raises(error, match=words) as caught:
        open_raster(storage.resolve(f"{url}/x.tif?sig=abc"))
    assert f"{site.url}/x.tif" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "abc" not in str(caught.value)


def test_a_server_that_is_not_there(storage: Storage) -> None:
    with pytest.raises(TemporaryError, match=r"http://127.0.0.1:1/x.tif cannot be read"):
        open_raster(storage.resolve("http://127.0.0.1:1/x.tif"))
