"""Tiles against the pixels that rasterio reads, and what is refused."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path

import morecantile
import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from PIL import Image
from rasterio.warp import transform
from starlette.applications import Starlette
from starlette.testclient import TestClient

from tests.ui import rasters
from tests.ui.rasters import RUN, write_raster
from ui.raster_files import RasterNotReadableError
from ui.routes import answers, run_files, tiles
from ui.tiles import (
    TileNotThereError,
    TileRequestError,
    parse_style,
    ramp_colours,
    read_values,
    render_tile,
)
from ui.user_folders import folder_name

GRID = morecantile.tms.get("WebMercatorQuad")
ZOOM = 15
CLASSES = "shared/change/a/classes.tif"
RAMP = "shared/change/a/magnitude.tif"
REFLECTANCE = "shared/clean/a/reflectance.tif"
ORANGE, BLUE = (213, 94, 0), (0, 114, 178)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / RUN
    write_raster(folder / CLASSES, rasters.squares(), nodata=255)
    write_raster(folder / RAMP, rasters.ramp(), nodata=float("nan"))
    write_raster(folder / REFLECTANCE, rasters.reflectance(), nodata=0)
    return folder


def forget_settings() -> None:
    answers.page_settings.cache_clear()
    answers.settings.cache_clear()


@pytest.fixture
def client(run: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setenv("EOLOOM_RUNS_FOLDER", str(run.parent))
    forget_settings()
    with TestClient(Starlette(routes=[*tiles.ROUTES, *run_files.ROUTES])) as opened:
        yield opened
    forget_settings()


def place(row: int, column: int) -> tuple[float, float]:
    """Longitude and latitude of the middle of a pixel."""
    x = rasters.WEST + (column + 0.5) * rasters.PIXEL_M
    y = rasters.NORTH - (row + 0.5) * rasters.PIXEL_M
    longitudes, latitudes = transform(rasters.CRS, "EPSG:4326", [x], [y])
    return longitudes[0], latitudes[0]


def colour_at(folder: Path, query: dict[str, str], path: str, row: int, column: int) -> list[int]:
    """The colour with which a pixel of the raster is drawn."""
    longitude, latitude = place(row, column)
    tile = GRID.tile(longitude, latitude, ZOOM)
    png = render_tile(folder, parse_style(query, [path]), ZOOM, tile.x, tile.y)
    pixels = as_array(png)
    assert pixels.shape == (256, 256, 4)
    bounds = GRID.xy_bounds(tile)
    x, y = GRID.xy(longitude, latitude)
    across = int((x - bounds.left) / (bounds.right - bounds.left) * 256)
    down = int((bounds.top - y) / (bounds.top - bounds.bottom) * 256)
    return [int(part) for part in pixels[down, across]]


def as_array(png: bytes) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(png)) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGBA"))


def tile_url(path: str, query: str = "", row: int = 300, column: int = 300) -> str:
    tile = GRID.tile(*place(row, column), ZOOM)
    return f"/tiles/{RUN}/{ZOOM}/{tile.x}/{tile.y}.png?path={path}{query}"


@pytest.mark.parametrize(("row", "column"), [(75, 75), (75, 225), (225, 225), (75, 375), (375, 75)])
def test_classes_are_drawn_in_their_colours_where_the_raster_has_them(
    run: Path, row: int, column: int
) -> None:
    with rasterio.open(run / CLASSES) as dataset:
        value = int(dataset.read(1)[row, column])
    expected = {0: [0, 0, 0, 0], 1: [*ORANGE, 255], 2: [*BLUE, 255]}[value]
    query = {"classes": "1:d55e00,2:0072b2"}
    assert colour_at(run, query, CLASSES, row, column) == expected


@pytest.mark.parametrize(
    ("query", "path", "row", "column"),
    [
        ({"classes": "1:d55e00,255:ffffff"}, CLASSES, 550, 300),
        ({"range": "0,599"}, RAMP, 50, 300),
        ({"bands": "3,2,1", "range": "0,4000"}, REFLECTANCE, 300, 50),
    ],
)
def test_pixels_without_data_are_transparent(
    run: Path, query: dict[str, str], path: str, row: int, column: int
) -> None:
    assert colour_at(run, query, path, row, column)[3] == 0


def test_values_become_the_colours_of_the_ramp(run: Path) -> None:
    ramp = ramp_colours("viridis")
    for column in (150, 300, 450):
        drawn = colour_at(run, {"range": "0,599"}, RAMP, 300, column)
        near = np.abs(ramp[:, :3].astype(int) - drawn[:3]).sum(axis=1).argmin()
        assert drawn[3] == 255
        # A pixel of the tile is half a pixel of the raster: one step of 256 or two.
        assert abs(int(near) - column / 599 * 255) <= 2


def test_a_composite_is_stretched_band_by_band(run: Path) -> None:
    query = {"bands": "3,2,1", "range": "1000,5000,1000,3000,0,1000"}
    assert colour_at(run, query, REFLECTANCE, 300, 300) == [128, 128, 255, 255]


def test_bands_of_several_files_make_one_image(run: Path) -> None:
    style = parse_style({"bands": "1,2,1", "range": "0,4000"}, [REFLECTANCE] * 3)
    tile = GRID.tile(*place(300, 300), ZOOM)
    pixels = as_array(render_tile(run, style, ZOOM, tile.x, tile.y))
    assert {tuple(map(int, pixel)) for pixel in pixels.reshape(-1, 4)} == {(64, 128, 64, 255)}


def test_values_are_those_of_the_pixel(run: Path) -> None:
    assert read_values(run, RAMP, [1], *place(300, 417)) == [417]
    assert read_values(run, REFLECTANCE, [1, 4], *place(300, 300)) == [1000, 4000]
    assert read_values(run, RAMP, [1], *place(50, 50)) == [None]
    assert read_values(run, RAMP, [1], 0, 0) == [None]


@pytest.mark.parametrize(
    "path",
    [
        "../other/shared/x.tif",
        "shared/../../other/x.tif",
        "/etc/passwd",
        "messages.log",
        "pipeline.yaml",
        "shared/no.tif",
        "shared/nul\0.tif",
        "",
        "shared",
    ],
)
def test_no_path_leads_out_of_what_a_run_gives(run: Path, path: str) -> None:
    with pytest.raises(RasterNotReadableError, match="has no file"):
        render_tile(run, parse_style({}, [path]), 0, 0, 0)


def test_a_link_out_of_the_run_is_refused(run: Path, tmp_path: Path) -> None:
    write_raster(tmp_path / "secret.tif", rasters.squares())
    (run / "shared" / "link.tif").symlink_to(tmp_path / "secret.tif")
    with pytest.raises(RasterNotReadableError, match="has no file"):
        render_tile(run, parse_style({}, ["shared/link.tif"]), 0, 0, 0)


def test_a_format_that_refers_to_other_files_is_refused(run: Path) -> None:
    (run / "shared" / "virtual.tif").write_text(
        '<VRTDataset rasterXSize="1" rasterYSize="1"><VRTRasterBand dataType="Byte" band="1">'
        "<SimpleSource><SourceFilename>/etc/hostname</SourceFilename></SimpleSource>"
        "</VRTRasterBand></VRTDataset>"
    )
    with pytest.raises(RasterNotReadableError, match="neither a GeoTIFF nor"):
        render_tile(run, parse_style({}, ["shared/virtual.tif"]), 0, 0, 0)


def test_a_broken_file_is_told_of(run: Path) -> None:
    content = (run / RAMP).read_bytes()
    (run / "shared" / "broken.tif").write_bytes(content[: len(content) // 3])
    (run / "shared" / "header.tif").write_bytes(b"II*\0" + b"\xff" * 64)
    longitude, latitude = place(599, 599)
    tile = GRID.tile(longitude, latitude, ZOOM)
    for name in ("broken", "header"):
        with pytest.raises(RasterNotReadableError, match="may be damaged"):
            render_tile(run, parse_style({}, [f"shared/{name}.tif"]), ZOOM, tile.x, tile.y)


def test_a_raster_that_lies_nowhere_is_told_of(run: Path) -> None:
    path = run / "shared" / "nowhere.tif"
    write_raster(path, rasters.squares(), crs=None)
    with pytest.raises(RasterNotReadableError, match="where on Earth"):
        render_tile(run, parse_style({}, ["shared/nowhere.tif"]), 0, 0, 0)


def test_a_block_that_would_fill_the_memory_is_refused(run: Path) -> None:
    path = run / "shared" / "strip.tif"
    wide = np.zeros((12_000, 12_000), np.uint8)
    write_raster(path, wide, blockysize=12_000, blockxsize=12_000)
    with pytest.raises(RasterNotReadableError, match="blocks of more than"):
        render_tile(run, parse_style({}, ["shared/strip.tif"]), 0, 0, 0)


def test_a_large_raster_without_overviews_is_shown_from_near_only(run: Path) -> None:
    plain = run / "shared" / "plain.tif"
    write_raster(plain, np.ones((5000, 5000), np.uint8), tiled=False, blockysize=16)
    style = parse_style({"classes": "1:d55e00"}, ["shared/plain.tif"])
    far, near = (GRID.tile(*place(300, 300), zoom) for zoom in (8, 14))
    with pytest.raises(RasterNotReadableError, match="no overviews"):
        render_tile(run, style, 8, far.x, far.y)
    assert as_array(render_tile(run, style, 14, near.x, near.y))[..., 3].any()


@pytest.mark.parametrize("tile", [(25, 0, 0), (3, 8, 0), (3, 0, 8), (10**9, 0, 0)])
def test_places_that_no_grid_has_are_refused(run: Path, tile: tuple[int, int, int]) -> None:
    with pytest.raises(TileRequestError):
        render_tile(run, parse_style({}, [RAMP]), *tile)


def test_a_tile_beside_the_raster_is_not_there(run: Path) -> None:
    with pytest.raises(TileNotThereError):
        render_tile(run, parse_style({}, [RAMP]), 5, 0, 0)


@pytest.mark.parametrize(
    "query",
    [
        {"bands": "1,2"},
        {"bands": "0"},
        {"bands": "x"},
        {"bands": "nan"},
        {"bands": "1e400"},
        {"range": "1"},
        {"range": "0,inf"},
        {"ramp": "../x"},
        {"gamma": "0"},
        {"classes": "1:red"},
        {"classes": "256:ffffff"},
        {"classes": "1:ffffff", "bands": "1,2,3"},
    ],
)
def test_senseless_styles_are_refused(query: dict[str, str]) -> None:
    with pytest.raises(TileRequestError):
        parse_style(query, [RAMP])


def test_the_route_gives_tiles_that_browsers_keep(client: TestClient) -> None:
    answer = client.get(tile_url(CLASSES, "&classes=1:d55e00&v=1"))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/png"
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    again = client.get(
        tile_url(CLASSES, "&classes=1:d55e00&v=1"),
        headers={"If-None-Match": answer.headers["etag"]},
    )
    assert again.status_code == 304
    assert again.content == b""


def test_a_tile_is_asked_for_again_when_its_file_has_changed(client: TestClient, run: Path) -> None:
    url = tile_url(RAMP)
    tag = client.get(url).headers["etag"]
    os.utime(run / RAMP, (1, 1))
    answer = client.get(url, headers={"If-None-Match": tag})
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "private, no-cache")


@pytest.mark.parametrize(
    ("url", "status"),
    [
        (f"/tiles/{RUN}/25/0/0.png?path={RAMP}", 400),
        (f"/tiles/{RUN}/3/0/0.png?path={RAMP}&bands=9", 400),
        (f"/tiles/{RUN}/3/0/0.png", 400),
        (f"/tiles/{RUN}/3/0/0.png?path={RAMP}", 404),
        (f"/tiles/{RUN}/0/0/0.png?path=../{RUN}/{RAMP}", 404),
        (f"/tiles/nothing/0/0/0.png?path={RAMP}", 404),
        (f"/tiles/../0/0/0.png?path={RAMP}", 404),
        (f"/tiles/%2e%2e/0/0/0.png?path={RAMP}", 404),
        (f"/tiles/{RUN}/0/0/0.png?path={RAMP}&x={'a' * 5000}", 400),
        (f"/value/{RUN}?path={RAMP}", 400),
        (f"/value/{RUN}?path={RAMP}&lon=nan&lat=0", 400),
        (f"/files/{RUN}/messages.log", 404),
        (f"/files/{RUN}/shared/..%2f..%2fx", 404),
        (f"/files/%2e%2e/shared/{RUN}", 404),
        (f"/crates/{RUN}.zip", 404),
    ],
)
def test_faults_are_one_line(client: TestClient, url: str, status: int) -> None:
    answer = client.get(url)
    assert answer.status_code == status
    assert answer.text.count("\n") <= 1
    assert "Traceback" not in answer.text


def test_the_route_gives_values(client: TestClient) -> None:
    longitude, latitude = place(300, 417)
    answer = client.get(f"/value/{RUN}?path={RAMP}&lon={longitude}&lat={latitude}")
    assert answer.json() == {"values": [417]}
    outside = client.get(f"/value/{RUN}?path={RAMP}&lon=0&lat=0")
    assert outside.json() == {"values": [None]}


def test_files_are_given_whole_and_in_parts(client: TestClient, run: Path) -> None:
    content = (run / CLASSES).read_bytes()
    answer = client.get(f"/files/{RUN}/{CLASSES}")
    assert answer.content == content
    assert answer.headers["content-disposition"] == 'attachment; filename="classes.tif"'
    part = client.get(f"/files/{RUN}/{CLASSES}", headers={"Range": "bytes=4-11"})
    assert (part.status_code, part.content) == (206, content[4:12])


def test_behind_a_proxy_everybody_gets_their_own_runs_only(
    client: TestClient, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EOLOOM_PAGE_BEHIND_PROXY", "true")
    forget_settings()
    own = run.parent / "users" / folder_name("ada") / "ada-1"
    write_raster(own / CLASSES, rasters.squares(), nodata=255)
    urls = (f"/files/ada-1/{CLASSES}", f"/value/ada-1?path={CLASSES}&lon=0&lat=0")
    for url in urls:
        assert client.get(url, headers={"X-Forwarded-User": "ada"}).status_code == 200
        assert client.get(url, headers={"X-Forwarded-User": "bob"}).status_code == 404
        assert "has not told who you are" in client.get(url).text
    # What lies in the folder of all is nobody's, and no path leads from one user to another.
    for path in (RUN, f"..%2f{folder_name('ada')}%2fada-1", f"users%2f{folder_name('ada')}"):
        answer = client.get(f"/files/{path}/{CLASSES}", headers={"X-Forwarded-User": "bob"})
        assert answer.status_code == 404


def test_a_page_of_a_component_is_not_run_by_browsers(client: TestClient, run: Path) -> None:
    (run / "shared" / "page.html").write_text("<script>alert(1)</script>")
    answer = client.get(f"/files/{RUN}/shared/page.html")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]


def test_downloads_leave_no_open_file(client: TestClient) -> None:
    client.get(f"/files/{RUN}/{CLASSES}")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        client.get(f"/files/{RUN}/{CLASSES}")
        client.get(tile_url(CLASSES))
    assert len(list(Path("/proc/self/fd").iterdir())) <= before
