from typing import Any

import pytest

from components.kit import InputError
from components.stac_source.candidates import Candidate
from components.stac_source.matching import Tally, choose
from components.stac_source.params import Parameters
from tests.components.stac_source.conftest import make_item


def _candidates(*documents: dict[str, Any]) -> list[Candidate]:
    return [Candidate.checked(document, "/catalogue/item.json") for document in documents]


def _choose(candidates: list[Candidate], **params: object) -> list[str]:
    chosen, _ = choose(candidates, Parameters(catalogue="c", **params), Tally())
    return [each.id for each in chosen]


DAYS = _candidates(
    *(make_item(f"day-{day:02d}", datetime=f"2023-08-{day:02d}T10:00:00Z", cloud=day % 4)
      for day in (18, 13, 15, 20))
)  # fmt: skip


def test_items_come_in_time_order() -> None:
    assert _choose(DAYS) == ["day-13", "day-15", "day-18", "day-20"]
    assert _choose(DAYS, sort="-datetime", limit=2) == ["day-20", "day-18"]
    assert _choose(DAYS, limit=2) == ["day-13", "day-15"]


def test_sorting_by_a_property_leaves_items_without_it_for_the_end() -> None:
    items = [*DAYS, *_candidates(make_item("unknown"))]
    assert _choose(items, sort="cloud") == ["day-20", "day-13", "day-18", "day-15", "unknown"]
    assert _choose(items, sort="-cloud")[0] == "day-15"
    assert _choose(items, sort="-cloud")[-1] == "unknown"


def test_sorting_survives_values_of_any_kind() -> None:
    values = (3, "text", None, True, [1], {"a": 1}, 2.5)
    items = _candidates(*(make_item(f"i{n}", odd=value) for n, value in enumerate(values)))
    assert len(_choose(items, sort="odd")) == len(values)
    assert len(_choose(items, sort="-odd")) == len(values)


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"datetime": "2023-08-13/2023-08-18"}, ["day-13", "day-15", "day-18"]),
        ({"datetime": "2023-08-16/.."}, ["day-18", "day-20"]),
        ({"ids": ["day-15", "other"]}, ["day-15"]),
        ({"query": {"cloud": {"lte": 1}}}, ["day-13", "day-20"]),
        ({"bbox": [10.9, 50.9, 12, 52], "limit": 1}, ["day-13"]),
        ({"bbox": [11.1, 50, 12, 52]}, []),
        ({"bbox": [170, 0, -170, 60]}, []),
        ({"bbox": [170, 0, 10.5, 60], "limit": 1}, ["day-13"]),
        ({"intersects": '{"type": "Point", "coordinates": [10.5, 50.5]}', "limit": 1}, ["day-13"]),
        ({"collections": ["scenes"], "limit": 1}, ["day-13"]),
        ({"collections": ["other"]}, []),
    ],
)
def test_conditions(params: dict[str, object], expected: list[str]) -> None:
    assert _choose(DAYS, **params) == expected


def test_an_item_without_a_footprint_lies_nowhere() -> None:
    document = make_item("nowhere") | {"geometry": None, "bbox": None}
    assert _choose(_candidates(document)) == ["nowhere"]
    assert _choose(_candidates(document), bbox=[-180, -90, 180, 90]) == []


def test_why_nothing_matches_names_what_there_is_and_the_condition() -> None:
    params = Parameters(
        catalogue="/c", datetime="2023-08-13/2023-08-18", query={"eo:cloudcover": {"lt": 40}}
    )
    tally = Tally()
    choose(DAYS, params, tally)
    assert tally.explain(params) == (
        "no item of /c matches: it has 4 items from 2023-08-13 to 2023-08-20 of scenes; none of "
        'the 3 that meet the conditions before it meets query {"eo:cloudcover": {"lt": 40}} '
        "(no item has 'eo:cloudcover'; did you mean 'eo:cloud_cover'?)"
    )
    params = Parameters(catalogue="/c", datetime="2024")
    choose(DAYS, params, tally := Tally())
    assert tally.explain(params).endswith("none of them meets datetime 2024")


def test_values_that_cannot_be_compared_name_the_item() -> None:
    items = _candidates(make_item("odd", cloud="none"))
    with pytest.raises(InputError, match=r"in item 'odd' cloud is 'none'"):
        _choose(items, query={"cloud": {"lt": 40}})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"type": "Collection"}, "not a STAC item"),
        ({"id": 7}, "no id"),
        ({"properties": []}, "properties"),
        ({"assets": None}, "assets"),
        ({"collection": ["a"]}, "collection"),
        ({"properties": {"datetime": None}}, "datetime"),
        ({"properties": {"datetime": "soon"}}, "not a date and time"),
        ({"geometry": {"type": "Polygon"}}, "geometry or bbox"),
        ({"geometry": "POINT (1 2)"}, "geometry or bbox"),
        ({"geometry": None, "bbox": [1, "a", 2, 3]}, "geometry or bbox"),
    ],
)
def test_broken_items_are_told_apart(change: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Candidate.checked(make_item("x") | change, "/x.json")
