"""Headline figures of results."""

import math
from pathlib import Path
from typing import Any

import pytest

from orchestrator.result_files import Result
from ui.figures import headline_figures, item_figures


def result(terminal: bool, **properties: Any) -> Result:
    path = Path("item.json")
    values = {f"eoloom:{name}": value for name, value in properties.items()}
    return Result("change", "detect", "pair", path, terminal, properties=values)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("changed_area_ha", 123.4, "changed area 123.4 ha"),
        ("changed_area_ha", 123456.7, "changed area 123,457 ha"),
        ("clear_percentage", 98, "clear 98 %"),
        ("mean_shift_px", 0.01234, "mean shift 0.01234 px"),
        ("sun_elevation_degree", 41.5, "sun elevation 41.5°"),
        ("area_km2", 0, "area 0 km²"),
    ],
)
def test_a_number_with_a_unit_is_a_figure(name: str, value: float, words: str) -> None:
    (figure,) = headline_figures([result(True, **{name: value})])
    assert str(figure) == words


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("eoloom:changed_area_ha", "12"),
        ("eoloom:changed_area_ha", True),
        ("eoloom:changed_area_ha", math.nan),
        ("eoloom:threshold", 3.5),
        ("eoloom:ha", 3.5),
        ("eo:cloud_percentage", 3.5),
    ],
)
def test_other_properties_are_no_figures(name: str, value: Any) -> None:
    assert item_figures("pair", {name: value}) == ()


def test_steps_on_the_way_have_no_headline() -> None:
    assert headline_figures([result(False, changed_area_ha=1.0)]) == ()
