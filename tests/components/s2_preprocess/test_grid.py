import math
import re

import pytest
from affine import Affine
from hypothesis import assume, given
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from components.kit.errors import InputError
from components.s2_preprocess.grid import (
    DeclaredGrid,
    grid_footprint,
    parse_crs,
    pixel_size_m,
    target_grid,
)

TILE = GeoBox((10980, 10980), Affine(10, 0, 499980, 0, -10, 5100000), "EPSG:32633")
TO_UTM = Transformer.from_crs("EPSG:4326", "EPSG:32633", always_xy=True)

# The tile covers about 15.0 to 16.4 degrees east, 45.06 to 46.05 north.
longitudes = st.floats(14.9, 16.5)
latitudes = st.floats(45.0, 46.1)


@st.composite
def boxes(draw: st.DrawFn) -> tuple[float, float, float, float]:
    """West, south, east, north."""
    west, east = sorted((draw(longitudes), draw(longitudes)))
    south, north = sorted((draw(latitudes), draw(latitudes)))
    assume(east - west > 0.01 and north - south > 0.01)
    assume(east > 15.05 and west < 16.35 and north > 45.1 and south < 46.0)  # overlaps the tile
    return west, south, east, north


def grid(**wishes: object) -> GeoBox:
    values = {"crs": None, "resolution": None, "bbox": None} | wishes
    return target_grid(TILE, scene="S", **values)  # type: ignore[arg-type]


def test_without_wishes_it_is_the_grid_of_the_scene() -> None:
    assert grid() == TILE
    assert grid(resolution=10) == TILE
    assert grid(crs="EPSG:32633") == TILE


@given(boxes(), st.sampled_from([20.0, 30.0, 60.0, 120.0, 7.5]))
def test_grids_of_one_resolution_share_their_pixels(
    bbox: tuple[float, float, float, float], resolution: float
) -> None:
    part = grid(bbox=bbox, resolution=resolution)
    transform = part.transform
    assert (transform.a, transform.e) == (resolution, -resolution)
    for edge in (transform.c, transform.f):
        assert math.isclose(edge / resolution, round(edge / resolution), abs_tol=1e-9)


@given(boxes())
def test_a_clip_in_the_scenes_own_pixels_is_a_part_of_it(
    bbox: tuple[float, float, float, float],
) -> None:
    part = grid(bbox=bbox)
    row, column = (5100000 - part.transform.f) / 10, (part.transform.c - 499980) / 10
    assert row.is_integer()
    assert column.is_integer()
    rows, columns = slice(int(row), int(row) + part.shape.y), slice(int(column), None)
    assert TILE[rows, columns][:, : part.shape.x] == part


@given(boxes(), st.sampled_from([None, 20.0, 100.0]))
def test_the_clip_covers_the_box_within_the_scene(
    bbox: tuple[float, float, float, float], resolution: float | None
) -> None:
    part = grid(bbox=bbox, resolution=resolution)
    bounds = part.boundingbox
    size = resolution or 10
    west, south, east, north = bbox
    for longitude, latitude in ((west, south), (west, north), (east, south), (east, north)):
        x, y = TO_UTM.transform(longitude, latitude)
        if 499980 <= x <= 609780 and 4990200 <= y <= 5100000:
            assert bounds.left - 0.02 * size <= x <= bounds.right + 0.02 * size
            assert bounds.bottom - 0.02 * size <= y <= bounds.top + 0.02 * size
    assert bounds.left >= 499980 - size
    assert bounds.top <= 5100000 + size


def test_another_crs_covers_the_whole_scene() -> None:
    target = grid(crs="EPSG:3035", resolution=50)
    forward = Transformer.from_crs("EPSG:32633", "EPSG:3035", always_xy=True)
    for x in (499980, 554880, 609780):
        for y in (4990200, 5045100, 5100000):
            east, north = forward.transform(x, y)
            assert target.boundingbox.left <= east <= target.boundingbox.right
            assert target.boundingbox.bottom <= north <= target.boundingbox.top
    assert target.transform.c % 50 == 0


@pytest.mark.parametrize(
    "bbox",
    [
        (2.0, 48.0, 3.0, 49.0),
        (14.0, 45.2, 14.99, 45.8),
        (-166.0, 44.0, -164.0, 46.0),  # on the other side of the Earth
        (15.2, -46.0, 15.6, -45.2),
        (104.0, 0.0, 106.0, 1.0),
    ],
)
def test_a_box_outside_names_scene_and_box(bbox: tuple[float, float, float, float]) -> None:
    with pytest.raises(
        InputError, match=rf"bbox {re.escape(str(list(bbox)))} lies outside scene S"
    ):
        grid(bbox=bbox)


def test_a_box_may_be_larger_than_the_scene() -> None:
    assert grid(bbox=(10.0, 40.0, 20.0, 50.0)) == TILE


def test_a_tile_across_the_antimeridian_is_split() -> None:
    tile = GeoBox((10980, 10980), Affine(10, 0, 300000, 0, -10, 7600020), "EPSG:32601")
    parts = grid_footprint(tile)
    assert parts.geom_type == "MultiPolygon"
    assert parts.area < 10
    west = target_grid(tile, crs=None, resolution=None, bbox=(178.2, 67.8, 179.9, 68.3), scene="S")
    assert west.boundingbox.left == 300000
    assert west.shape.x < 10980


def test_degrees_need_a_resolution_in_degrees() -> None:
    with pytest.raises(InputError, match="give `resolution` in degrees"):
        grid(crs="EPSG:4326")
    degrees = grid(crs="EPSG:4326", resolution=0.001)
    assert pixel_size_m(degrees) == pytest.approx(111.32)


def test_an_unknown_crs_is_named() -> None:
    with pytest.raises(InputError, match="'EPSG:99999' is not a coordinate reference system"):
        parse_crs("EPSG:99999")


def test_a_declared_grid_fits_a_smaller_copy() -> None:
    # The real items: declared for 10 m, delivered with 120 m.
    declared = DeclaredGrid("EPSG:32633", Affine(10, 0, 499980, 0, -10, 5100000), (10980, 10980))
    geobox = declared.geobox((915, 915))
    assert geobox is not None
    assert tuple(geobox.transform)[:6] == (120, 0, 499980, 0, -120, 5100000)
    assert DeclaredGrid("EPSG:32633").geobox((915, 915)) is None


def test_the_footprint_is_in_degrees() -> None:
    west, south, east, north = grid_footprint(TILE).boundingbox.bbox
    assert (west, north) == pytest.approx((15.0, 46.05), abs=0.01)
    assert (east, south) == pytest.approx((16.42, 45.06), abs=0.02)
