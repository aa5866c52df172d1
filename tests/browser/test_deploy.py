"""The page for deployments, against the fake API server."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from composer.pipeline_file import load_pipeline
from tests.browser.browsing import Browsing
from tests.browser.conftest import NewContext
from tests.browser.served import Served
from tests.data import ROOT
from tests.fakes.kubernetes_api import FakeKubernetes
from tests.fakes.kubernetes_controllers import waiting
from ui.workspace import Workspace

Open = Callable[[Served], Browsing]

WITHIN_MS = 60_000
REFRESH_MS = 2_000
"""How often what is deployed is read again."""


@pytest.fixture
def open_page(new_context: NewContext) -> Iterator[Open]:
    tabs: list[Browsing] = []

    def opened(served: Served) -> Browsing:
        tabs.append(Browsing.open(new_context(), served.url, "deploy"))
        return tabs[-1]

    yield opened
    for tab in tabs:
        tab.assert_no_errors()


@pytest.fixture
def cluster() -> Iterator[FakeKubernetes]:
    with FakeKubernetes() as server:
        # What is rendered has to be allowed where pods are restricted.
        server.add_namespace("eo", restricted=True)
        yield server


def serve(folder: Path, monkeypatch: pytest.MonkeyPatch, kubeconfig: Path) -> Served:
    """Start a page that has the demonstration saved."""
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    served = Served(folder / "served")
    Workspace(served.workspace).save(load_pipeline(ROOT / "examples" / "demo.yaml").pipeline, 0)
    served.start()
    return served


@pytest.fixture
def page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cluster: FakeKubernetes
) -> Iterator[Served]:
    served = serve(tmp_path, monkeypatch, cluster.kubeconfig(tmp_path))
    yield served
    served.stop()


def test_a_pipeline_is_deployed_watched_scaled_and_removed(
    page: Served, cluster: FakeKubernetes, open_page: Open
) -> None:
    cluster.set_outcome("clean", waiting("ImagePullBackOff", "no such image"))
    tab = open_page(page)
    # What the profile leaves open is asked for.
    expect(tab.main).to_contain_text("Answer what the profile leaves open")
    tab.fill("images.registry", "registry.example/eo")
    tab.fill("storage.storage_class", "nfs")
    expect(tab.main).to_contain_text("the checks that need no cluster find nothing wrong")
    tab.assert_accessible()
    tab.button("What would change").click()
    expect(tab.main).to_contain_text("Nothing was changed", timeout=WITHIN_MS)
    expect(tab.text("what would change")).to_contain_text("+kind: NetworkPolicy")
    assert cluster.names("deployments") == []
    tab.page.get_by_role("button", name=re.compile("Deploy$")).click()
    expect(tab.main).to_contain_text("its image cannot be pulled", timeout=WITHIN_MS)
    tab.assert_accessible()
    cluster.controllers.outcomes.pop("clean")
    expect(tab.main).to_contain_text("1 of 1 ready", timeout=WITHIN_MS)
    tab.button("Scale").click()
    # It is still there, and still sends, when what is below it has been drawn again.
    tab.page.wait_for_timeout(2 * REFRESH_MS)
    tab.dialog.get_by_label("clean").fill("3")
    tab.dialog.get_by_label("clean").press("Tab")
    tab.dialog.get_by_role("button", name="Scale").click()
    expect(tab.main).to_contain_text("3 of 3 ready", timeout=WITHIN_MS)
    # What was told while deploying is not gone with the first look.
    expect(tab.main).to_contain_text("not pinned to a digest")
    tab.assert_accessible()
    # Which namespace is meant is said where it is the context's, too.
    tab.fill("Namespace", "")
    tab.settle()
    tab.button("Undeploy").click()
    expect(tab.dialog).to_contain_text("is removed from the namespace eo.")
    tab.dialog.get_by_role("button", name="Undeploy").click()
    expect(tab.main).to_contain_text("Nothing is deployed", timeout=WITHIN_MS)
    assert cluster.names("deployments") == []
    assert len(cluster.names("persistentvolumeclaims")) == 1


def test_without_a_cluster_the_objects_are_shown_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, open_page: Open
) -> None:
    served = serve(tmp_path, monkeypatch, tmp_path / "no-such-kubeconfig")
    try:
        tab = open_page(served)
        tab.choose("Profile of the site", "kind, one node")
        expect(tab.main).to_contain_text("the checks that need no cluster find nothing wrong")
        expect(tab.text("the object")).to_contain_text("apiVersion: v1")
        tab.button("What would change").click()
        expect(tab.page.get_by_role("alert")).to_contain_text("no-such-kubeconfig does not exist")
        with tab.page.expect_download() as downloading:
            tab.button("kustomize folder").click()
        names = zipfile.ZipFile(io.BytesIO(downloading.value.path().read_bytes())).namelist()
        assert "overlays/kind/kustomization.yaml" in names
        tab.section("What is deployed")
        expect(tab.page.get_by_role("alert")).to_contain_text("no-such-kubeconfig does not exist")
    finally:
        served.stop()
