import pytest
from pyproj import Transformer

from components.sample_scenes.grid import SceneGrid


# Upper left corners as the metadata of real products give them.
@pytest.mark.parametrize(
    ("tile", "epsg", "easting", "northing"),
    [
        ("33TWL", 32633, 499980, 5100000),
        ("46RER", 32646, 499980, 3100020),
        ("33XWJ", 32633, 499980, 8900040),
        ("22HBD", 32722, 199980, 5900020),
    ],
)
def test_tiles_have_the_names_of_real_ones(
    tile: str, epsg: int, easting: float, northing: float
) -> None:
    assert SceneGrid(epsg, easting, northing, 10980).tile == tile


def test_the_footprint_is_the_outline_of_the_grid() -> None:
    grid = SceneGrid(32633, 300_000, 5_900_040, 1000)
    to_degrees = Transformer.from_crs(32633, 4326, always_xy=True)
    for x, y in ((300_000, 5_900_040), (310_000, 5_900_040), (310_000, 5_890_040)):
        corner = to_degrees.transform(x, y)
        assert min(abs(corner[0] - lon) + abs(corner[1] - lat)
                   for lon, lat in grid.footprint.exterior.coords) < 1e-9  # fmt: skip
    assert grid.centre == pytest.approx(to_degrees.transform(305_000, 5_895_040), abs=1e-3)


def test_coarser_pixels_cover_the_same_ground() -> None:
    grid = SceneGrid(32633, 300_000, 5_900_040, 1000)
    fine, coarse = grid.geobox(10), grid.geobox(20)
    assert (fine.shape, coarse.shape) == ((1000, 1000), (500, 500))
    assert fine.boundingbox == coarse.boundingbox
