"""Field links and literals in whole pipelines: what is planned, and what is refused."""

import pytest

from composer.contract import Kind
from composer.errors import PipelineError
from composer.fields import Way
from composer.graph import Graph, compose
from composer.onboarding import onboard
from composer.pipeline_file import parse_pipeline
from composer.registry import Registry

CONTRACT = """
syntax = "proto3";
message Nothing {}
message Word { string text = 1; int32 count = 2; }
message Words { repeated Word words = 1; string title = 2; }
message Pair {
  Word left = 1; Word right = 2; repeated string tags = 3; double weight = 4;
  oneof choice { string a = 5; string b = 6; }
}
service Text {
  rpc list(Nothing) returns (stream Words);
  rpc single(Nothing) returns (Word);
  rpc join(Pair) returns (Pair);
  rpc show(Word) returns (Nothing);
}
"""
FOLDER = """
syntax = "proto3";
message Folder { string path = 1; }
message Status { bool ready = 1; }
service Board { rpc mount(Folder) returns (Status); }
"""
NODES = """\
name: demo
nodes:
  a: {component: text}
  b: {component: text}
  c: {component: text}
links:
"""


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry([onboard("example/text:1", CONTRACT), onboard("example/board:1", FOLDER)])


def composed(registry: Registry, *links: str, head: str = NODES, cycles: bool = False) -> Graph:
    text = head + "".join(f"  - {link}\n" for link in links)
    return compose(parse_pipeline(text), registry, cycles=cycles)


def faults(registry: Registry, *links: str, head: str = NODES) -> list[str]:
    with pytest.raises(PipelineError) as caught:
        composed(registry, *links, head=head)
    return [f"{fault.code}: {fault}" for fault in caught.value.faults]


def test_each_field_link_is_planned_with_what_its_ends_are(registry: Registry) -> None:
    graph = composed(
        registry,
        "a.list.words -> b.join.left",
        "a.single -> b.join.right",
        "a.list.title -> b.join.tags",
        "a.single.text -> b.join.tags",
        "b.join.left -> c.show",
    )
    join, show = (o for o in graph.operations if o.operation.name in {"join", "show"})
    found = [
        (link.way, link.source and link.source.number, link.target and link.target.number)
        for link in join.field_links
    ]
    assert found == [
        (Way.SCATTER, 1, 1),
        (Way.COPY, None, 2),
        (Way.GATHER, 2, 3),
        (Way.GATHER, 1, 3),
    ]
    assert [link.link for link in join.field_links] == list(join.incoming)
    assert join.is_assembled
    assert not show.is_assembled
    assert [(link.way, link.target) for link in show.field_links] == [(Way.COPY, None)]


def test_literals_are_part_of_every_request(registry: Registry) -> None:
    head = NODES.replace(
        "b: {component: text}", "b: {component: text, values: {join: {weight: 1}}}"
    )
    graph = composed(registry, "a.single -> b.join.left", "b.join.right -> c.show", head=head)
    join = next(o for o in graph.operations if o.operation.name == "join")
    assert join.literals == b"\x21" + b"\0" * 6 + b"\xf0\x3f"
    assert join.kind is Kind.RELAY


def test_an_operation_with_nothing_but_literals_is_a_source(registry: Registry) -> None:
    head = (
        "name: demo\nnodes:\n  a: {component: text, values: {join: {left: {text: hello}}}}\n"
        "  c: {component: text}\nlinks:\n"
    )
    graph = composed(registry, "a.join.left -> c.show", head=head)
    [source] = graph.sources
    assert source.is_called_once
    assert str(source) == "a.join"
    alone = composed(registry, head=head.replace("  c: {component: text}\nlinks:\n", ""))
    assert [str(operation) for operation in alone.operations] == ["a.join"]


@pytest.mark.parametrize(
    ("links", "expected"),
    [
        (
            ["a.single -> b.join.lefft"],
            (
                "unknown-field: link a.single -> b.join.lefft: Pair has no field 'lefft'; "
                "did you mean 'left'?"
            ),
        ),
        (
            ["a.list.wrods -> b.join.left"],
            (
                "unknown-field: link a.list.wrods -> b.join.left: Words has no field 'wrods'; "
                "did you mean 'words'?"
            ),
        ),
        (
            ["a.single.count -> b.join.tags"],
            (
                "structure: link a.single.count -> b.join.tags: a.single.count sends single int32, "
                "b.join.tags takes repeated string: their types differ"
            ),
        ),
        (
            ["a.single -> b.join.left", "a.list.words -> b.join.left"],
            (
                "field-link: link a.list.words -> b.join.left: a.single -> b.join.left leads there "
                "already, and only one value can"
            ),
        ),
        (
            ["a.single.text -> b.join.a", "a.list.title -> b.join.b"],
            (
                "field-link: link a.list.title -> b.join.b: a.single.text -> b.join.a leads there "
                "already, and only one value can"
            ),
        ),
        (
            ["a.single -> b.show", "a.single.text -> b.show.text"],
            (
                "field-link: link a.single.text -> b.show.text: whole messages are linked to "
                "b.show as well (a.single -> b.show)"
            ),
        ),
        (
            ["a.single.text -> b.list.x", "a.single -> b.show"],
            (
                "link-into-source: link a.single.text -> b.list.x: b.list is a source: its input "
                "Nothing has no fields"
            ),
        ),
        (
            ["b.show.x -> c.show.text", "a.single -> b.show"],
            (
                "link-from-sink: link b.show.x -> c.show.text: b.show is a sink: its output "
                "Nothing has no fields"
            ),
        ),
    ],
)
def test_links_that_cannot_be_made(registry: Registry, links: list[str], expected: str) -> None:
    head = (
        NODES
        if any("c." in link for link in links)
        else NODES.replace("  c: {component: text}\n", "")
    )
    assert faults(registry, *links, head=head) == [expected]


