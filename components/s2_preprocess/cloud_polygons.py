"""Cloud masks as polygons: MSK_CLOUDS in GML, as in products before processing baseline 04.00.

Source: Sentinel-2 Products Specification Document, section on vector masks; GML 3.2.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.features import rasterize
from shapely.geometry import Polygon

from components.kit.errors import InputError
from components.s2_preprocess.mask import SceneClass
from components.s2_preprocess.product import parse_xml

_EOP: Final = "{http://www.opengis.net/eop/2.0}"
_GML: Final = "{http://www.opengis.net/gml/3.2}"

# Later ones lie over earlier ones.
_CLASSES: Final = {
    "CIRRUS": SceneClass.THIN_CIRRUS,
    "OPAQUE": SceneClass.CLOUD_HIGH_PROBABILITY,
}


def classify_polygons(content: bytes, name: str, geobox: GeoBox) -> NDArray[np.uint8]:
    """Return the classes (y, x) of a grid from a GML document in the CRS of the grid.

    Raises InputError naming the document where it is not such a mask.
    """
    root = parse_xml(content, name)
    polygons = list(_polygons(root, name))
    polygons.sort(key=lambda entry: list(_CLASSES).index(entry[0]))
    classes = np.full(geobox.shape, SceneClass.UNCLASSIFIED, np.uint8)
    if polygons:
        rasterize(
            [(polygon, int(_CLASSES[kind])) for kind, polygon in polygons],
            out=classes,
            transform=geobox.transform,
        )
    return classes


def _polygons(root: ElementTree.Element, name: str) -> Iterator[tuple[str, Polygon]]:
    for feature in root.iter(f"{_EOP}MaskFeature"):
        kind = (feature.findtext(f"{_EOP}maskType") or "").strip()
        if kind not in _CLASSES:
            continue
        for polygon in feature.iter(f"{_GML}Polygon"):
            outer = [_ring(e, name) for e in polygon.iterfind(f"{_GML}exterior//{_GML}posList")]
            inner = [_ring(e, name) for e in polygon.iterfind(f"{_GML}interior//{_GML}posList")]
            if len(outer) != 1:
                raise InputError(f"{name}: a polygon has {len(outer)} outlines instead of one")
            yield kind, Polygon(outer[0], inner)


def _ring(element: ElementTree.Element, name: str) -> NDArray[np.float64]:
    dimensions = element.get("srsDimension", "2")
    try:
        values = np.array((element.text or "").split(), dtype=np.float64)
        points = values.reshape(-1, int(dimensions))
    except ValueError as error:
        raise InputError(f"{name}: a posList is not a list of points: {error}") from error
    if len(points) < 3 or points.shape[1] < 2 or not np.isfinite(points).all():
        raise InputError(f"{name}: an outline has {len(points)} points; it needs three")
    return points[:, :2]
