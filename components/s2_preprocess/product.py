"""What the metadata of a Sentinel-2 product says: levels, offsets, grids, angles, image files.

Pure: XML as bytes in, frozen records out. The XML is untrusted: documents with a document type
declaration are refused, since entities could be made to grow without bound.

Source: Sentinel-2 Products Specification Document (S2-PDGS-TAS-DI-PSD), sections on
`MTD_MSIL1C.xml`, `MTD_MSIL2A.xml` and `MTD_TL.xml`.
https://sentiwiki.copernicus.eu/web/document-library#Library-S2-Documents
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal
from xml.etree import ElementTree

from affine import Affine
from odc.geo.geobox import GeoBox

from components.kit.errors import InputError
from components.s2_preprocess.bands import BY_NUMBER, parse_band

Level = Literal["L1C", "L2A"]

# Extensions of the image files, which the metadata leaves out.
_EXTENSIONS = {"JPEG2000": ".jp2", "GEOTIFF": ".tif"}

# T33XWJ_20220413T150759_B02_20m, T46RER_20210908T042701_B02
_IMAGE_NAME = re.compile(r".*_(?P<image>[A-Z0-9]{3})(?:_(?P<resolution>\d+)m)?")
_TILE = re.compile(r"_T(\d{2}[A-Z]{3})_")


@dataclass(frozen=True)
class Image:
    """One image file of a product.

    name: band ("B02") or layer ("SCL"). resolution_m: pixel size; 0 where the name does not say
    (Level-1C). path: relative to the product's folder.
    """

    name: str
    resolution_m: int
    path: PurePosixPath


@dataclass(frozen=True)
class Product:
    """The content of MTD_MSIL1C.xml or MTD_MSIL2A.xml.

    name: the product's URI without ".SAFE". baseline: processing baseline, "04.00". platform:
    "sentinel-2b". start_time: RFC 3339. tile: MGRS, "33XWJ". quantification, offsets: reflectance
    = (DN + offsets[band]) / quantification. images: every image file. granule: folder of the tile.
    footprint: (longitude, latitude) of the outline; empty where not given. cloud_cover: percent.
    """

    name: str
    level: Level
    baseline: str
    platform: str
    start_time: str
    orbit: int
    tile: str
    quantification: float
    offsets: Mapping[str, float]
    images: tuple[Image, ...]
    granule: PurePosixPath
    footprint: tuple[tuple[float, float], ...]
    cloud_cover: float | None


@dataclass(frozen=True)
class Granule:
    """The content of MTD_TL.xml.

    grids: geobox per native resolution in metres. sun_zenith, sun_azimuth: means, degrees.
    masks: path of each mask file that belongs to no single band, by type ("MSK_CLASSI").
    """

    sensing_time: str
    grids: Mapping[int, GeoBox]
    sun_zenith: float
    sun_azimuth: float
    masks: Mapping[str, PurePosixPath]


class _Builder(ElementTree.TreeBuilder):
    """Builds the tree, and refuses a document type declaration before any content."""

    def doctype(self, name: str, pubid: str, system: str) -> None:
        del pubid, system
        raise InputError(f"document type {name!r} is declared; product metadata has none")


def parse_xml(content: bytes, name: str) -> ElementTree.Element:
    """Return the root element. Raises InputError naming `name` if it is not plain XML."""
    try:
        return ElementTree.fromstring(content, ElementTree.XMLParser(target=_Builder()))  # noqa: S314 - no entities: see _Builder
    except ElementTree.ParseError as error:
        raise InputError(f"{name} is not XML: {error}") from error
    except InputError as error:
        raise InputError(f"{name} is refused: {error}") from error


def parse_product(content: bytes, name: str) -> Product:
    """Return the content of a product's main metadata file; `name` is for messages.

    Raises InputError naming the file and the field that is missing or has no sense.
    """
    document = _Document(parse_xml(content, name), name)
    level_text = document.text("PROCESSING_LEVEL")
    level = _level(level_text, name)
    granule_element = document.element("Granule", "Granules")
    extension = _EXTENSIONS.get(granule_element.get("imageFormat", "").upper(), ".jp2")
    images = tuple(_images(document, extension))
    if not images:
        raise InputError(f"{name} lists no image files; only single-tile products can be read")
    granules = {PurePosixPath(*image.path.parts[:2]) for image in images}
    if len(granules) != 1:
        raise InputError(f"{name} has {len(granules)} tiles; only single-tile products can be read")
    identifier = granule_element.get("granuleIdentifier", "")
    tile = _TILE.search(identifier)
    if tile is None:
        raise InputError(f"{name}: granuleIdentifier {identifier!r} names no tile")
    quantification = document.number(
        "BOA_QUANTIFICATION_VALUE", "L2A_BOA_QUANTIFICATION_VALUE", "QUANTIFICATION_VALUE"
    )
    if quantification <= 0:
        raise InputError(f"{name}: quantification value {quantification:g} is not positive")
    cloud_cover = document.find("Cloud_Coverage_Assessment")
    return Product(
        name=document.text("PRODUCT_URI", "PRODUCT_URI_2A").removesuffix(".SAFE"),
        level=level,
        baseline=document.text("PROCESSING_BASELINE"),
        platform=document.text("SPACECRAFT_NAME").lower(),
        start_time=document.text("PRODUCT_START_TIME"),
        orbit=int(document.number("SENSING_ORBIT_NUMBER")),
        tile=tile[1],
        quantification=quantification,
        offsets=_offsets(document),
        images=images,
        granule=granules.pop(),
        footprint=_footprint(document),
        cloud_cover=None if cloud_cover is None else document.to_number(cloud_cover),
    )


def parse_granule(content: bytes, name: str) -> Granule:
    """Return the content of a tile's metadata file; `name` is for messages.

    Raises InputError naming the file and the field that is missing or has no sense.
    """
    document = _Document(parse_xml(content, name), name)
    code = document.text("HORIZONTAL_CS_CODE")
    if not re.fullmatch(r"EPSG:\d{4,6}", code):
        raise InputError(f"{name}: HORIZONTAL_CS_CODE {code!r} is not an EPSG code")
    sun = _Document(document.element("Mean_Sun_Angle"), name)
    masks = {
        element.get("type", ""): _inside(element.text or "", name)
        for element in document.root.iter("MASK_FILENAME")
        if element.get("bandId") is None and "_60m" not in (element.text or "")
    }
    return Granule(
        sensing_time=document.text("SENSING_TIME"),
        grids=_grids(document, code),
        sun_zenith=sun.number("ZENITH_ANGLE"),
        sun_azimuth=sun.number("AZIMUTH_ANGLE"),
        masks=masks,
    )


@dataclass(frozen=True)
class _Document:
    """An element and the name of its file, for lookups that fail with a clear message."""

    root: ElementTree.Element
    name: str

    def find(self, *tags: str) -> ElementTree.Element | None:
        """Return the first element of any of the tags, which differ between baselines."""
        return next((e for tag in tags for e in self.root.iter(tag)), None)

    def element(self, *tags: str) -> ElementTree.Element:
        found = self.find(*tags)
        if found is None:
            raise InputError(f"{self.name} has no {tags[0]}; is it Sentinel-2 product metadata?")
        return found

    def text(self, *tags: str) -> str:
        return (self.element(*tags).text or "").strip()

    def number(self, *tags: str) -> float:
        return self.to_number(self.element(*tags))

    def to_number(self, element: ElementTree.Element) -> float:
        try:
            number = float(element.text or "")
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise InputError(f"{self.name}: {element.tag} {element.text!r} is not a number")
        return number

    def band(self, element: ElementTree.Element) -> str:
        number = element.get("band_id", element.get("bandId", ""))
        band = BY_NUMBER.get(int(number)) if number.isdecimal() else None
        if band is None:
            raise InputError(f"{self.name}: {element.tag} of band {number!r}, which does not exist")
        return band.name


def _level(text: str, name: str) -> Level:
    if text == "Level-1C":
        return "L1C"
    if text.startswith("Level-2A"):  # "Level-2Ap" in the pilot production of 2017
        return "L2A"
    raise InputError(f"{name}: PROCESSING_LEVEL {text!r} is neither Level-1C nor Level-2A")


def _offsets(document: _Document) -> dict[str, float]:
    """Return the offset of each band in DN; none is listed before processing baseline 04.00."""
    offsets = {band.name: 0.0 for band in BY_NUMBER.values()}
    for tag in ("BOA_ADD_OFFSET", "RADIO_ADD_OFFSET"):
        for element in document.root.iter(tag):
            offsets[document.band(element)] = document.to_number(element)
    return offsets


def _images(document: _Document, extension: str) -> Iterator[Image]:
    for tag in ("IMAGE_FILE", "IMAGE_FILE_2A"):
        for element in document.root.iter(tag):
            path = _inside(element.text or "", document.name)
            match = _IMAGE_NAME.fullmatch(path.name)
            if match is None:
                continue
            name = parse_band(match["image"]) or match["image"]
            resolution = int(match["resolution"] or 0)
            yield Image(name, resolution, path.with_name(path.name + extension))


def _inside(text: str, name: str) -> PurePosixPath:
    """Return a path that the metadata gives, which may not lead out of the product."""
    path = PurePosixPath(text.strip())
    if path.is_absolute() or ".." in path.parts or len(path.parts) < 2 or "\\" in text:
        raise InputError(f"{name}: {text.strip()!r} is not a path inside the product")
    return path


def _footprint(document: _Document) -> tuple[tuple[float, float], ...]:
    element = document.find("EXT_POS_LIST")
    if element is None:
        return ()
    try:
        values = [float(text) for text in (element.text or "").split()]
    except ValueError as error:
        raise InputError(f"{document.name}: EXT_POS_LIST is not a list of numbers") from error
    latitudes, longitudes = values[0::2], values[1::2]
    return tuple(zip(longitudes, latitudes, strict=False))


def _grids(document: _Document, code: str) -> dict[int, GeoBox]:
    sizes = {e.get("resolution"): _Document(e, document.name) for e in document.root.iter("Size")}
    grids = {}
    for element in document.root.iter("Geoposition"):
        resolution = element.get("resolution", "")
        position, size = _Document(element, document.name), sizes.get(resolution)
        if size is None or not resolution.isdecimal():
            raise InputError(f"{document.name} has no Size for resolution {resolution!r}")
        transform = Affine(
            position.number("XDIM"), 0, position.number("ULX"),
            0, position.number("YDIM"), position.number("ULY"),
        )  # fmt: skip
        shape = (int(size.number("NROWS")), int(size.number("NCOLS")))
        grids[int(resolution)] = GeoBox(shape, transform, code)
    if not grids:
        raise InputError(f"{document.name} has no Tile_Geocoding")
    return grids
