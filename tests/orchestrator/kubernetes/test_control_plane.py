"""The same as against the fake, against a real API server with its controllers.

This is what keeps the fake honest: conflicts, owners, quotas, roles and watches are the real ones.
"""

import gc
import itertools
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from orchestrator.backends.kubernetes.apply import Deployer
from orchestrator.backends.kubernetes.cluster import Cluster
from orchestrator.backends.kubernetes.deployments import deployed, scale, undeploy
from orchestrator.backends.kubernetes.errors import (
    ClusterAccessError,
    FieldConflictError,
    QuotaExceededError,
    WatchExpiredError,
)
from orchestrator.backends.kubernetes.objects import ObjectKey
from orchestrator.backends.kubernetes.readiness import Readiness, wait_until_ready
from orchestrator.backends.kubernetes.watching import _events
from tests.data import ROOT, cluster_folder, require
from tests.orchestrator.kubernetes.control_plane import (
    ControlPlane,
    Kubelet,
    documents_of,
    make_namespace,
    wait_for,
)
from tests.orchestrator.kubernetes.manifests import NAME, deployment_objects

_NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    require("control-plane")
    with ControlPlane(cluster_folder(), tmp_path_factory.mktemp("control-plane")) as found:
        yield found
    # Watches end with the server; their connections are to be closed before the tests are.
    for thread in threading.enumerate():
        if thread.name.startswith("watch-"):
            thread.join(10)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture
def cluster(control_plane: ControlPlane) -> Iterator[Cluster]:
    """A namespace of its own, as its administrator."""
    with closing(control_plane.connect("admin", f"eo-{next(_NUMBERS)}")) as found:
        make_namespace(found, found.namespace)
        yield found


@pytest.fixture
def kubelet(cluster: Cluster) -> Iterator[Kubelet]:
    with Kubelet(cluster) as found:
        yield found


def names(cluster: Cluster, api_version: str, kind: str) -> list[str]:
    found, _ = cluster.list(cluster.resource(api_version, kind))
    return sorted(each["metadata"]["name"] for each in found)


def test_deploy_wait_deploy_again_and_undeploy(cluster: Cluster, kubelet: Kubelet) -> None:
    objects = deployment_objects(run="fires-run-1")
    assert {change.action for change in Deployer(cluster, objects).preview()} == {"create"}
    assert names(cluster, "apps/v1", "Deployment") == []
    Deployer(cluster, objects).apply()
    found = wait_until_ready(cluster, NAME, timeout_s=30)
    assert found.is_ready, found
    assert [each.name for each in deployed(cluster)] == [NAME]
    pods = names(cluster, "v1", "Pod")
    assert {change.action for change in Deployer(cluster, objects).apply()} == {"unchanged"}
    assert names(cluster, "v1", "Pod") == pods
    removal = undeploy(cluster, NAME, timeout_s=60)
    assert [str(key) for key in removal.kept] == ["PersistentVolumeClaim/fires"]
    for kind in (("v1", "Pod"), ("apps/v1", "ReplicaSet"), ("batch/v1", "Job")):
        assert names(cluster, *kind) == []
    assert names(cluster, "v1", "PersistentVolumeClaim") == [NAME]
    undeployed = Deployer(cluster, objects).preview()
    assert [str(each.key) for each in undeployed if each.action == "unchanged"] == [
        "PersistentVolumeClaim/fires"
    ]


def test_deleting_the_root_alone_removes_all_but_the_claim(
    cluster: Cluster, kubelet: Kubelet
) -> None:
    Deployer(cluster, deployment_objects()).apply()
    wait_until_ready(cluster, NAME, timeout_s=30)
    cluster.delete(ObjectKey("v1", "ConfigMap", cluster.namespace, NAME))
    wait_for(lambda: not names(cluster, "v1", "Pod") and not names(cluster, "v1", "Service"))
    assert names(cluster, "v1", "PersistentVolumeClaim") == [NAME]


