"""How long a pipeline takes to become Kubernetes objects, and these to be checked.

    python benchmarks/render.py [--nodes 200] [--times 5]

Prints the median of several times, and what each step takes of the whole.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

from composer.graph import Graph, compose
from composer.pipeline import Pipeline
from composer.registry import Registry
from orchestrator.profiles import load_profile
from orchestrator.render import RenderOptions, render
from orchestrator.render.checks import check, external_objects
from orchestrator.render.kustomize import export_kustomize

ANSWERS = ["images.registry=registry.example/eo", "storage.storage_class=nfs"]


def wide_pipeline(nodes: int) -> Graph:
    """Return a pipeline of so many nodes: one source, and a chain of two behind it again and again.

    Built-in components only, with data from outside, so that every kind of policy is made.
    """
    values: dict[str, Any] = {
        "scenes": {"component": "stac-source", "params": {"catalogue": "https://stac.example/v1"}}
    }
    links = []
    for number in range((nodes - 1) // 2):
        values[f"clean-{number}"] = {"component": "s2-preprocess", "replicas": 2}
        values[f"change-{number}"] = {"component": "s2-change"}
        links.append(f"scenes.search -> clean-{number}.prepare")
        links.append(f"clean-{number}.prepare -> change-{number}.detect")
    if len(values) < nodes:
        values["last"] = {"component": "s2-preprocess"}
        links.append("scenes.search -> last.prepare")
    pipeline = Pipeline.model_validate({"name": "wide", "nodes": values, "links": links})
    return compose(pipeline, Registry.discover([]))


def median_s(work: Callable[[], object], times: int) -> float:
    """Return the median duration of a piece of work."""
    durations = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        durations.append(time.perf_counter() - start)
    return statistics.median(durations)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--nodes", type=int, default=200)
    parser.add_argument("--times", type=int, default=5)
    arguments = parser.parse_args()
    graph = wide_pipeline(arguments.nodes)
    profile = load_profile("plain", ANSWERS)
    options = RenderOptions(namespace="eo")
    objects = render(graph, profile, options)
    external = external_objects(profile)
    findings = check(objects, external=external)
    steps: dict[str, Callable[[], object]] = {
        "render": lambda: render(graph, profile, options),
        "check": lambda: check(objects, external=external),
        "export to kustomize": lambda: export_kustomize(graph, [profile], options),
    }
    print(f"{len(graph.nodes)} nodes, {len(objects)} objects, {len(findings)} findings")
    for name, work in steps.items():
        print(f"{name:<20} {median_s(work, arguments.times):7.3f} s")


if __name__ == "__main__":
    main()
