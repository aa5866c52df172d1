"""Preparing a deployment, without a cluster and without a browser."""

from __future__ import annotations

import io
import zipfile

import pytest

from composer.graph import Graph
from composer.registry import Registry
from orchestrator.settings import OrchestratorSettings
from tests.data import ROOT
from ui.deploying import Site, archive, object_views, prepare, saved_graph
from ui.exports.formats import Format

ANSWERS = {"images.registry": "registry.example/eo", "storage.storage_class": "nfs"}


@pytest.fixture(scope="module")
def graph() -> Graph:
    text = (ROOT / "examples" / "demo.yaml").read_text()
    return saved_graph(text, "demo, version 1", Registry.discover())


def test_what_a_profile_leaves_open_is_asked_for(graph: Graph) -> None:
    prepared = prepare(graph, Site("plain"))
    assert {question.field for question in prepared.questions} >= {"storage.storage_class"}
    assert all(question.hint for question in prepared.questions)
    assert not prepared.can_be_deployed


def test_with_the_answers_there_are_objects_without_findings(graph: Graph) -> None:
    prepared = prepare(graph, Site("plain", ANSWERS, name="mine", namespace="eo"))
    assert prepared.can_be_deployed
    views = object_views(prepared.objects)
    assert {"clean", "change", "scenes"} <= {view.node for view in views}
    deployment = next(v for v in views if v.kind == "Deployment" and v.node == "clean")
    assert "namespace: eo" in deployment.text


def test_a_wrong_answer_is_a_failure_in_words(graph: Graph) -> None:
    prepared = prepare(graph, Site("plain", ANSWERS | {"storage.size": "much"}))
    assert "storage.size" in prepared.failure
    assert not prepared.can_be_deployed


def test_secrets_are_not_shown() -> None:
    secret = {
        "kind": "Secret",
        "metadata": {"name": "keys"},
        "stringData": {"secret_key": "hush"},
    }
    (view,) = object_views([secret])
    assert "hush" not in view.text
    assert "secret_key" in view.text


@pytest.mark.parametrize(
    ("chosen", "file"),
    [(Format.KUSTOMIZE, "base/kustomization.yaml"), (Format.COMPOSE, "docker-compose.yaml")],
)
def test_the_folder_can_be_downloaded(graph: Graph, chosen: Format, file: str) -> None:
    content, _ = archive(graph, chosen, OrchestratorSettings(), Site("kind"))
    assert file in zipfile.ZipFile(io.BytesIO(content)).namelist()
