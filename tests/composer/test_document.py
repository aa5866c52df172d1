import json

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from composer.document import MAX_BYTES, MAX_DEPTH, parse_document
from composer.errors import DocumentError

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**18), 10**18)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("abc-_"), inner),
    max_leaves=20,
)


@given(JSON)
@settings(max_examples=50, deadline=None)
def test_json_is_read_as_json(value: object) -> None:
    text = json.dumps(value, ensure_ascii=False)
    assert parse_document(text).value == json.loads(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("-.5", -0.5),
        ("010", 10),
        ("no", "no"),
        ("12:30", "12:30"),
        ("2023-08-13", "2023-08-13"),
        ("'5'", "5"),
        ("!!str 5", "5"),
        (".nan", ".nan"),
        ("", None),
        ("~", None),
        ("True", True),
    ],
)
def test_scalars_follow_the_core_schema(text: str, value: object) -> None:
    found = parse_document(f"[{text or 'null'}]").value[0]
    assert found == value
    assert type(found) is type(value)


def test_lines_are_those_of_keys_and_items() -> None:
    document = parse_document("# comment\na:\n  b:\n    - x\n    - y: 1\nc: 2\n")
    assert document.line(("a",)) == 2
    assert document.line(("a", "b", 1, "y")) == 5
    assert document.line(("a", "b", 1, "missing", "deeper")) == 5
    assert document.line(("c",)) == 6
    assert document.line(("nowhere",)) is None


def test_a_key_given_twice_is_reported_and_the_first_counts() -> None:
    document = parse_document("a: 1\nb:\n  c: 1\n  c: 2\na: 3\n")
    assert document.value == {"a": 1, "b": {"c": 1}}
    assert document.duplicates == ((("b", "c"), 4), (("a",), 5))


def test_aliases_repeat_a_value() -> None:
    assert parse_document("a: &x {k: [1]}\nb: *x\n").value["b"] == {"k": [1]}


def alias_bomb(levels: int) -> str:
    lines = ["a0: &a0 [x, x]"]
    lines += [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, levels)]
    return "\n".join(lines)


def alias_tower(levels: int) -> str:
    return "\n".join(["a0: &a0 [x]", *(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, levels))])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (alias_bomb(25), "more than 200000 values"),
        (alias_tower(MAX_DEPTH + 1), "nested deeper than 32 levels"),
        ("[" * 100_000, "nested deeper than 32 levels"),
        ("{a: " * 100_000, "nested deeper than 32 levels"),
        ("&a [*a]", "before &a is complete"),
        ("!!python/object/apply:os.system [true]", "tags such as"),
        ("a: !include x", "tags such as"),
        ("[a]: b", "a key must be plain text"),
        ("a: 1\n---\nb: 2", "more than one YAML document"),
        ("a: 1e999", "too large a number"),
        ("a: [1, 2", "not YAML"),
        ("a: \x01", "not YAML"),
        ("a" * (MAX_BYTES + 1), f"larger than {MAX_BYTES} bytes"),
    ],
    ids=lambda text: text[:20] if isinstance(text, str) else None,
)
def test_hostile_text_is_refused(text: str, message: str) -> None:
    with pytest.raises(DocumentError, match=message):
        parse_document(text)


@pytest.mark.parametrize("text", [b"a: \xff", "a: \udcff"])
def test_text_that_is_not_utf_8_is_refused(text: bytes | str) -> None:
    with pytest.raises(DocumentError, match="not UTF-8"):
        parse_document(text)


def test_a_syntax_error_has_its_line() -> None:
    with pytest.raises(DocumentError) as caught:
        parse_document("a: 1\nb: [1, 2\nc: }")
    assert caught.value.line == 3


def test_the_parser_without_libyaml_agrees(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "a: &x [1, 'b', {c: 1e3}]\nd: *x\ne: |\n  long\n  text\n"
    expected = parse_document(text)
    monkeypatch.setattr("composer.document._LOADER", yaml.SafeLoader)
    assert parse_document(text) == expected
