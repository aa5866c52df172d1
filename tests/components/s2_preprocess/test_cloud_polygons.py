import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox

from components.kit.errors import InputError
from components.s2_preprocess.cloud_polygons import classify_polygons

GRID = GeoBox((10, 10), Affine(60, 0, 300000, 0, -60, 5900040), "EPSG:32633")


def ring(left: int, top: int, right: int, bottom: int) -> str:
    """A rectangle in pixels of the grid, as GML positions."""
    x0, x1, y0, y1 = (
        300000 + 60 * left,
        300000 + 60 * right,
        5900040 - 60 * top,
        5900040 - 60 * bottom,
    )
    return (
        '<gml:LinearRing><gml:posList srsDimension="2">'
        f"{x0} {y0} {x1} {y0} {x1} {y1} {x0} {y1} {x0} {y0}</gml:posList></gml:LinearRing>"
    )


def feature(kind: str, outer: str, inner: str = "") -> str:
    hole = f"<gml:interior>{inner}</gml:interior>" if inner else ""
    return (
        f"<eop:MaskFeature><eop:maskType>{kind}</eop:maskType><eop:extentOf><gml:Polygon>"
        f"<gml:exterior>{outer}</gml:exterior>{hole}</gml:Polygon></eop:extentOf></eop:MaskFeature>"
    )


def document(*features: str) -> bytes:
    members = "".join(features)
    return (
        '<eop:Mask xmlns:eop="http://www.opengis.net/eop/2.0" '
        'xmlns:gml="http://www.opengis.net/gml/3.2">'
        f"<eop:maskMembers>{members}</eop:maskMembers></eop:Mask>"
    ).encode()


def test_polygons_become_classes() -> None:
    content = document(
        feature("OPAQUE", ring(0, 0, 4, 4), ring(1, 1, 2, 2)),
        feature("CIRRUS", ring(3, 0, 7, 2)),
        feature("OTHER", ring(0, 8, 10, 10)),
    )
    expected = np.full((10, 10), 7)
    expected[0:2, 3:7] = 10
    expected[0:4, 0:4] = 9
    expected[1, 1] = 7
    np.testing.assert_array_equal(classify_polygons(content, "MSK_CLOUDS", GRID), expected)


def test_a_clear_scene_has_no_polygons() -> None:
    assert (classify_polygons(document(), "MSK_CLOUDS", GRID) == 7).all()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<eop:Mask", "is not XML"),
        (document(feature("OPAQUE", "")), "has 0 outlines instead of one"),
        (document(feature("OPAQUE", ring(0, 0, 1, 1).replace("300000", "x"))), "list of points"),
        (document(feature("OPAQUE", ring(0, 0, 1, 1).replace("300000", "inf"))), "an outline has"),
        (document(feature("OPAQUE", ring(0, 0, 1, 1).replace('"2"', '"0"'))), "list of points"),
    ],
)
def test_what_is_no_mask_is_named(content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        classify_polygons(content, "MSK_CLOUDS", GRID)
    assert "MSK_CLOUDS" in str(caught.value)
