from pathlib import Path

import networkx as nx
import pytest

from composer.contract import Kind
from composer.errors import Fault, FaultCode, PipelineError
from composer.graph import Graph, compose
from composer.pipeline import End, Pipeline
from composer.pipeline_file import load_pipeline, parse_pipeline
from composer.registry import Registry

GOOD = """\
name: demo
nodes:
  table: {component: charts}
  clean: {component: filters, params: {resolution: 20, mask: masks/a.tif}, timeout_s: 5}
  scenes: {component: scenes@1.0.0, params: {catalogue: data/catalogue.json}}
  shift: {component: filters}
links:
  - scenes.search -> clean.clean
  - clean.clean -> shift.align
  - shift.align -> table.measure
  - clean.clean -> table.measure
  - table.measure -> table.draw
"""

TEN_FAULTS = """\
name: Demo
nodes:
  scenes: {component: scenes, params: {catalogue: a, limit: 700}}
  clean: {component: filters, params: {resolutoin: 20}, timeout_s: never}
  shift: {component: filtres}
  table: {component: charts}
  lonely: {component: charts}
  warp: {component: filters}
links:
  - scenes.search -> clean.clean
  - scene.search -> clean.clean
  - clean.clean -> table.mesure
  - clean.clean -> clean.align
  - clean.align -> warp.align
  - warp.align -> clean.align
  - table.measure -> clean.align
"""


def composed(text: str, registry: Registry, *overrides: str, cycles: bool = False) -> Graph:
    return compose(parse_pipeline(text, overrides), registry, cycles=cycles)


def faults(text: str, registry: Registry, *overrides: str) -> tuple[Fault, ...]:
    with pytest.raises(PipelineError) as caught:
        composed(text, registry, *overrides)
    return caught.value.faults


def text_of(*links: str, **nodes: str) -> str:
    lines = [f"  {name}: {{component: {component}}}" for name, component in nodes.items()]
    lines = ["name: demo", "nodes:", *lines, "links:", *(f"  - {link}" for link in links)]
    return "\n".join(lines).replace(
        "component: scenes}", "component: scenes, params: {catalogue: a}}"
    )


def only(text: str, registry: Registry, code: FaultCode) -> str:
    """Return the text of the only fault there is."""
    found = faults(text, registry)
    assert [fault.code for fault in found] == [code], [str(fault) for fault in found]
    return f"{found[0].line}: {found[0]}"


def test_ten_faults_are_reported_in_one_go(tmp_path: Path, registry: Registry) -> None:
    path = tmp_path / "ten.yaml"
    path.write_text(TEN_FAULTS)
    with pytest.raises(PipelineError) as caught:
        compose(load_pipeline(path), registry)
    found = [
        (fault.line, fault.place, fault.code, fault.suggestion) for fault in caught.value.faults
    ]
    assert found == [
        (1, "name", FaultCode.FIELD, None),
        (3, "node scenes, parameter limit", FaultCode.PARAMETER, None),
        (4, "node clean, timeout_s", FaultCode.FIELD, None),
        (4, "node clean, parameter resolutoin", FaultCode.UNKNOWN_PARAMETER, "resolution"),
        (5, "node shift", FaultCode.UNKNOWN_COMPONENT, "filters"),
        (7, "node lonely", FaultCode.ISOLATED_NODE, None),
        (11, "link scene.search -> clean.clean", FaultCode.UNKNOWN_NODE, "scenes"),
        (12, "link clean.clean -> table.mesure", FaultCode.UNKNOWN_OPERATION, "measure"),
        (14, "links", FaultCode.CYCLE, None),
        (16, "link table.measure -> clean.align", FaultCode.STRUCTURE, None),
    ]
    lines = str(caught.value).splitlines()
    assert len(lines) == 10
    assert lines[1] == f"{path}:3: node scenes, parameter limit: 700 is more than the maximum 100"


def test_operations_come_senders_first(registry: Registry) -> None:
    graph = composed(GOOD, registry)
    assert [str(operation) for operation in graph.operations] == [
        "scenes.search",
        "clean.clean",
        "shift.align",
        "table.measure",
        "table.draw",
    ]
    assert list(graph.nodes) == ["table", "clean", "scenes", "shift"]


def test_an_operation_knows_its_links_and_options(registry: Registry) -> None:
    graph = composed(GOOD, registry)
    clean, shift = graph.operations[1], graph.operations[2]
    assert [str(link) for link in clean.incoming] == ["scenes.search -> clean.clean"]
    assert [str(link) for link in clean.outgoing] == [
        "clean.clean -> shift.align",
        "clean.clean -> table.measure",
    ]
    assert (clean.end, clean.kind, clean.timeout_s) == (End("clean", "clean"), Kind.RELAY, 5)
    assert shift.timeout_s == 3600
    assert (shift.operation.input_stream, shift.manifest.accepts) == (True, ("reflectance",))
    assert [str(o) for o in graph.operations_of("table")] == ["table.measure", "table.draw"]