def test_a_changed_deployment_rolls_over_and_prunes(cluster: Cluster, kubelet: Kubelet) -> None:
    Deployer(cluster, deployment_objects()).apply()
    wait_until_ready(cluster, NAME, timeout_s=30)
    changed = deployment_objects(("clean",), image="registry.example/eo/x:2", replicas=2)
    previewed = [(change.key, change.action) for change in Deployer(cluster, changed).preview()]
    applied = [(change.key, change.action) for change in Deployer(cluster, changed).apply()]
    assert applied == previewed
    found = wait_until_ready(cluster, NAME, timeout_s=30)
    assert {node.node: node.ready for node in found.nodes} == {"clean": 2}
    assert names(cluster, "v1", "Service") == ["fires--clean"]


def test_conflicts_name_field_and_manager_and_scaling_is_taken_back(
    cluster: Cluster, kubelet: Kubelet
) -> None:
    Deployer(cluster, deployment_objects(("clean",))).apply()
    scale(cluster, NAME, "clean", 3)
    found = wait_until_ready(cluster, NAME, timeout_s=30)
    assert {node.node: node.ready for node in found.nodes} == {"clean": 3}
    Deployer(cluster, deployment_objects(("clean",))).apply()
    key = ObjectKey("apps/v1", "Deployment", cluster.namespace, "fires--clean")
    assert (cluster.get(key) or {})["spec"]["replicas"] == 1
    container = {"name": "component", "image": "mine:1"}
    path = cluster.resource("apps/v1", "Deployment").path(cluster.namespace, "fires--clean")
    cluster.request(
        "PATCH",
        path,
        query={"fieldManager": "kubectl-edit"},
        body={"spec": {"template": {"spec": {"containers": [container]}}}},
        content_type="application/strategic-merge-patch+json",
    )
    with pytest.raises(FieldConflictError, match=r"\[name=\"component\"\].image by kubectl-edit"):
        Deployer(cluster, deployment_objects(("clean",))).preview()
    # Replicas that somebody else has set stay theirs.
    cluster.request(
        "PATCH",
        path,
        query={"fieldManager": "an-autoscaler"},
        body={"spec": {"replicas": 2}},
        content_type="application/merge-patch+json",
    )
    changes = Deployer(cluster, deployment_objects(("clean",), image="mine:1")).apply()
    (note,) = [note for change in changes for note in change.notes]
    assert note == "replicas stay at 2, as an-autoscaler has set them, not 1"


def test_a_quota_is_respected_and_its_refusal_is_said(cluster: Cluster, kubelet: Kubelet) -> None:
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "project", "namespace": cluster.namespace},
        "spec": {"hard": {"requests.cpu": "1", "pods": "5"}},
    }
    cluster.apply(quota)
    key = ObjectKey("v1", "ResourceQuota", cluster.namespace, "project")
    wait_for(lambda: "used" in (cluster.get(key) or {}).get("status", {}))
    objects = deployment_objects(("clean",), replicas=3)
    with pytest.raises(QuotaExceededError, match=r"requests.cpu: asked 1.5, free 1 of 1"):
        Deployer(cluster, objects).preview()
    Deployer(cluster, objects).apply()  # without asking the quota first
    found = wait_until_ready(cluster, NAME, timeout_s=5)
    (reason,) = [each for each in found.reasons if "quota" in each.text]
    assert reason.subject == "clean"
    assert "exceeded quota: project" in reason.text


def test_what_no_node_has_is_said(cluster: Cluster, kubelet: Kubelet) -> None:
    Deployer(cluster, deployment_objects(("clean",), cpu="64")).apply()
    found = wait_until_ready(cluster, NAME, timeout_s=5)
    (reason,) = found.reasons
    assert reason.text.startswith("no node has enough free cpu (0/1 nodes are available")


def test_what_the_kubelet_says_is_told(cluster: Cluster, kubelet: Kubelet) -> None:
    kubelet.waiting["clean"] = "ErrImageNeverPull"
    Deployer(cluster, deployment_objects()).apply()
    found = wait_until_ready(cluster, NAME, timeout_s=30, patience_s=1)
    assert found.is_hopeless
    assert any("pull policy is Never" in reason.text for reason in found.reasons)


def test_a_restart_of_the_api_server_is_outlived(
    cluster: Cluster, kubelet: Kubelet, control_plane: ControlPlane
) -> None:
    """Watches break off, and go on from a list: the new server forgets what was before it."""
    kubelet.waiting["clean"] = "ContainerCreating"
    Deployer(cluster, deployment_objects()).apply()
    found: list[Readiness] = []
    wait = threading.Thread(
        target=lambda: found.append(wait_until_ready(cluster, NAME, timeout_s=90))
    )
    wait.start()
    time.sleep(2)
    control_plane.restart_api_server()
    with pytest.raises(WatchExpiredError):
        next(_events(cluster, cluster.resource("v1", "ConfigMap"), "", "2"))
    kubelet.waiting.clear()
    wait.join(90)
    assert [each.is_ready for each in found] == [True]


