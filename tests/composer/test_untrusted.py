"""Whatever comes from outside, only a ComposerError may come out, and soon.

Hypothesis makes texts, JSON and archives: arbitrary ones, and good ones with something changed.
"""

import io
import json
import zipfile
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from composer.blueprint_import import import_blueprint
from composer.contract import read_contract, services_of
from composer.deployments import read_deployment
from composer.errors import ComposerError, PipelineError
from composer.flatten import flatten
from composer.graph import compose
from composer.onboarding import onboard
from composer.pipeline_file import parse_pipeline
from composer.protoc import compile_proto
from composer.registry import Registry
from composer.solution import export_solution, import_solution
from tests.composer.messages import EVERYTHING
from tests.composer.solutions import SOLVER, blueprint, game, node, operation

# protoc is a process of its own: a tenth of a second each.
SLOW = settings(max_examples=30, deadline=None)
FAST = settings(max_examples=150, deadline=None)

PIECES = st.sampled_from(
    [
        "syntax", "=", '"proto3"', ";", "package", "a.b", "import", '"google/protobuf/any.proto"',
        "public", "message", "M", "{", "}", "int32", "string", "map<string, M>", "repeated",
        "optional", "oneof", "enum", "E", "1", "0", "-1", "536870912", "service", "S", "rpc", "f",
        "(", ")", "returns", "stream", "option", "reserved", "to", "max", "[packed=true]", "//",
        "/*", "*/", "\n", "\t", "\\", "'", '"', "\x00", "é", "\ud800", "group", "extend", "..",
        "google.protobuf.Any", "extensions", "json_name", "deprecated", "true", "nan", "1e999",
    ]
)  # fmt: skip
PROTOS = st.lists(PIECES, max_size=40).map(" ".join) | st.text(max_size=200)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 70), 1 << 70)
    | st.floats(allow_nan=True)
    | st.text(max_size=10),
    lambda v: st.lists(v, max_size=4) | st.dictionaries(st.text(max_size=8), v, max_size=4),
    max_leaves=10,
)


def changed(text: str, data: st.DataObject) -> str:
    """Return a text with some of it replaced, left out or doubled."""
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 30)))
        text = text[:start] + data.draw(PIECES | st.just(text[start:end] * 2)) + text[end:]
    return text


def changed_json(value: Any, data: st.DataObject) -> Any:
    """Return plain values with one of them replaced by something else."""
    place, parent, key = value, None, None
    while isinstance(place, dict | list) and place and data.draw(st.integers(0, 5)):
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        parent, key = place, data.draw(st.sampled_from(keys))
        place = parent[key]
    if parent is None:
        return data.draw(JSON)
    if isinstance(parent, dict) and data.draw(st.booleans()):
        del parent[key]
    else:
        parent[key] = data.draw(JSON)
    return value


@SLOW
@given(PROTOS)
def test_any_text_is_a_contract_or_an_error(text: str) -> None:
    try:
        services = services_of(compile_proto(text))
    except ComposerError:
        return
    for service in services:
        assert read_contract(compile_proto(text), service).service == service


@SLOW
@given(st.data())
def test_a_changed_contract_is_onboarded_and_flattened_or_an_error(data: st.DataObject) -> None:
    try:
        component = onboard("a", changed(EVERYTHING, data))
        flat = flatten(component)
    except ComposerError:
        return
    assert compile_proto(flat.text)


@FAST
@given(st.binary(max_size=200) | st.just(compile_proto(SOLVER)), st.data())
def test_any_descriptors_are_a_contract_or_an_error(content: bytes, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(content)))
    content = content[:place] + data.draw(st.binary(max_size=4)) + content[place + 1 :]
    try:
        for service in services_of(content):
            read_contract(content, service)
    except ComposerError:
        return


@FAST
@given(JSON)
def test_any_json_is_a_blueprint_or_an_error(value: Any) -> None:
    for text in (json.dumps(value), json.dumps({"nodes": value}), json.dumps({"nodes": [value]})):
        try:
            import_blueprint(text, text, {}, Registry([]))
        except ComposerError:
            continue


MAPPED = blueprint(
    node("a", operation("solve", "", "", ("c", "collate"))),
    node(
        "c",
        operation("collate", "", "", ("s", "split")),
        node_type="Collator",
        collator_map={
            "map_inputs": [
                {"input_field": {"source_name": "a", "parameter_tag": "1", "mapped_to_field": "1"}},
                {"input_field": {"mapped_to_field": "2", "other_attributes": "{}"}},
            ]
        },
    ),
    node(
        "s",
        operation("split", "", "", ("b", "solve")),
        node_type="Splitter",
        splitter_map={
            "splitter_type": "Copy-based",
            "map_outputs": [{"output_field": {"target_name": "b", "parameter_tag": "1"}}],
        },
    ),
    node("b", operation("solve", "", ""), eoloom={"component": "solver", "timeout_s": 3}),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from([MAPPED, game()[0]]), st.data())
def test_a_changed_blueprint_is_a_pipeline_or_an_error(text: str, data: st.DataObject) -> None:
    value = changed_json(json.loads(text), data)
    registry = Registry([KNOWN])
    try:
        found = import_blueprint(json.dumps(value), None, {}, registry)
    except ComposerError:
        found = None
    if found is not None:
        with_faults(found.pipeline.to_yaml(), found.registry)


KNOWN = onboard("registry.example/solver:1", SOLVER, name="solver")


def with_faults(text: str, registry: Registry) -> None:
    try:
        compose(parse_pipeline(text), registry, cycles=True)
    except PipelineError:
        return


@FAST
@given(JSON, JSON)
def test_any_values_are_literals_or_faults(values: Any, more: Any) -> None:
    nodes = {"a": {"component": "solver", "values": {"solve": values, "x": more}}}
    text = (
        json.dumps({"name": "demo", "nodes": nodes}, allow_nan=False, default=str)
        if (is_json(values) and is_json(more))
        else "{}"
    )
    with_faults(text, Registry([KNOWN]))


def is_json(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True


@pytest.fixture(scope="module")
def archive() -> bytes:
    text = "name: demo\nnodes: {a: {component: solver, values: {solve: {program: x}}}}"
    return export_solution(compose(parse_pipeline(text), Registry([KNOWN]))).content


@FAST
@given(st.data())
def test_a_changed_archive_is_a_pipeline_or_an_error(archive: bytes, data: st.DataObject) -> None:
    content = bytearray(archive)
    for _ in range(data.draw(st.integers(1, 8))):
        # Many of the bytes that matter are those of the list of files, at the end.
        late = st.integers(max(0, len(content) - 900), len(content) - 1)
        place = data.draw(late | st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    end = data.draw(st.just(len(content)) | st.integers(0, len(content)))
    try:
        import_solution(bytes(content[:end]), Registry([KNOWN]))
    except ComposerError:
        return


@FAST
@given(st.dictionaries(st.text(min_size=1, max_size=12), st.binary(max_size=50), max_size=5))
def test_any_archive_is_a_pipeline_or_an_error(files: dict[str, bytes]) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            if name.isprintable():
                archive.writestr(name, content)
    with pytest.raises(ComposerError):
        import_solution(buffer.getvalue(), Registry([]))


@FAST
@given(st.text(max_size=100) | JSON.map(json.dumps))
def test_any_text_is_a_deployment_or_none(text: str) -> None:
    for each in (text, f"spec: {{template: {{spec: {{containers: {text}}}}}}}"):
        found = read_deployment(each)
        assert found is None or isinstance(found[0], str)
