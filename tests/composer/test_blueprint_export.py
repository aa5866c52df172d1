import json
from typing import Any

import pytest

from composer.blueprint_export import export_blueprint
from composer.blueprint_import import import_blueprint
from composer.graph import Graph, compose
from composer.onboarding import onboard
from composer.pipeline import Pipeline
from composer.pipeline_file import parse_pipeline
from composer.registry import Registry
from tests.composer.solutions import game

CONTRACT = """
syntax = "proto3";
message Nothing {}
message Word { string text = 1; int32 count = 2; }
message Words { repeated Word words = 1; string title = 2; Word first = 3; }
message Pair { Word left = 1; Word right = 2; repeated string tags = 3; double weight = 4; }
service Text {
  rpc list(Nothing) returns (stream Words);
  rpc single(Nothing) returns (Word);
  rpc join(Pair) returns (Pair);
  rpc show(Word) returns (Nothing);
}
"""
PIPELINES = {
    "whole messages": """
name: plain
nodes: {a: {component: text}, b: {component: text@1.0.0}, c: {component: text}}
links: [a.single -> b.show, a.single -> c.show]
""",
    "several links into and out of a port": """
name: several
nodes: {a: {component: text}, b: {component: text}, c: {component: text}}
links: [a.single -> c.show, b.single -> c.show, b.single -> a.show]
""",
    "fields, literals and options": """
name: fields
title: All there is
description: |
  With two lines:
  this is the second.
positions: {a: {x: 1}}
nodes:
  a: {component: text, shared_folder: /data/x, timeout_s: 5, concurrency: 3}
  b: {component: text, values: {join: {weight: 2.5}}, on_error: skip}
  c: {component: text}
links:
  - a.list.words -> b.join.left
  - a.single -> b.join.right
  - a.list.title -> b.join.tags
  - a.single.text -> b.join.tags
  - b.join.left -> c.show
  - b.join.right -> c.show
  - a.single -> c.show
  - a.list.words -> c.show
  - a.list.first -> c.show
""",
    "a cycle and a loop": """
name: cycle
nodes: {a: {component: text}, b: {component: text}, c: {component: text}}
links:
  - a.single -> b.join.left
  - b.join.tags -> c.join.tags
  - c.join.right -> b.join.right
  - c.join.left -> c.join.left
""",
}


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry([onboard("registry.example/text:1", CONTRACT, name="text")])


def composed(text: str, registry: Registry) -> Graph:
    return compose(parse_pipeline(text), registry, cycles=True)


def equal(one: Pipeline, other: Pipeline) -> bool:
    """Links have no order in a blueprint; everything else is compared as it is."""
    same = one.digest == other.digest and one.positions == other.positions
    return same and list(one.nodes) == list(other.nodes) and set(one.links) == set(other.links)


@pytest.mark.parametrize("text", PIPELINES.values(), ids=PIPELINES)
def test_what_is_exported_is_imported_as_it_was(text: str, registry: Registry) -> None:
    graph = composed(text, registry)
    exported = export_blueprint(graph)
    back = import_blueprint(exported.blueprint, exported.dockerinfo, exported.protofiles, registry)
    assert equal(back.pipeline, graph.pipeline)
    assert back.warnings == ()
    assert back.onboarded == ()
    compose(back.pipeline, back.registry, cycles=True)


@pytest.mark.parametrize("text", PIPELINES.values(), ids=PIPELINES)
def test_where_its_components_are_unknown_they_are_onboarded(text: str, registry: Registry) -> None:
    graph = composed(text, registry)
    exported = export_blueprint(graph)
    back = import_blueprint(
        exported.blueprint, exported.dockerinfo, exported.protofiles, Registry([])
    )
    assert set(back.pipeline.links) == set(graph.pipeline.links)
    assert back.pipeline.digest == graph.pipeline.digest
    assert [c.reference for c in back.onboarded] == ["text@1.0.0"]
    assert back.onboarded[0].manifest.image == "registry.example/text:1"
    compose(back.pipeline, back.registry, cycles=True)


def test_a_solution_of_ai4eu_goes_in_and_out(registry: Registry) -> None:
    first = import_blueprint(*game(), Registry([]))
    exported = export_blueprint(compose(first.pipeline, first.registry, cycles=True))
    second = import_blueprint(
        exported.blueprint, exported.dockerinfo, exported.protofiles, first.registry
    )
    assert equal(first.pipeline, second.pipeline)
    nodes = {node["container_name"]: node for node in json.loads(exported.blueprint)["nodes"]}
    assert nodes["solver1"]["image"] == "registry.example:7444/games/solver:1.5"


