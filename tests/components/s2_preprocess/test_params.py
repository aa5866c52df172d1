import pytest
from pydantic import ValidationError

from components.s2_preprocess.params import Parameters


def test_the_defaults_are_valid_and_need_nothing() -> None:
    params = Parameters()
    assert params.bands == ("B02", "B03", "B04", "B08")
    assert params.mask_classes == (0, 1, 3, 8, 9, 10)


GRID = {"code": "EPSG:32633", "transform": [10, 0, 0, 0, -10, 0], "shape": [5, 5]}


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        ({"bbox": [16, 45, 15, 46]}, "is not west, south, east, north"),
        ({"bbox": [15, 45, 200, 46]}, "is not west, south, east, north"),
        ({"mask_classes": [12]}, r"mask_classes \[12\] are not classes"),
        ({"bands": ["B02", "B02"]}, "a band is given twice"),
        ({"bands": []}, "at least 1"),
        ({"resolution": 0}, "greater than 0"),
        ({"resolution": "nan"}, "finite|greater than 0"),
        ({"offset": "maybe"}, "'auto', 'metadata', 'applied' or 'not-applied'"),
        ({"unknown": 1}, "not permitted"),
        ({"grid": GRID, "crs": "EPSG:3035", "resolution": 10}, "either grid or resolution and crs"),
        ({"grid": GRID | {"shape": [0, 5]}}, "0 x 5 pixels"),
        ({"grid": GRID | {"transform": [10, 0, 0, 0, 10, 0]}}, "north is up"),
    ],
)
def test_wishes_without_sense_are_refused(wishes: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Parameters.model_validate(wishes)
