import json
from pathlib import Path
from typing import Any

import pytest

from composer.errors import ManifestError
from composer.parameters import NO_PARAMETERS, ParameterSchema, absolute_path, load_schema
from tests.composer.fakes import FILTERS_SCHEMA, SCENES_SCHEMA


def schema_of(**properties: Any) -> ParameterSchema:
    return ParameterSchema(
        {"type": "object", "additionalProperties": False, "properties": properties}
    )


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ({"minimum": 10}, 5, "5 is less than the minimum 10"),
        ({"maximum": 600}, 700, "700 is more than the maximum 600"),
        ({"exclusiveMinimum": 0}, 0, "0 must be more than 0"),
        ({"type": "number"}, "abc", "'abc' is not a number"),
        ({"type": "integer"}, 1.5, "1.5 is not a whole number"),
        ({"type": ["string", "null"]}, True, "true is not text or nothing"),
        ({"type": "string"}, None, "null is not text"),
        ({"maxItems": 1}, [1, 2], "[1, 2] has more than 1 items"),
        ({"pattern": "^a$"}, "b", "'b' does not match ^a$"),
        ({"const": "irmad"}, "cva", "'cva' is not irmad"),
        ({"minimum": 10}, -(10**99), "…"),
        (
            {"anyOf": [{"type": "integer", "maximum": 5}, {"type": "null"}]},
            9,
            "9 is more than the maximum 5",
        ),
        ({"type": "string", "writeOnly": True, "maxLength": 2}, "hunter2", "the value is longer"),
        ({"type": "integer", "format": "password"}, "hunter2", "the value is not a whole number"),
    ],
)
def test_a_refused_value_is_told_with_its_bound(
    field: dict[str, Any], value: object, message: str
) -> None:
    (refusal,) = schema_of(p=field).check({"p": value})
    assert refusal.place == ("p",)
    assert message in refusal.message
    assert len(refusal.message) < 200
    assert "hunter2" not in refusal.message


def test_a_choice_has_the_nearest_valid_value() -> None:
    (refusal,) = ParameterSchema(FILTERS_SCHEMA).check({"method": "nearst"})
    assert refusal.message == "'nearst' is not one of 'nearest', 'bilinear'"
    assert refusal.suggestion == "nearest"


def test_unknown_parameters_are_named_each_with_the_nearest() -> None:
    refusals = ParameterSchema(FILTERS_SCHEMA).check({"resolutoin": 20, "area": {"outlne": "x"}})
    found = {refusal.place: (refusal.is_unknown, refusal.suggestion) for refusal in refusals}
    assert found == {
        ("resolutoin",): (True, "resolution"),
        ("area", "outlne"): (True, "outline"),
    }


def test_an_unknown_parameter_that_is_like_no_other_is_told_with_those_there_are() -> None:
    (refusal,) = schema_of(count={}, seed={}).check({"wibble": 3})
    assert refusal.message == "there is no such parameter; there are: count, seed"
    many = {f"band_{number:02}": {} for number in range(30)}
    (refusal,) = schema_of(**many).check({"wibble": 3})
    assert refusal.message.endswith("band_18, band_19, ...")


def test_a_missing_parameter_is_named() -> None:
    (refusal,) = ParameterSchema(SCENES_SCHEMA).check({})
    assert (refusal.place, refusal.message) == (
        ("catalogue",),
        "is required and has no default",
    )


def test_a_component_without_schema_takes_no_parameters(tmp_path: Path) -> None:
    schema = load_schema(tmp_path / "params.schema.json")
    assert schema is NO_PARAMETERS
    assert schema.check({}) == []
    assert [refusal.place for refusal in schema.check({"a": 1})] == [("a",)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "is not of type"),
        ('{"type": "array"}', "must have type object"),
        ('{"type": "object", "properties": {"a": {"minimum": "x"}}}', "properties.a.minimum"),
    ],
)
def test_a_bad_schema_is_refused_with_its_file(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "params.schema.json"
    path.write_text(text)
    with pytest.raises(ManifestError, match=message) as caught:
        load_schema(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "definition",
    [
        {"$ref": "#/properties/a"},
        {"$ref": "http://127.0.0.1:9/schema.json"},
        {"$ref": "#/$defs/Missing"},
        {"type": "string", "pattern": "("},
    ],
)
def test_a_schema_that_cannot_be_used_is_a_refusal(definition: dict[str, Any]) -> None:
    schema = schema_of(a=definition)
    assert "schema cannot be used" in schema.check({"a": "x"})[0].message
    assert schema.with_absolute_paths({"a": "x"}, lambda _: Path("/")) == {"a": "x"}


def test_relative_paths_become_absolute_wherever_they_stand() -> None:
    path = {"type": "string", "format": "path-or-url"}
    schema = ParameterSchema(
        {
            "type": "object",
            "properties": {
                "plain": path,
                "optional": {"anyOf": [path, {"type": "null"}]},
                "many": {"type": "array", "items": path},
                "named": {"type": "object", "additionalProperties": {"$ref": "#/$defs/File"}},
                "title": {"type": "string"},
            },
            "$defs": {"File": {"type": "object", "properties": {"href": {"allOf": [path]}}}},
        }
    )
    params = {
        "plain": "a/b.json",
        "optional": "c",
        "many": ["d", "/e", "s3://bucket/f"],
        "named": {"x": {"href": "../g"}},
        "title": "a/b.json",
    }
    assert json.loads(
        json.dumps(schema.with_absolute_paths(params, lambda _: Path("/data/in")))
    ) == {
        "plain": "/data/in/a/b.json",
        "optional": "/data/in/c",
        "many": ["/data/in/d", "/e", "s3://bucket/f"],
        "named": {"x": {"href": "/data/g"}},
        "title": "a/b.json",
    }


@pytest.mark.parametrize(
    ("text", "absolute"),
    [
        ("x", "/base/x"),
        ("/x", "/x"),
        ("", ""),
        ("https://example.org/x", "https://example.org/x"),
        ("/vsizip/x.zip/y", "/vsizip/x.zip/y"),
        ("~/x", str(Path.home() / "x")),
        ("~no-such-user/x", "/base/~no-such-user/x"),
    ],
)
def test_what_is_absolute_already_stays(text: str, absolute: str) -> None:
    assert absolute_path(text, Path("/base")) == absolute
