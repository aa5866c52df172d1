"""Pipelines that the tests open: of the fakes, which take no time."""

from __future__ import annotations

from typing import Any


def chain() -> dict[str, Any]:
    """Return a pipeline of the fakes that can run."""
    return {
        "name": "chain",
        "nodes": {
            "scenes": {"component": "fake-scenes", "params": {"count": 3}},
            "clean": {"component": "fake-clean"},
            "change": {"component": "fake-change"},
        },
        "links": ["scenes.generate -> clean.prepare", "clean.prepare -> change.detect"],
        "positions": {
            "nodes": {
                "scenes": {"x": 0, "y": 0},
                "clean": {"x": 280, "y": 0},
                "change": {"x": 560, "y": 0},
            }
        },
    }


def unlinked() -> dict[str, Any]:
    """Return the fakes and `charts`, with no link among them."""
    document = chain()
    document["nodes"]["charts"] = {"component": "charts"}
    document["positions"]["nodes"]["charts"] = {"x": 280, "y": 220}
    return document | {"links": []}


def large(
    count: int, source: str = "fake-scenes", relay: str = "fake-clean", operation: str = "generate"
) -> dict[str, Any]:
    """Return chains of many nodes, ten in a row, that can run."""
    nodes: dict[str, Any] = {}
    links: list[str] = []
    sent, taken = operation, "prepare"
    for number in range(count):
        name = f"n{number}"
        if number % 10 == 0:
            nodes[name], sent, taken = {"component": source}, operation, "prepare"
            continue
        nodes[name] = {"component": relay}
        links.append(f"n{number - 1}.{sent} -> {name}.{taken}")
        sent, taken = taken, "align"
    places = {f"n{i}": {"x": i % 10 * 280, "y": i // 10 * 180} for i in range(count)}
    return {"name": "large", "nodes": nodes, "links": links, "positions": {"nodes": places}}
