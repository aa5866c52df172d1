import pytest
from pydantic import ValidationError

from components.sample_scenes.params import Parameters


def test_defaults_are_the_demonstration_pair() -> None:
    params = Parameters()
    assert len(params.dates) == 2
    assert params.size == 1000


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"dates": ["2024-08-30", "2024-07-31"]}, "does not come after"),
        ({"dates": ["2024-08-30", "2024-08-30"]}, "does not come after"),
        ({"dates": []}, "at least 1 item"),
        ({"dates": ["31.7.2024"]}, "valid date"),
        ({"size": 333}, "multiple of 2"),
        ({"size": 20000}, "less than or equal to 10980"),
        ({"bands": ["B02", "B02"]}, "given twice"),
        ({"bands": ["B01"]}, "'B02'"),
        ({"changes": ["volcano"]}, "'clear-cut'"),
        ({"epsg": 4326}, "not a UTM zone"),
        ({"seed": -1}, "greater than or equal to 0"),
        ({"sise": 100}, "Extra inputs"),
    ],
)
def test_wrong_parameters_are_told(params: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Parameters.model_validate(params)
