"""Splitters, Collators and DataMappers, by the links that are left when they are taken out."""

import json
from typing import Any

import pytest

from composer.blueprint import parse_blueprint
from composer.errors import SolutionError
from composer.mappers import Rewired, rewire
from tests.composer.solutions import blueprint, node, operation


def collated(source: str, tag: str, to: str, **fields: str) -> dict[str, Any]:
    line = {"source_name": source, "parameter_tag": tag, "mapped_to_field": to, **fields}
    return {"input_field": line}


def split(target: str, tag: str, mapped: str, **fields: str) -> dict[str, Any]:
    line = {"target_name": target, "parameter_tag": tag, "mapped_to_field": mapped, **fields}
    return {"output_field": line}


def collator(
    name: str, target: tuple[str, str], *lines: dict[str, Any], kind: str = "Parameter-based"
) -> dict[str, Any]:
    return node(
        name,
        operation("collate", "", "", target),
        node_type="Collator",
        collator_map={"collator_type": kind, "map_inputs": list(lines)},
    )


def splitter(
    name: str, targets: list[tuple[str, str]], *lines: dict[str, Any], kind: str = "Parameter-based"
) -> dict[str, Any]:
    return node(
        name,
        operation("split", "", "", *targets),
        node_type="Splitter",
        splitter_map={"splitter_type": kind, "map_outputs": list(lines)},
    )


def sender(name: str, *targets: str, rpc: str = "give") -> dict[str, Any]:
    verbs = {"c": "collate", "s": "split"}
    return node(name, operation(rpc, "", "", *((t, verbs.get(t[0], "take")) for t in targets)))


def taken_out(*nodes: dict[str, Any]) -> Rewired:
    return rewire(parse_blueprint(blueprint(*nodes)))


def links(rewired: Rewired) -> list[str]:
    def end(container: str, rpc: str, position: int | None) -> str:
        return f"{container}.{rpc}" + (f".{position}" if position is not None else "")

    return [
        f"{end(e.source, e.operation, e.source_position)} -> "
        f"{end(e.target, e.target_operation, e.target_position)}"
        for e in rewired.edges
    ]


def test_a_copying_splitter_is_plain_links() -> None:
    rewired = taken_out(
        sender("A", "s1"), splitter("S1", [("x", "take"), ("y", "take")], kind="Copy-based")
    )
    assert links(rewired) == ["a.give -> x.take", "a.give -> y.take"]
    assert rewired.warnings == []


def test_a_splitter_parts_a_message_by_its_fields() -> None:
    rewired = taken_out(
        sender("a", "s1"),
        splitter(
            "s1",
            [("X", "take"), ("y", "take")],
            split("x", "1", "3"),
            split("X", "2", "4"),
            split("y", "1", "5"),
            split("y", "2", ""),
        ),
    )
    assert links(rewired) == [
        "a.give.3 -> x.take.1",
        "a.give.4 -> x.take.2",
        "a.give.5 -> y.take.1",
    ]


def test_a_collator_joins_fields_of_several_senders() -> None:
    rewired = taken_out(
        sender("a", "c1"),
        sender("b", "c1"),
        collator("c1", ("x", "take"), collated("a", "1", "1"), collated("B", "2", "3")),
    )
    assert links(rewired) == ["a.give.1 -> x.take.1", "b.give.2 -> x.take.3"]


def test_an_array_collator_gathers_whole_messages() -> None:
    rewired = taken_out(
        sender("a", "c1"),
        sender("b", "c1"),
        collator(
            "c1", ("x", "take"), collated("a", "7", ""), collated("b", "", "2"), kind="Array-based"
        ),
    )
    assert links(rewired) == ["a.give -> x.take.1", "b.give -> x.take.2"]


def test_of_two_operations_of_a_sender_one_may_be_meant() -> None:
    two = node(
        "a", operation("f", "", "", ("c1", "collate")), operation("g", "", "", ("c1", "collate"))
    )
    only = collated("a", "1", "1", operation_name="g")
    assert links(taken_out(two, collator("c1", ("x", "take"), only))) == ["a.g.1 -> x.take.1"]


def test_chains_of_mappers_become_single_links() -> None:
    rewired = taken_out(
        sender("a", "s1"),
        splitter("s1", [("c1", "collate")], split("c1", "", "4")),
        sender("b", "c1"),
        collator("c1", ("s2", "split"), collated("s1", "", "2"), collated("b", "", "3")),
        splitter("s2", [("x", "take"), ("y", "take")], split("x", "", "2"), split("y", "9", "3")),
    )
    assert sorted(links(rewired)) == ["a.give.4 -> x.take", "b.give -> y.take.9"]
    assert rewired.warnings == []


def test_a_data_mapper_with_its_map() -> None:
    fields = [
        {"tag": "1", "mapped_to_message": "M", "mapped_to_field": "2"},
        {"tag": 2, "mapped_to_field": ""},
    ]
    mapper = node(
        "c1",
        operation("map", "", "", ("x", "take")),
        node_type="DataMapper",
        data_map={"map_inputs": [{"message_name": "N", "input_fields": fields}]},
    )
    assert links(taken_out(sender("a", "c1"), mapper)) == ["a.give.1 -> x.take.2"]


def test_an_input_without_a_source_is_a_literal() -> None:
    rewired = taken_out(
        sender("a", "c1"),
        collator(
            "c1",
            ("x", "take"),
            collated("a", "1", "1"),
            collated("", "", "2", other_attributes='{"low": 1.5}'),
            collated("", "", "3", other_attributes="plain text"),
        ),
    )
    assert [(lit.target, lit.operation, lit.position, lit.value) for lit in rewired.literals] == [
        ("x", "take", 2, {"low": 1.5}),
        ("x", "take", 3, "plain text"),
    ]


def test_a_field_within_a_field_is_left_out_with_a_warning() -> None:
    rewired = taken_out(
        sender("a", "s1"),
        splitter("s1", [("s2", "split")], split("s2", "", "4")),
        splitter("s2", [("x", "take")], split("x", "1", "2")),
    )
    assert links(rewired) == []
    assert any("a field within a field" in warning for warning in rewired.warnings)
    dotted = taken_out(sender("a", "c1"), collator("c1", ("x", "take"), collated("a", "1", "1.2")))
    assert any("'1.2' is not the number of a field" in warning for warning in dotted.warnings)


def test_mappers_that_lead_nowhere_are_left_out_with_a_warning() -> None:
    loop = taken_out(
        sender("a", "s1"),
        splitter("s1", [("s2", "split")], kind="Copy-based"),
        splitter("s2", [("s1", "split"), ("s2", "split")], kind="Copy-based"),
    )
    assert links(loop) == []
    assert loop.warnings


def test_joins_without_bound_are_refused() -> None:
    senders = [sender(f"a{i}", "s1") for i in range(200)]
    receivers = [(f"x{i}", "take") for i in range(200)]
    with pytest.raises(SolutionError, match="more than 10000 links"):
        taken_out(*senders, splitter("s1", receivers, kind="Copy-based"))
    lines = [split("x", "1", "2")] * 200
    with pytest.raises(SolutionError, match="joins too many links"):
        taken_out(*senders, splitter("s1", receivers, *lines))


def test_numbers_of_fields_may_be_numbers_in_json() -> None:
    line = collated("a", "1", "1")
    line["input_field"]["parameter_tag"] = 5  # type: ignore[index]  # a row of a table
    text = blueprint(sender("a", "c1"), collator("c1", ("x", "take"), line))
    assert json.loads(text)
    assert links(rewire(parse_blueprint(text))) == ["a.give.5 -> x.take.1"]