def test_sources_begin_and_terminals_give_results(registry: Registry) -> None:
    graph = composed(GOOD, registry)
    assert [str(o) for o in graph.sources] == ["scenes.search"]
    assert graph.terminals == (), "draw is a sink: it gives nothing"
    shorter = composed(text_of("s.search -> f.clean", s="scenes", f="filters"), registry)
    assert [str(o) for o in shorter.terminals] == ["f.clean"]


def test_operations_that_are_not_linked_are_not_used(registry: Registry) -> None:
    graph = composed(text_of("s.search -> f.clean", s="scenes", f="filters"), registry)
    assert [str(o) for o in graph.operations] == ["s.search", "f.clean"]


def test_a_pipeline_may_be_one_source(registry: Registry) -> None:
    assert [str(o) for o in composed(text_of(s="scenes"), registry).operations] == ["s.search"]


def test_paths_are_absolute_and_the_pipeline_pinned(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "pipelines"
    file = parse_pipeline(GOOD, ["clean.mask=b.tif"], folder=folder)
    graph = compose(file, registry)
    assert graph.nodes["scenes"].params == {"catalogue": f"{folder}/data/catalogue.json"}
    assert graph.nodes["clean"].params == {"resolution": 20, "mask": f"{tmp_path}/b.tif"}
    assert graph.pipeline.nodes["clean"].params["mask"] == "b.tif"
    pinned = graph.pinned()
    assert pinned.nodes["clean"].component == "filters@1.0.0"
    assert pinned.nodes["clean"].params == graph.nodes["clean"].params
    assert pinned.nodes["clean"].timeout_s == 5
    assert compose(pinned, registry).pinned() == pinned


def test_a_pipeline_without_a_file_is_composed(registry: Registry) -> None:
    pipeline = Pipeline.model_validate(
        {"name": "one", "nodes": {"s": {"component": "scenes", "params": {"limit": 0}}}}
    )
    with pytest.raises(PipelineError) as caught:
        compose(pipeline, registry)
    assert str(caught.value).splitlines() == [
        "pipeline: node s, parameter catalogue: is required and has no default",
        "pipeline: node s, parameter limit: 0 is less than the minimum 1",
    ]


def test_the_network_cannot_be_changed(registry: Registry) -> None:
    with pytest.raises(nx.NetworkXError, match=r"[Ff]rozen"):
        composed(GOOD, registry).network.add_node(End("x", "y"))


@pytest.mark.parametrize(
    ("code", "links", "nodes", "fault"),
    [
        (
            FaultCode.UNKNOWN_COMPONENT,
            [],
            {"s": "scenes@2.0.0"},
            "3: node s: there is no version '2.0.0' of scenes; there is 1.0.0",
        ),
        (
            FaultCode.UNKNOWN_COMPONENT,
            [],
            {"s": "weather-oracle"},
            "3: node s: there is no component 'weather-oracle'; there are: charts, filters, scenes",
        ),
        (
            FaultCode.UNKNOWN_NODE,
            ["s.search -> f.clean", "s.search -> ff.clean"],
            {"s": "scenes", "f": "filters"},
            "7: link s.search -> ff.clean: there is no node 'ff'; did you mean 'f'?",
        ),
        (
            FaultCode.UNKNOWN_OPERATION,
            ["s.find -> f.clean"],
            {"s": "scenes", "f": "filters"},
            "6: link s.find -> f.clean: node s has no operation 'find'; did you mean 'search'?",
        ),
        (
            FaultCode.STRUCTURE,
            ["s.search -> f.clean.name"],
            {"s": "scenes", "f": "filters"},
            (
                "6: link s.search -> f.clean.name: s.search sends fake.scenes.Scene, f.clean.name "
                "takes single string: their types differ"
            ),
        ),
        (
            FaultCode.LINK_INTO_SOURCE,
            ["s.search -> f.clean", "f.clean -> s.search"],
            {"s": "scenes", "f": "filters"},
            (
                "7: link f.clean -> s.search: s.search is a source: its input "
                "fake.scenes.Nothing has no fields"
            ),
        ),
        (
            FaultCode.LINK_FROM_SINK,
            ["s.search -> c.measure", "c.measure -> c.draw", "c.draw -> d.measure"],
            {"s": "scenes", "c": "charts", "d": "charts"},
            (
                "9: link c.draw -> d.measure: c.draw is a sink: its output "
                "fake.charts.Empty has no fields"
            ),
        ),
        (
            FaultCode.SELF_LINK,
            ["s.search -> f.clean", "f.clean -> f.clean"],
            {"s": "scenes", "f": "filters"},
            "7: link f.clean -> f.clean: leads from an operation to itself",
        ),
        (
            FaultCode.DUPLICATE_LINK,
            ["s.search -> f.clean", "s.search->f.clean"],
            {"s": "scenes", "f": "filters"},
            "7: link s.search -> f.clean: is there already, in line 6",
        ),
        (
            FaultCode.STRUCTURE,
            ["s.search -> c.draw"],
            {"s": "scenes", "c": "charts"},
            (
                "6: link s.search -> c.draw: s.search sends fake.scenes.Scene, c.draw takes "
                "fake.charts.Table: field 2 (images: repeated fake.scenes.Image) is sent, "
                "2 (mean: single double) is expected"
            ),
        ),
        (
            FaultCode.MEANING,
            ["s.search -> f.align"],
            {"s": "scenes", "f": "filters"},
            "6: link s.search -> f.align: s.search emits optical, f.align accepts reflectance",
        ),
        (
            FaultCode.UNLINKED_INPUT,
            ["s.search -> f.clean", "c.measure -> c.draw"],
            {"s": "scenes", "f": "filters", "c": "charts"},
            "5: node c, operation measure: nothing is linked to its input (fake.charts.Scene)",
        ),
        (
            FaultCode.ISOLATED_NODE,
            ["s.search -> f.clean"],
            {"s": "scenes", "f": "filters", "other": "scenes"},
            "5: node other: none of its operations is linked",
        ),
        (
            FaultCode.NAME,
            ["s.search -> orchestrator.clean"],
            {"s": "scenes", "orchestrator": "filters"},
            "4: node orchestrator: the name is reserved",
        ),
    ],
)
def test_one_mistake_is_one_fault(
    registry: Registry, code: FaultCode, links: list[str], nodes: dict[str, str], fault: str
) -> None:
    assert only(text_of(*links, **nodes), registry, code) == fault


def test_a_malformed_link_does_not_also_leave_its_ends_unlinked(registry: Registry) -> None:
    text = text_of("s.search - f.clean", s="scenes", f="filters")
    assert "is not of the form" in only(text, registry, FaultCode.LINK_SYNTAX)


def test_a_node_that_cannot_be_understood_is_one_fault(registry: Registry) -> None:
    text = text_of("s.search -> f.clean", s="5", f="filters")
    assert only(text, registry, FaultCode.FIELD).startswith("3: node s, component: 5")


def test_the_collections_of_a_parameter_must_be_accepted(registry: Registry) -> None:
    text = text_of("s.search -> f.clean", s="scenes", f="filters")
    (fault,) = faults(text, registry, "s.collections=[optical, radar]")
    assert str(fault) == ("link s.search -> f.clean: s.search emits radar, f.clean accepts optical")


CYCLE = """\
name: demo
nodes:
  s: {component: scenes, params: {catalogue: a}}
  a: {component: filters}
  b: {component: filters}
  c: {component: filters}
links:
  - s.search -> a.clean
  - a.clean -> b.align
  - b.align -> c.align
  - c.align -> b.align
"""


def test_a_cycle_is_shown_as_a_path(registry: Registry) -> None:
    (fault,) = faults(CYCLE, registry)
    assert fault.code is FaultCode.CYCLE
    assert fault.line == 10
    assert "b.align -> c.align -> b.align" in str(fault)


def test_cycles_may_be_allowed(registry: Registry) -> None:
    graph = composed(CYCLE, registry, cycles=True)
    assert [str(o) for o in graph.operations] == ["s.search", "a.clean", "b.align", "c.align"]


def test_two_operations_of_two_nodes_that_pass_on_to_each_other_are_no_cycle(
    registry: Registry,
) -> None:
    text = text_of(
        "s.search -> a.clean",
        "a.clean -> b.align",
        "b.align -> a.align",
        s="scenes",
        a="filters",
        b="filters",
    )
    assert [str(o) for o in composed(text, registry).operations] == [
        "s.search",
        "a.clean",
        "b.align",
        "a.align",
    ]


def test_a_pipeline_needs_a_source(registry: Registry) -> None:
    found = faults(text_of("a.clean -> b.align", a="filters", b="filters"), registry)
    assert {fault.code for fault in found} == {FaultCode.NO_SOURCE, FaultCode.UNLINKED_INPUT}
    (empty,) = faults("name: a\nnodes: {}", registry)
    assert str(empty) == "pipeline: it has no nodes"


def test_a_thousand_nodes_are_composed(registry: Registry) -> None:
    chain = [f"n{i}.align -> n{i + 1}.align" for i in range(998)]
    nodes = {f"n{i}": "filters" for i in range(999)}
    text = text_of("s.search -> n0.align", *chain, s="scenes", **nodes)
    graph = composed(text, registry, "s.collections=[reflectance]")
    assert len(graph.operations) == 1000
    assert str(graph.operations[-1]) == "n998.align"


def test_many_unknown_names_are_all_reported_but_few_have_a_suggestion(registry: Registry) -> None:
    nodes = {f"node{i}": "filters" for i in range(200)}
    links = [f"nude{i}.align -> node{i}.align" for i in range(200)]
    found = [
        fault
        for fault in faults(text_of(*links, **nodes), registry)
        if fault.code is FaultCode.UNKNOWN_NODE
    ]
    assert len(found) == 200
    assert 0 < sum(fault.suggestion is not None for fault in found) < 200
