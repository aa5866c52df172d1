"""Preparing a deployment, without a cluster and without a browser."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from composer.graph import Graph
from composer.registry import Registry
from orchestrator.settings import OrchestratorSettings
from tests.data import ROOT
from tests.fakes.kubernetes_api import FakeKubernetes
from ui.deploying import (
    Site,
    archive,
    connected,
    deployer,
    object_views,
    own_deployments,
    prepare,
    require_own,
    saved_graph,
)
from ui.errors import UiError
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


def test_deployments_are_seen_and_touched_by_their_user_only(
    graph: Graph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FakeKubernetes() as server:
        server.add_namespace("eo", restricted=True)
        monkeypatch.setenv("KUBECONFIG", str(server.kubeconfig(tmp_path)))
        site = Site("plain", ANSWERS, name="mine", namespace="eo", user="ada")
        with connected("", "eo") as cluster:
            deployer(cluster, prepare(graph, site)).apply()
            assert [each.name for each in own_deployments(cluster, "ada")] == ["mine"]
            assert [each.name for each in own_deployments(cluster, None)] == ["mine"]
            assert own_deployments(cluster, "bob") == []
            for may in ("ada", None):
                require_own(cluster, "mine", may)
            require_own(cluster, "another", "bob")
            with pytest.raises(UiError, match="a deployment mine that is not yours"):
                require_own(cluster, "mine", "bob")
