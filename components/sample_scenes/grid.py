"""Where a scene lies: its geobox, its footprint and the name of its tile."""

from dataclasses import dataclass
from functools import cached_property

from affine import Affine
from odc.geo.geobox import GeoBox
from rasterio import warp
from shapely import segmentize
from shapely.geometry import Polygon, box

from components.sample_scenes.pixels import PIXEL_M

# Letters of the military grid reference system, DMA TM 8358.1, chapter 3
# (https://earth-info.nga.mil/?dir=coordsys&action=mgrs-doc): I and O are left out.
_BANDS = "CDEFGHJKLMNPQRSTUVWX"
_COLUMNS = ("ABCDEFGH", "JKLMNPQR", "STUVWXYZ")
_ROWS = "ABCDEFGHJKLMNPQRSTUV"
_SQUARE_M = 100_000


@dataclass(frozen=True)
class SceneGrid:
    """The grid of a square scene in a UTM zone on WGS 84.

    Args:
        epsg: 32601 to 32660 (north) or 32701 to 32760 (south).
        easting: of the upper left corner, m.
        northing: of the upper left corner, m.
        size: pixels of 10 m per side.
    """

    epsg: int
    easting: float
    northing: float
    size: int

    def geobox(self, gsd: int) -> GeoBox:
        """Return the grid with pixels of `gsd` metres; `gsd` must divide the side."""
        side = round(self.size * PIXEL_M / gsd)
        affine = Affine(gsd, 0, self.easting, 0, -gsd, self.northing)
        return GeoBox((side, side), affine, f"EPSG:{self.epsg}")

    def transform_at(self, row: int, col: int) -> Affine:
        """Return the transform of the 10 m pixels from some row and column on."""
        return Affine(
            PIXEL_M, 0, self.easting + col * PIXEL_M, 0, -PIXEL_M, self.northing - row * PIXEL_M
        )

    @cached_property
    def footprint(self) -> Polygon:
        """The outline in WGS 84 (longitude, latitude)."""
        side = self.size * PIXEL_M
        outline = box(self.easting, self.northing - side, self.easting + side, self.northing)
        # Straight lines in UTM are curved in degrees: points every quarter of a side.
        x, y = segmentize(outline, side / 4).exterior.coords.xy
        longitudes, latitudes = warp.transform(f"EPSG:{self.epsg}", "EPSG:4326", x, y)
        return Polygon(zip(longitudes, latitudes, strict=True))

    @property
    def centre(self) -> tuple[float, float]:
        """Longitude and latitude of the middle, degrees."""
        middle = self.footprint.centroid
        return float(middle.x), float(middle.y)

    @property
    def tile(self) -> str:
        """Name of the Sentinel-2 tile in which the middle lies, e.g. 33TWL."""
        zone = self.epsg % 100
        half = self.size * PIXEL_M / 2
        column = int((self.easting + half) // _SQUARE_M)
        row = int((self.northing - half) // _SQUARE_M)
        band = _BANDS[min(int((self.centre[1] + 80) // 8), len(_BANDS) - 1)]
        letters = _COLUMNS[(zone - 1) % 3]
        # The rows of even zones begin five letters later.
        shift = 5 if zone % 2 == 0 else 0
        return f"{zone:02d}{band}{letters[column - 1]}{_ROWS[(row + shift) % len(_ROWS)]}"