def test_the_role_of_the_documentation_is_enough(
    cluster: Cluster, kubelet: Kubelet, control_plane: ControlPlane
) -> None:
    with closing(control_plane.connect("user", cluster.namespace)) as user:
        with pytest.raises(ClusterAccessError, match=r'not allowed: .*User "user" cannot'):
            deployed(user)
        text = (ROOT / "docs" / "deploy.md").read_text()
        whole = [each for each in documents_of(text) if isinstance(each, dict)]
        roles = [each for each in whole if each["kind"] in {"Role", "RoleBinding"}]
        assert len(roles) == 2
        for role in roles:
            role["metadata"]["namespace"] = cluster.namespace
            for subject in role.get("subjects", []):
                subject["name"] = "user"
            cluster.apply(role)
        objects = deployment_objects(run="fires-run-1")
        Deployer(user, objects).preview()
        Deployer(user, objects).apply()
        assert wait_until_ready(user, NAME, timeout_s=30).is_ready
        scale(user, NAME, "clean", 2)
        Deployer(user, deployment_objects(("clean",), run="fires-run-1")).apply()
        undeploy(user, NAME, delete_results=True, timeout_s=60)
        assert deployed(user) == []


def test_an_api_server_with_its_own_certificate_is_checked(
    control_plane: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from orchestrator.backends.kubernetes.connection import connect

    text = control_plane.kubeconfig.read_text()
    lines = [line for line in text.splitlines() if "certificate-authority-data" not in line]
    (tmp_path / "config").write_text("\n".join(lines))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    with closing(connect()) as cluster, pytest.raises(ClusterAccessError, match="certificate"):
        deployed(cluster)


def test_a_volume_of_the_cluster_is_bound_kept_and_removed_with_its_claim(
    cluster: Cluster, kubelet: Kubelet
) -> None:
    volume = f"{cluster.namespace}--{NAME}"
    objects = [dict(each) for each in deployment_objects()]
    (claim,) = [each for each in objects if each["kind"] == "PersistentVolumeClaim"]
    claim["spec"] |= {"storageClassName": "", "volumeName": volume}
    objects.append(
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {
                "name": volume,
                "labels": claim["metadata"]["labels"],
                "annotations": claim["metadata"]["annotations"],
            },
            "spec": {
                "capacity": claim["spec"]["resources"]["requests"],
                "accessModes": claim["spec"]["accessModes"],
                "persistentVolumeReclaimPolicy": "Retain",
                "storageClassName": "",
                "claimRef": {
                    "apiVersion": "v1",
                    "kind": "PersistentVolumeClaim",
                    "namespace": cluster.namespace,
                    "name": NAME,
                },
                "csi": {"driver": "bucket.example", "volumeHandle": volume},
            },
        }
    )
    Deployer(cluster, objects).apply()
    key = ObjectKey("v1", "PersistentVolumeClaim", cluster.namespace, NAME)
    wait_for(lambda: ((cluster.get(key) or {}).get("status") or {}).get("phase") == "Bound")
    # The cluster has written into the reference to the claim: that is not ours to take back.
    changes = {str(change.key): change for change in Deployer(cluster, objects).preview()}
    assert changes[f"PersistentVolume/{volume}"].action == "unchanged"
    assert changes[f"PersistentVolumeClaim/{NAME}"].action == "unchanged"
    removal = undeploy(cluster, NAME, timeout_s=60)
    assert {str(kept) for kept in removal.kept} == {
        f"PersistentVolume/{volume}",
        f"PersistentVolumeClaim/{NAME}",
    }
    Deployer(cluster, objects).apply()
    wait_for(lambda: ((cluster.get(key) or {}).get("status") or {}).get("phase") == "Bound")
    undeploy(cluster, NAME, delete_results=True, timeout_s=60)
    assert cluster.get(key) is None
    assert cluster.get(ObjectKey("v1", "PersistentVolume", "", volume)) is None
