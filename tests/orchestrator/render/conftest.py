from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from composer.graph import Graph, compose
from composer.pipeline import Pipeline
from composer.registry import Registry
from orchestrator.profiles import Profile, load_profile
from orchestrator.render import RenderOptions, render
from tests.composer.fakes import CHARTS, Shelf, put_usual_components

URL = "https://stac.example/v1"
IMAGE = "registry.example/others/viewer:2.1"

Objects = tuple[dict[str, Any], ...]


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    """The usual fake components, and `viewer`, which is only an image."""
    shelf = Shelf(tmp_path_factory.mktemp("components"))
    put_usual_components(shelf)
    source = CHARTS.replace("fake.charts", "fake.viewer")
    folder = shelf.put(
        "viewer", source, "fake.viewer.Charts", {"measure": {}, "draw": {}}, image=IMAGE
    )
    manifest = folder / "component.yaml"
    values = yaml.safe_load(manifest.read_text())
    del values["command"]
    manifest.write_text(yaml.safe_dump(values))
    found = Registry.discover([shelf.folder])
    assert not found.broken
    return found


@pytest.fixture
def make_graph(registry: Registry) -> Callable[..., Graph]:
    """A graph of scenes -> clean -> charts, with further fields for its nodes."""

    def make(
        name: str = "forest", catalogue: str = URL, chart: str = "charts", **nodes: dict[str, Any]
    ) -> Graph:
        values: dict[str, Any] = {
            "scenes": {"component": "scenes", "params": {"catalogue": catalogue}},
            "clean": {"component": "filters"},
            "charts": {"component": chart},
        }
        for node, fields in nodes.items():
            values[node] |= fields
        links = ["scenes.search -> clean.clean", "clean.clean -> charts.measure"]
        pipeline = Pipeline.model_validate({"name": name, "nodes": values, "links": links})
        return compose(pipeline, registry)

    return make


@pytest.fixture
def profile() -> Profile:
    """A site without data of its own, with answers to all questions."""
    answers = ["images.registry=registry.example/eo", "storage.storage_class=nfs"]
    return load_profile("plain", [*answers, "gpu.node_selector={}"])


@pytest.fixture
def creodias() -> Profile:
    return load_profile(
        "creodias",
        [
            "images.registry=registry.example/eo",
            "images.pull_secrets=[registry]",
            "storage.storage_class=nfs",
            "eodata.secret=eodata",
            "eodata.cidrs=[10.97.0.0/16]",
            "gpu.node_selector={group: gpu}",
        ],
    )


@pytest.fixture
def rendered(make_graph: Callable[..., Graph], profile: Profile) -> Objects:
    return render(make_graph(), profile, RenderOptions(namespace="eo"))


def one(objects: Objects, kind: str, name: str = "") -> dict[str, Any]:
    """The only object of a kind, or of a kind and name."""
    found = [o for o in objects if o["kind"] == kind and name in ("", o["metadata"]["name"])]
    assert len(found) == 1, [(o["kind"], o["metadata"]["name"]) for o in objects]
    return found[0]


def container(objects: Objects, node: str, deployment: str = "forest") -> dict[str, Any]:
    """The container of a node."""
    pod = one(objects, "Deployment", f"{deployment}--{node}")["spec"]["template"]["spec"]
    (found,) = pod["containers"]
    return found


def environment(item: dict[str, Any]) -> dict[str, Any]:
    return {v["name"]: v.get("value", v.get("valueFrom")) for v in item["env"]}


ROOT = Path(__file__).parents[3]