def collect_as_the_original(
    blueprint: dict[str, Any], infos: dict[str, Any]
) -> set[tuple[str, ...]]:
    """Read what the original orchestrator reads, in the way that it does, and its conditions."""
    hosts = {
        e["container_name"]: (e["ip_address"], int(e["port"])) for e in infos["docker_info_list"]
    }
    found = set()
    for node in blueprint["nodes"]:
        assert node["container_name"] in hosts
        for line in node["operation_signature_list"]:
            signature = line["operation_signature"]
            assert isinstance(signature["input_message_stream"], bool)
            assert isinstance(signature["output_message_stream"], bool)
            for connection in line["connected_to"]:
                assert connection["container_name"] in hosts
                target = connection["operation_signature"]["operation_name"]
                end = (connection["container_name"], target)
                found.add((node["container_name"], signature["operation_name"], *end))
    sources = {
        (node["container_name"], line["operation_signature"]["operation_name"])
        for node in blueprint["nodes"]
        for line in node["operation_signature_list"]
        if line["operation_signature"]["input_message_name"] == "Empty"
    }
    assert not any(link[2:] in sources for link in found), "nothing may be linked to a source"
    return found


def test_the_original_finds_all_that_it_looks_for(registry: Registry) -> None:
    graph = composed(PIPELINES["whole messages"], registry)
    exported = export_blueprint(graph)
    blueprint, infos = json.loads(exported.blueprint), json.loads(exported.dockerinfo)
    assert collect_as_the_original(blueprint, infos) == {
        ("a", "single", "b", "show"),
        ("a", "single", "c", "show"),
    }
    assert [e["container_name"] for e in infos["docker_info_list"]] == [
        "a",
        "b",
        "c",
        "orchestrator",
    ]
    assert sorted(exported.protofiles) == ["a.proto", "b.proto", "c.proto"]
    single = blueprint["nodes"][0]["operation_signature_list"][0]["operation_signature"]
    assert single["input_message_name"] == "Empty", "so the original knows a source"
    listed = [len(node["operation_signature_list"]) for node in blueprint["nodes"]]
    assert listed == [1, 1, 1], "it would call operations that are listed but not linked"
    assert blueprint["probeIndicator"] == [{"value": "false"}]
    assert blueprint["input_ports"] == []


def test_what_the_original_will_not_do_is_said(registry: Registry) -> None:
    exported = export_blueprint(composed(PIPELINES["fields, literals and options"], registry))
    assert exported.warnings == (
        "node b: AI4EU has no literals: its orchestrator leaves them out",
        (
            "links of single fields became Splitters and Collators, which the AI4EU "
            "orchestrator does not run"
        ),
    )
    packaged = onboard("a/text", CONTRACT.replace("message N", "package p; message N", 1))
    graph = composed(PIPELINES["whole messages"], Registry([packaged]))
    assert all("without its package" in warning for warning in export_blueprint(graph).warnings)


def test_mappers_are_as_acumos_describes_them(registry: Registry) -> None:
    exported = export_blueprint(composed(PIPELINES["fields, literals and options"], registry))
    nodes = {node["container_name"]: node for node in json.loads(exported.blueprint)["nodes"]}
    collator = nodes["b_join_collator"]
    assert collator["node_type"] == "Collator"
    lines = [line["input_field"] for line in collator["collator_map"]["map_inputs"]]
    assert [(n["source_name"], n["parameter_tag"], n["mapped_to_field"]) for n in lines] == [
        ("a", "1", "1"),
        ("a", "", "2"),
        ("a", "2", "3"),
        ("a", "1", "3"),
    ]
    signature = json.loads(collator["collator_map"]["output_message_signature"])
    assert signature["messageName"] == "Pair"
    assert [a["tag"] for a in signature["messageargumentList"]] == ["1", "2", "3", "4"]
    splitter = nodes["a_list_splitter"]
    outputs = [line["output_field"] for line in splitter["splitter_map"]["map_outputs"]]
    assert [(n["target_name"], n["mapped_to_field"]) for n in outputs] == [("c", "1"), ("c", "3")]
