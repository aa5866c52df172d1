from itertools import pairwise

from composer.graph import Graph, compose
from composer.layout import layered_layout
from composer.pipeline_file import parse_pipeline
from composer.registry import Registry


def graph_of(registry: Registry, *links: str, cycles: bool = False) -> Graph:
    names = dict.fromkeys(end.split(".")[0] for link in links for end in link.split(" -> "))
    nodes = [f"  {name}: {{component: filters}}" for name in names if name != "s"]
    scenes = "  s: {component: scenes, params: {catalogue: a, collections: []}}"
    text = ["name: demo", "nodes:", *nodes, scenes, "links:", *(f"  - {link}" for link in links)]
    return compose(parse_pipeline("\n".join(text)), registry, cycles=cycles)


def test_links_lead_to_the_right(registry: Registry) -> None:
    links = ("s.search -> a.align", "a.align -> b.align", "s.search -> b.align")
    positions = layered_layout(graph_of(registry, *links))
    assert {name: position.column for name, position in positions.items()} == {
        "s": 0,
        "a": 1,
        "b": 2,
    }


def test_columns_are_centred_and_rows_apart(registry: Registry) -> None:
    links = [f"s.search -> {name}.align" for name in "abc"]
    positions = layered_layout(graph_of(registry, *links))
    rows = sorted(positions[name].row for name in "abc")
    assert rows == [-1, 0, 1]
    assert positions["s"].row == 0


def test_parallel_chains_do_not_cross(registry: Registry) -> None:
    starts = [f"s.search -> {name}1.align" for name in "abcd"]
    # Named so that the order of the file alone would cross them.
    chains = [f"{name}1.align -> {name}2.align" for name in "dcba"]
    positions = layered_layout(graph_of(registry, *starts, *chains))
    first = sorted("abcd", key=lambda name: positions[f"{name}1"].row)
    second = [positions[f"{name}2"].row for name in first]
    assert all(above < below for above, below in pairwise(second))


def test_nodes_that_feed_each_other_share_a_column(registry: Registry) -> None:
    links = ("s.search -> a.align", "a.align -> b.align", "b.align -> a.align")
    positions = layered_layout(graph_of(registry, *links, cycles=True))
    assert positions["a"].column == positions["b"].column == 1
    assert positions["a"].row != positions["b"].row
