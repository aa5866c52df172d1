"""The exported folder, as kubectl reads it."""

import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from composer.graph import Graph
from orchestrator.errors import RenderError
from orchestrator.profiles import Profile, load_profile
from orchestrator.render import RenderOptions, render
from orchestrator.render.checks import Reference, check, external_objects
from orchestrator.render.kustomize import PROFILE_LABEL, export_kustomize
from orchestrator.render.objects import run_of
from tests.data import require
from tests.orchestrator.render.conftest import ROOT

MakeGraph = Callable[..., Graph]
Object = dict[str, Any]


def build(folder: Path) -> list[Object]:
    require("kubectl")
    answer = subprocess.run(
        ["kubectl", "kustomize", str(folder)], capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr
    return [item for item in yaml.safe_load_all(answer.stdout) if item]


def write(files: Mapping[str, str], folder: Path) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def by_name(items: Any) -> dict[tuple[str, str], Object]:
    """Objects by kind and name; a Job is told by its kind, as its name is a hash."""
    found = {}
    for item in items:
        name = "" if item["kind"] == "Job" else item["metadata"]["name"]
        metadata = {k: v for k, v in item["metadata"].items() if k != "name"}
        labels = {k: v for k, v in metadata["labels"].items() if k != PROFILE_LABEL}
        found[item["kind"], name] = {**item, "metadata": {**metadata, "labels": labels}}
    return found


@pytest.mark.parametrize("site", ["creodias", "kind", "claim", "bucket"])
def test_an_overlay_is_what_is_rendered_for_the_site(
    site: str, make_graph: MakeGraph, creodias: Profile, tmp_path: Path
):
    others = {
        "creodias": creodias,
        "kind": load_profile("kind", ["gpu.node_selector={}"]),
        "claim": load_profile("kind", ["storage.claim=ours", "name=claim", "gpu.node_selector={}"]),
        "bucket": load_profile(
            "kind",
            [
                "name=bucket",
                "gpu.node_selector={}",
                "storage.volume={driver: ru.yandex.s3.csi, handle: 'eo/{deployment}'}",
                "tls={components: components-tls, orchestrator: orchestrator-tls}",
            ],
        ),
    }
    graph = make_graph(chart="viewer", clean={"replicas": 2, "resources": {"gpu": 1}})
    options = RenderOptions(namespace="eo")
    files = export_kustomize(graph, [*others.values()], options)
    write(files, tmp_path)
    found = build(tmp_path / "overlays" / site)
    run = next(
        item["metadata"]["annotations"]["eoloom.org/run"]
        for item in found
        if item["kind"] == "ConfigMap"
    )
    wanted = render(graph, others[site], RenderOptions(run=run, claim_namespace="eo"))
    for item in wanted:
        if item["kind"] != "PersistentVolume":
            item["metadata"]["namespace"] = "eo"
    assert by_name(found) == by_name(wanted)
    assert not check(found, external=external_objects(others[site]))


def test_the_project_of_an_overlay_is_made_apart(
    make_graph: MakeGraph, profile: Profile, tmp_path: Path
):
    write(export_kustomize(make_graph(), [profile], RenderOptions(namespace="eo")), tmp_path)
    found = build(tmp_path / "overlays" / "plain" / "project")
    assert [item["kind"] for item in found] == ["Namespace", "LimitRange"]
    assert not check(found)


def test_two_overlays_of_one_name_are_refused(make_graph: MakeGraph, profile: Profile):
    with pytest.raises(RenderError, match="plain, plain"):
        export_kustomize(make_graph(), [profile, profile], RenderOptions())


def test_addresses_hold_in_every_namespace(make_graph: MakeGraph, profile: Profile):
    files = export_kustomize(make_graph(), [profile], RenderOptions(namespace="eo"))
    assert "dns:///forest--clean:8061" in files["base/pipeline.yaml"]
    assert "namespace: eo" in files["overlays/plain/kustomization.yaml"]
    assert "namespace" not in files["base/nodes/clean.yaml"]


def test_every_file_belongs_to_a_kustomization_and_exists(make_graph: MakeGraph, creodias: Profile):
    files = export_kustomize(make_graph(), [creodias], RenderOptions())
    named = set()
    for path, text in files.items():
        if path.endswith("kustomization.yaml"):
            folder = path.rpartition("/")[0]
            content = yaml.safe_load(text)
            assert content["kind"] == "Kustomization"
            patches = [patch["path"] for patch in content.get("patches", ())]
            named |= {f"{folder}/{name}" for name in [*content["resources"], *patches]}
    exported = {p for p in files if not p.endswith("kustomization.yaml")} - {"README.md"}
    assert named - {"overlays/creodias/../../base"} == exported


def test_the_pipeline_can_be_read_in_the_folder(make_graph: MakeGraph, profile: Profile):
    text = export_kustomize(make_graph(), [profile], RenderOptions())["base/pipeline.yaml"]
    assert "  pipeline.yaml: |\n    name: forest\n" in text
    assert "&id" not in "".join(export_kustomize(make_graph(), [profile], RenderOptions()).values())


def test_a_run_is_the_same_at_every_site(
    make_graph: MakeGraph, profile: Profile, creodias: Profile
):
    files = export_kustomize(make_graph(), [profile, creodias], RenderOptions())
    assert not [path for path in files if "patches/configmap" in path]
    assert not [text for path, text in files.items() if "/patches/" in path and "subPath" in text]
    base = list(yaml.safe_load_all(files["base/pipeline.yaml"]))
    assert run_of(tuple(base))


# The platform's own manifests.

SECRETS = {
    "kind": {"orchestrator-tls", "orchestrator-database", "orchestrator-tokens", "postgresql"},
    "creodias": {
        "orchestrator-tls",
        "orchestrator-database",
        "orchestrator-oidc",
        "orchestrator-ingress-tls",
        "postgresql",
        "registry",
    },
}


@pytest.mark.parametrize("overlay", SECRETS)
def test_the_platform_is_valid_and_needs_the_secrets_that_the_manual_lists(overlay: str):
    found = build(ROOT / "k8s" / "overlays" / overlay)
    external = {Reference("Secret", name) for name in SECRETS[overlay]}
    assert [str(finding) for finding in check(found, external=external)] == []
    missing = {str(finding).rpartition(" ")[2] for finding in check(found)}
    assert missing == SECRETS[overlay]
    manual = (ROOT / "docs" / "kubernetes.md").read_text()
    assert not [name for name in SECRETS[overlay] if name not in manual]


def test_the_page_is_valid_beside_the_platform():
    found = build(ROOT / "k8s" / "overlays" / "creodias")
    page = list(yaml.safe_load_all((ROOT / "k8s/components/ui/ui.yaml").read_text()))
    secrets = {*SECRETS["creodias"], "ui-oidc", "ui-ingress-tls"}
    external = {Reference("Secret", name) for name in secrets}
    assert [str(f) for f in check([*found, *page], external=external)] == []


def test_a_gateway_takes_the_place_of_the_ingresses(tmp_path: Path):
    shutil.copytree(ROOT / "k8s", tmp_path / "k8s")
    folder = tmp_path / "k8s" / "overlays" / "gateway"
    folder.mkdir()
    components = ["postgresql", "ui", "gateway/orchestrator", "gateway/ui"]
    content = {
        "resources": ["../../base"],
        "components": [f"../../components/{name}" for name in components],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(content))
    found = build(folder)
    assert not [item for item in found if item["kind"] == "Ingress"]
    ports = {
        (item["metadata"]["name"], port["port"])
        for item in found
        if item["kind"] == "Service"
        for port in item["spec"]["ports"]
    }
    routes = [item for item in found if item["kind"].endswith("Route")]
    backends = [rule["backendRefs"][0] for item in routes for rule in item["spec"]["rules"]]
    assert {(each["name"], each["port"]) for each in backends} <= ports
    assert {item["metadata"]["namespace"] for item in routes} == {"eoloom"}
    assert len(routes) == 2


def test_a_project_lets_people_deploy_and_nobody_read_a_secret():
    found = build(ROOT / "k8s" / "project")
    assert [str(finding) for finding in check(found)] == []
    roles = {item["metadata"]["name"]: item for item in found if item["kind"] == "Role"}
    rules = [rule for role in roles.values() for rule in role["rules"]]
    assert not {resource for rule in rules for resource in rule["resources"]} & {"*", "secrets"}
    assert not {verb for rule in rules for verb in rule["verbs"]} & {"*", "escalate", "bind"}
    # The platform asks nothing of the cluster's API.
    subjects = [s for item in found if item["kind"] == "RoleBinding" for s in item["subjects"]]
    assert {subject["kind"] for subject in subjects} == {"Group"}
    deployer = {r for rule in roles["eoloom-deployer"]["rules"] for r in rule["resources"]}
    assert "pods/exec" not in deployer
    platform = build(ROOT / "k8s" / "overlays" / "creodias")
    pods = [item["spec"]["template"]["spec"] for item in platform if item["kind"] == "Deployment"]
    assert [pod["automountServiceAccountToken"] for pod in pods] == [False]


def test_a_project_allows_every_kind_that_is_rendered(make_graph: MakeGraph, creodias: Profile):
    (role,) = [
        item
        for item in yaml.safe_load_all((ROOT / "k8s/project/rbac.yaml").read_text())
        if item["kind"] == "Role" and item["metadata"]["name"] == "eoloom-deployer"
    ]
    allowed = {
        (group, resource)
        for rule in role["rules"]
        if {"create", "patch", "delete"} <= set(rule["verbs"])
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    graph = make_graph(clean={"replicas": 2})
    for item in render(graph, creodias, RenderOptions(max_replicas=4)):
        kind = item["kind"].lower()
        plural = kind[:-1] + "ies" if kind.endswith("y") else kind + "s"
        assert (item["apiVersion"].rpartition("/")[0], plural) in allowed
