import pytest
from pydantic import ValidationError

from components.stac_source.params import Parameters


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"datetime": "yesterday"}, "is not a date"),
        ({"bbox": [11, 50, 10]}, "bbox"),
        ({"bbox": [10, 51, 11, 50]}, "west, south, east, north"),
        ({"bbox": [10, 50, 11, 95]}, "west, south, east, north"),
        ({"intersects": "POINT (1 2)"}, "not a GeoJSON geometry"),
        ({"intersects": '{"type": "Nothing"}'}, "not a GeoJSON geometry"),
        ({"intersects": '{"type": "Polygon", "coordinates": []}'}, "empty"),
        ({"query": {"a": {"below": 3}}}, "not an operator"),
        ({"sort": "a; drop"}, "pattern"),
        ({"limit": 0}, "greater than or equal to 1"),
        ({"catalogue": "http://[x"}, "Invalid IPv6"),
        ({"catalogue": ""}, "at least 1 character"),
        ({"colections": ["a"]}, "Extra inputs"),
        (
            {"bbox": [1, 1, 2, 2], "intersects": '{"type": "Point", "coordinates": [1, 2]}'},
            "exclude each other",
        ),
    ],
)
def test_wrong_parameters_are_told(params: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Parameters.model_validate({"catalogue": "x"} | params)
