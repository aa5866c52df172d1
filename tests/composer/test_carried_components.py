"""What a blueprint of ours brings along of its components, and what others could put there."""

import json
from typing import Any

import pytest

from composer.blueprint_export import export_blueprint
from composer.blueprint_import import ImportedPipeline, import_blueprint
from composer.component import Component
from composer.graph import compose
from composer.onboarding import onboard
from composer.parameters import parse_schema
from composer.pipeline_file import parse_pipeline
from composer.registry import Registry
from tests.composer.fakes import Shelf, put_usual_components

IMAGE = "registry.example/team/segment:1.2"
CONTRACT = """
syntax = "proto3";
package demo;
import "google/protobuf/empty.proto";
message Image { bytes png = 1; }
message Region { string name = 1; }
service Segmenter {
  rpc images(google.protobuf.Empty) returns (stream Image);
  rpc segment(Image) returns (stream Region);
}
"""
SCHEMA = {
    "type": "object",
    "properties": {"threshold": {"type": "number"}},
    "additionalProperties": False,
}
PIPELINE = """
name: segments
nodes:
  a: {component: segment, params: {threshold: 0.2}}
  b: {component: segment@1.2.0}
links: [a.images -> b.segment]
"""


def segment(image: str = IMAGE, version: str = "1.2.0") -> Component:
    schema = parse_schema(json.dumps(SCHEMA))
    return onboard(image, CONTRACT, name="segment", version=version, licence="MIT", schema=schema)


@pytest.fixture(scope="module")
def exported() -> dict[str, Any]:
    graph = compose(parse_pipeline(PIPELINE), Registry([segment()]))
    exported = export_blueprint(graph)
    return {"blueprint": json.loads(exported.blueprint), "protos": dict(exported.protofiles)}


def imported(
    exported: dict[str, Any], *known: Component, protos: dict[str, str] | None = None
) -> ImportedPipeline:
    files = exported["protos"] if protos is None else protos
    return import_blueprint(json.dumps(exported["blueprint"]), None, files, Registry(known))


@pytest.mark.parametrize("alone", [False, True], ids=["with contracts", "alone"])
def test_who_has_never_seen_a_component_gets_it_as_it_was(
    exported: dict[str, Any], *, alone: bool
) -> None:
    found = imported(exported, protos={} if alone else None)
    assert found.warnings == ()
    assert found.pipeline.digest == parse_pipeline(PIPELINE).pipeline.digest
    [component] = found.onboarded
    own = segment()
    assert component.manifest == own.manifest
    assert component.schema == own.schema
    assert component.proto_text == CONTRACT
    compose(found.pipeline, found.registry)


def test_a_component_of_a_folder_comes_with_what_its_operations_accept(shelf: Shelf) -> None:
    put_usual_components(shelf)
    registry = Registry.discover([shelf.folder], built_in=False)
    text = "name: x\nnodes: {s: {component: scenes, params: {catalogue: /c}}}\n"
    exported = export_blueprint(compose(parse_pipeline(text), registry))
    back = import_blueprint(exported.blueprint, None, {}, Registry([]))
    own, [component] = registry.find("scenes"), back.onboarded
    assert component.manifest.operations == own.manifest.operations
    assert component.manifest.image == f"eoloom/{own.manifest.name}:{own.manifest.version}"
    assert component.manifest.command == ()
    assert component.schema == own.schema
    assert back.pipeline.nodes["s"].params == {"catalogue": "/c"}


def test_a_component_that_is_known_is_used(exported: dict[str, Any]) -> None:
    found = imported(exported, segment())
    assert (found.onboarded, found.warnings) == ((), ())


def test_a_known_component_of_another_image_is_neither_used_nor_replaced(
    exported: dict[str, Any],
) -> None:
    known = segment("registry.example/own:1", "1.0.0")
    found = imported(exported, known)
    assert {n.component for n in found.pipeline.nodes.values()} == {"segment-2@1.2.0"}
    assert found.registry.find("segment") is known
    assert found.warnings == (
        "container a: there is another component segment here; its own is called segment-2",
    )


def test_the_contract_in_the_solution_decides(exported: dict[str, Any]) -> None:
    protos = {
        name: text.replace("bytes png", "string png") for name, text in exported["protos"].items()
    }
    found = imported(exported, protos=protos)
    [component] = found.onboarded
    assert component.contract.messages["Image"].fields[0].type == "string"
    assert any("its contract is another one" in warning for warning in found.warnings)
    assert any("takes no parameters here" in warning for warning in found.warnings)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"manifest": {"name": "../x"}}, "'../x' must be lower-case"),
        ({"manifest": {}}, "name is missing"),
        ({"manifest": 3}, "manifest: 3 should be a mapping"),
        ({"parameters": {"type": "nonsense"}}, "is not valid under any of the given schemas"),
        ({"proto": "import 'x';"}, "the contract of a"),
        ({"proto": CONTRACT.replace("rpc images", "rpc other")}, "has no such rpc"),
    ],
)
def test_what_cannot_be_used_is_left_out_with_a_warning(
    exported: dict[str, Any], changes: dict[str, Any], words: str
) -> None:
    own = exported["blueprint"]["eoloom"]
    described = {**own["components"]["segment@1.2.0"], **changes}
    blueprint = {
        **exported["blueprint"],
        "eoloom": {**own, "components": {"segment@1.2.0": described}},
    }
    found = imported({**exported, "blueprint": blueprint})
    assert any(words in warning for warning in found.warnings), found.warnings
    assert [c.manifest.image for c in found.onboarded] == [IMAGE]


def test_a_description_cannot_say_what_is_started_nor_from_where(exported: dict[str, Any]) -> None:
    own = exported["blueprint"]["eoloom"]
    described = json.loads(json.dumps(own["components"]["segment@1.2.0"]))
    described["manifest"] |= {
        "command": ["sh", "-c", "true"],
        "image": "evil.example/x:1",
        "proto": "/etc/passwd",
        "descriptors": "/etc/passwd",
    }
    blueprint = {
        **exported["blueprint"],
        "eoloom": {**own, "components": {"segment@1.2.0": described}},
    }
    [component] = imported({**exported, "blueprint": blueprint}).onboarded
    assert component.manifest.command == ()
    assert component.manifest.image == IMAGE
    assert component.manifest.proto == "model.proto"
