import hashlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from composer.pipeline import End, Link, Node, Pipeline
from composer.pipeline_file import parse_pipeline


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("a.run -> b.go", Link(End("a", "run"), End("b", "go"))),
        ("  a.run->b.go ", Link(End("a", "run"), End("b", "go"))),
        ("a.run -> fuse.run.before", Link(End("a", "run"), End("fuse", "run", "before"))),
        ("a.run.items -> b.go", Link(End("a", "run", "items"), End("b", "go"))),
    ],
)
def test_a_link_is_read_and_written(text: str, link: Link) -> None:
    assert Link.parse(text) == link
    assert Link.parse(str(link)) == link


@pytest.mark.parametrize(
    "text", ["", "a.run", "a -> b", "a.run => b.go", "a.run -> b", "a.b.c.d -> e.f", "a.b -> c.d x"]
)
def test_other_text_is_no_link(text: str) -> None:
    with pytest.raises(ValueError, match="not of the form"):
        Link.parse(text)


def pipeline(**changes: object) -> Pipeline:
    return Pipeline.model_validate(
        {
            "name": "demo",
            "nodes": {"a": {"component": "scenes", "params": {"x": 1}}, "b": {"component": "c"}},
            "links": ["a.run -> b.go", "a.run -> b.measure"],
            **changes,
        }
    )


def test_the_digest_is_of_what_has_a_meaning() -> None:
    digest = pipeline().digest
    assert len(digest) == 64
    assert pipeline(positions={"a": [1, 2]}).digest == digest
    assert pipeline(links=["a.run->b.measure", "a.run->b.go"]).digest == digest
    nodes = {"b": {"component": "c", "timeout_s": None}, "a": pipeline().nodes["a"]}
    assert pipeline(nodes=nodes).digest == digest
    for change in ({"name": "other"}, {"links": ["a.run -> b.go"]}, {"title": "T"}):
        assert pipeline(**change).digest != digest
    other = {**pipeline().nodes, "a": Node(component="scenes", params={"x": 2})}
    assert pipeline(nodes=other).digest != digest


def test_the_digest_is_that_of_canonical_json() -> None:
    text = (
        '{"links":["a.run -> b.go","a.run -> b.measure"],"name":"demo","nodes":{'
        '"a":{"component":"scenes","params":{"x":1}},"b":{"component":"c"}}}'
    )
    assert pipeline().digest == hashlib.sha256(text.encode()).hexdigest()


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]))
NUMBER_LIKE = st.from_regex(r"[-+]?[0-9.]{1,4}(e[-+]?[0-9]{1,2})?", fullmatch=True)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**15), 10**15)
    | st.floats(-1e9, 1e9)
    | TEXTS
    | NUMBER_LIKE,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(TEXTS, VALUES, max_size=4), TEXTS)
def test_what_is_written_reads_back(params: dict[str, object], title: str) -> None:
    nodes = {"a": {"component": "scenes", "params": params}, "b": {"component": "c"}}
    written = pipeline(nodes=nodes, title=title[:200], positions={"a": [0.5, 1]})
    read = parse_pipeline(written.to_yaml())
    assert read.faults == ()
    assert json.dumps(read.pipeline.plain()) == json.dumps(written.plain())
    assert read.pipeline.digest == written.digest


def test_a_pipeline_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        pipeline().name = "other"  # type: ignore[misc]  # that it is refused is the test


def test_numbers_that_json_lacks_are_refused() -> None:
    with pytest.raises(ValidationError):
        pipeline(nodes={"a": {"component": "c", "params": {"x": float("inf")}}})
