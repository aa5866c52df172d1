"""Parameters in words, from JSON schemas as pydantic makes them."""

from datetime import date
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from ui.component_view import ParameterView, parameter_views


class Area(BaseModel):
    """An outline and how it is used."""

    outline: Annotated[str, Field(json_schema_extra={"format": "path-or-url"})]
    margin_m: float = Field(default=0.0, ge=0)


class Parameters(BaseModel):
    """One of every kind."""

    resolution: float = Field(
        default=20.0, ge=10, le=600, description="Pixel size\nin metres.", examples=[10, 60]
    )
    threshold: Annotated[float, Field(gt=0, lt=1, json_schema_extra={"unit": "1"})] | None = None
    bands: tuple[str, ...] = Field(default=("B04", "B08"), min_length=1, max_length=13)
    method: Literal["cva", "irmad"] = "cva"
    is_masked: bool = True
    day: date
    area: Area | None = None


VIEWS = {view.name: view for view in parameter_views(Parameters.model_json_schema())}


def view(name: str) -> ParameterView:
    return VIEWS[name]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("resolution", "number"),
        ("threshold", "number or nothing"),
        ("bands", "list of text"),
        ("method", "cva | irmad"),
        ("is_masked", "true or false"),
        ("day", "date"),
        ("area", "mapping or nothing"),
    ],
)
def test_types(name: str, words: str) -> None:
    assert view(name).type == words


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("resolution", "10.0 to 600.0"),
        ("threshold", "> 0, < 1"),
        ("bands", "1 to 13 items"),
        ("method", ""),
    ],
)
def test_bounds(name: str, words: str) -> None:
    assert view(name).bounds.replace(".0", "") == words.replace(".0", "")


def test_defaults_are_written_as_in_a_pipeline_file() -> None:
    assert view("bands").default == "[B04, B08]"
    assert view("is_masked").default == "true"
    assert view("threshold").default == "null"
    assert (view("day").default, view("day").is_required) == ("", True)


def test_descriptions_and_examples_are_one_line() -> None:
    assert view("resolution").description == "Pixel size in metres."
    assert view("resolution").examples == "10, 60"


def test_mappings_are_listed_by_key() -> None:
    assert view("area.outline").type == "path or URL"
    assert view("area.margin_m").bounds in {">= 0", ">= 0.0"}


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"a": {"$ref": "#/$defs/nowhere"}}},
        {"properties": {"a": True}},
        {"properties": {"a": {"enum": "no list"}}},
        {
            "properties": {"a": {"$ref": "#/$defs/A"}},
            "$defs": {"A": {"anyOf": [{"$ref": "#/$defs/A"}], "properties": {}}},
        },
    ],
)
def test_odd_schemas_do_no_harm(schema: dict[str, Any]) -> None:
    assert len(parameter_views(schema)) <= 1
