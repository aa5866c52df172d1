"""Every example is a pipeline of the built-in components without a fault."""

from pathlib import Path

import pytest

from composer.graph import compose
from composer.pipeline_file import load_pipeline, parse_pipeline
from composer.registry import Registry

EXAMPLES = sorted((Path(__file__).resolve().parents[2] / "examples").glob("*.yaml"))


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry.discover()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_example_composes(path: Path, registry: Registry) -> None:
    graph = compose(load_pipeline(path), registry)
    assert graph.terminals, "it would have no results"
    assert graph.pipeline.title
    assert graph.pipeline.description


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_example_reads_back_as_it_was_written(path: Path) -> None:
    pipeline = load_pipeline(path).pipeline
    assert parse_pipeline(pipeline.to_yaml()).pipeline == pipeline


def test_a_catalogue_may_be_given_from_outside(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = next(path for path in EXAMPLES if path.stem == "s2_change")
    graph = compose(load_pipeline(path, ["scenes.catalogue=stac/catalog.json"]), registry)
    assert graph.nodes["scenes"].params["catalogue"] == f"{tmp_path}/stac/catalog.json"
