import pytest

from components.stac_source.query import check_query, matches

ITEM = {"eo:cloud_cover": 12.5, "platform": "sentinel-2a", "gsd": None}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"eo:cloud_cover": {"lt": 12.5}}, False),
        ({"eo:cloud_cover": {"lte": 12.5}}, True),
        ({"eo:cloud_cover": {"gt": 12.5}}, False),
        ({"eo:cloud_cover": {"gte": 12.5, "lt": 13}}, True),
        ({"eo:cloud_cover": {"gte": 12.5, "lt": 12}}, False),
        ({"platform": {"eq": "sentinel-2a"}}, True),
        ({"platform": {"neq": "sentinel-2a"}}, False),
        ({"platform": {"in": ["sentinel-2a", "sentinel-2c"]}}, True),
        ({"platform": {"in": []}}, False),
        ({"gsd": {"neq": 10}}, False),  # null says nothing
        ({"missing": {"eq": 1}}, False),
        ({}, True),
    ],
)
def test_conditions(query: dict[str, dict[str, object]], expected: bool) -> None:
    check_query(query)
    assert matches(query, ITEM) is expected


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"eo:cloud_cover": {"less": 3}}, "'less' is not an operator"),
        ({"eo:cloud_cover": {"lq": 3}}, "did you mean"),
        ({"platform": {"in": "sentinel-2a"}}, "'in' needs a list"),
        ({"platform": {"lt": [1]}}, "needs a number or a text"),
        ({"platform": {}}, "has no condition"),
    ],
)
def test_wrong_conditions_are_refused(query: dict[str, dict[str, object]], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        check_query(query)


def test_values_of_different_kinds_are_not_compared() -> None:
    with pytest.raises(ValueError, match=r"platform is 'sentinel-2a', which cannot be compared"):
        matches({"platform": {"lt": 3}}, ITEM)