@pytest.mark.parametrize(
    ("values", "links", "expected"),
    [
        (
            "{jion: {weight: 1}}",
            ["a.single -> b.join.left"],
            (
                "unknown-operation: node b, values jion: node b has no operation 'jion'; "
                "did you mean 'join'?"
            ),
        ),
        (
            "{join: {wait: 1}}",
            ["a.single -> b.join.left"],
            "unknown-field: node b, values join.wait: Pair has no field 'wait'",
        ),
        (
            "{join: {right: {count: much}}}",
            ["a.single -> b.join.left"],
            "value: node b, values join.right.count: 'much' is not a whole number",
        ),
        (
            "{join: {left: {}}}",
            ["a.single -> b.join.left"],
            "value: node b, values join.left: is linked as well: a field has a link or a value",
        ),
        (
            "{show: {count: 1}}",
            ["a.single -> b.show"],
            (
                "value: node b, values show: whole messages are linked to it "
                "(a.single -> b.show), so that no value has a place"
            ),
        ),
        (
            "{list: {x: 1}}",
            ["a.single -> b.show"],
            "unknown-field: node b, values list.x: Nothing has no field 'x'",
        ),
    ],
)
def test_literals_that_have_no_place(
    registry: Registry, values: str, links: list[str], expected: str
) -> None:
    nodes = f"  a: {{component: text}}\n  b: {{component: text, values: {values}}}\n"
    head = f"name: demo\nnodes:\n{nodes}links:\n"
    [found] = faults(registry, *links, head=head)
    assert found.startswith(expected)


def test_a_fault_in_a_literal_has_its_line(registry: Registry) -> None:
    text = (
        "name: demo\nnodes:\n  a: {component: text}\n  b:\n    component: text\n    values:\n"
        "      join:\n        weight: much\nlinks:\n  - a.single -> b.join.left\n"
    )
    with pytest.raises(PipelineError) as caught:
        compose(parse_pipeline(text), registry)
    assert [fault.line for fault in caught.value.faults] == [8]


def test_cycles_and_loops_are_allowed_when_asked_for(registry: Registry) -> None:
    head = NODES.replace("  c: {component: text}\n", "")
    loop = ("a.single -> b.join.left", "b.join.right -> b.join.right")
    assert "b.join" in map(str, composed(registry, *loop, head=head, cycles=True).operations)
    assert [f.partition(":")[0] for f in faults(registry, *loop, head=head)] == ["self-link"]
    cycle = (
        "a.single -> b.join.left",
        "b.join.tags -> c.join.tags",
        "c.join.right -> b.join.right",
    )
    assert "c.join" in map(str, composed(registry, *cycle, cycles=True).operations)
    assert [f.partition(":")[0] for f in faults(registry, *cycle)] == ["cycle"]


def test_a_node_of_the_shared_folder_needs_no_link(registry: Registry) -> None:
    head = (
        "name: demo\nnodes:\n  a: {component: text}\n  c: {component: text}\n"
        "  board: {component: board%s}\nlinks:\n"
    )
    links = ("a.single -> c.show",)
    graph = composed(registry, *links, head=head % ", shared_folder: /data/shared")
    assert list(graph.nodes) == ["a", "c", "board"]
    assert [str(operation) for operation in graph.operations] == ["a.single", "c.show"]
    found = faults(registry, *links, head=head % "")
    assert [fault.partition(":")[0] for fault in found] == ["isolated-node"]


@pytest.mark.parametrize("path", ["relative", "/a/../b", "/a b", "/", "/a\n"])
def test_the_place_of_the_shared_folder_is_a_plain_path(registry: Registry, path: str) -> None:
    head = f"name: demo\nnodes:\n  board: {{component: board, shared_folder: {path!r}}}\nlinks:\n"
    assert any("shared_folder" in fault for fault in faults(registry, head=head))


def test_options_survive_writing_and_count_in_the_digest(registry: Registry) -> None:
    head = (
        "name: demo\nnodes:\n  a: {component: text, shared_folder: /data,"
        " values: {join: {left: {text: '1e-4'}, tags: [x], weight: 1.5}}}\nlinks:\n"
    )
    pipeline = parse_pipeline(head).pipeline
    assert parse_pipeline(pipeline.to_yaml()).pipeline == pipeline
    other = parse_pipeline(head.replace("1.5", "1.25")).pipeline
    assert other.digest != pipeline.digest
    assert composed(registry, head=head).pinned().nodes["a"].values == pipeline.nodes["a"].values
