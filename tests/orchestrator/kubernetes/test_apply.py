"""Applying, pruning, taking over and refusing, against the fake API server."""

import copy
from typing import Any

import pytest

from orchestrator.backends.kubernetes.apply import Deployer
from orchestrator.backends.kubernetes.changes import Action, Change
from orchestrator.backends.kubernetes.cluster import Cluster
from orchestrator.backends.kubernetes.connection import connect
from orchestrator.backends.kubernetes.deployments import deployed, scale, undeploy
from orchestrator.backends.kubernetes.errors import ClusterError, FieldConflictError
from orchestrator.backends.kubernetes.readiness import wait_until_ready
from orchestrator.render.checks import Reference
from tests.fakes.kubernetes_api import FakeKubernetes
from tests.fakes.kubernetes_controllers import failed, ready, succeeded
from tests.fakes.kubernetes_store import Key
from tests.orchestrator.kubernetes.manifests import NAME, deployment_objects


def actions(changes: list[Change]) -> dict[str, str]:
    return {str(change.key): str(change.action) for change in changes}


def pods(fake: FakeKubernetes) -> set[str]:
    return set(fake.names("pods"))


def test_preview_checks_with_the_cluster_and_changes_nothing(
    cluster: Cluster, fake: FakeKubernetes
) -> None:
    version = fake.store.version
    changes = Deployer(cluster, deployment_objects()).preview()
    assert set(actions(changes).values()) == {"create"}
    assert fake.store.version == version
    applies = [path for method, path in fake.requests if method == "PATCH"]
    assert len(applies) == len(changes) == 6
    assert all("dryRun=All" in path and "fieldManager=eoloom" in path for path in applies)


def test_all_objects_are_made_with_an_owner_except_the_claim(
    cluster: Cluster, fake: FakeKubernetes
) -> None:
    Deployer(cluster, deployment_objects()).apply()
    root = fake.store.get(Key("configmaps", "eo", NAME))
    for plural in ("services", "deployments"):
        for found in fake.store.of(plural):
            (owner,) = found["metadata"]["ownerReferences"]
            assert owner["uid"] == root["metadata"]["uid"]
    claim = fake.store.get(Key("persistentvolumeclaims", "eo", NAME))
    assert "ownerReferences" not in claim["metadata"]


def test_deploying_again_unchanged_makes_no_new_pods(
    cluster: Cluster, fake: FakeKubernetes
) -> None:
    objects = deployment_objects(run="fires-run-1")
    Deployer(cluster, objects).apply()
    wait_until_ready(cluster, NAME, timeout_s=5)
    before, version = pods(fake), fake.store.version
    changes = Deployer(cluster, objects).apply()
    assert set(actions(changes).values()) == {"unchanged"}
    assert pods(fake) == before
    assert fake.store.version == version


def test_a_changed_image_replaces_the_pods_of_that_node_only(
    cluster: Cluster, fake: FakeKubernetes
) -> None:
    objects = deployment_objects()
    Deployer(cluster, objects).apply()
    wait_until_ready(cluster, NAME, timeout_s=5)
    before = pods(fake)
    changed = copy.deepcopy(objects)
    changed[3]["spec"]["template"]["spec"]["containers"][0]["image"] = "registry.example/eo/x:2"
    changes = Deployer(cluster, changed).apply()
    assert [key for key, action in actions(changes).items() if action == "change"] == [
        "Deployment/fires--clean"
    ]
    (change,) = [change for change in changes if change.action is Action.CHANGE]
    lines = list(change.diff())
    assert "-        image: registry.example/eo/x:1" in "\n".join(lines).replace(
        "- image", "  image"
    )
    assert any(line.startswith("+") and "eo/x:2" in line for line in lines)
    wait_until_ready(cluster, NAME, timeout_s=5)
    kept = before & pods(fake)
    assert [name.startswith("fires--label") for name in kept] == [True]


def test_what_is_no_longer_part_is_pruned_and_the_claim_is_kept(
    cluster: Cluster, fake: FakeKubernetes
) -> None:
    Deployer(cluster, deployment_objects()).apply()
    without = tuple(
        each for each in deployment_objects(("clean",)) if each["kind"] != "PersistentVolumeClaim"
    )
    previewed = actions(Deployer(cluster, without).preview())
    assert fake.names("deployments") == ["fires--clean", "fires--label"]
    applied = actions(Deployer(cluster, without).apply())
    assert applied == previewed
    assert applied["Deployment/fires--label"] == applied["Service/fires--label"] == "prune"
    assert applied["PersistentVolumeClaim/fires"] == "keep"
    assert fake.names("deployments") == ["fires--clean"]
    assert fake.names("persistentvolumeclaims") == [NAME]


def test_pruning_that_failed_is_repeated_by_the_next_deployment(
    cluster: Cluster, fake: FakeKubernetes
) -> None:
    Deployer(cluster, deployment_objects()).apply()
    smaller = tuple(each for each in deployment_objects(("clean",)) if each["kind"] != "Service")
    fake.fail("DELETE", "services", 403)
    with pytest.raises(Exception, match="not allowed"):
        Deployer(cluster, smaller).apply()
    Deployer(cluster, smaller).apply()
    assert fake.names("services") == []


def test_other_deployments_of_the_namespace_are_left_alone(
    cluster: Cluster, fake: FakeKubernetes
) -> None:
    Deployer(cluster, deployment_objects(name="floods")).apply()
    Deployer(cluster, deployment_objects()).apply()
    Deployer(cluster, deployment_objects(("clean",))).apply()
    undeploy(cluster, NAME, timeout_s=10)
    assert fake.names("deployments") == ["floods--clean", "floods--label"]
    assert [each.name for each in deployed(cluster)] == ["floods"]


def test_an_object_of_somebody_else_is_not_taken_over(
    cluster: Cluster, fake: FakeKubernetes
) -> None:
    fake.store.create(Key("services", "eo", "fires--clean"), {"metadata": {}, "spec": {}})
    with pytest.raises(ClusterError, match=r"Service/fires--clean exists already .* was not made"):
        Deployer(cluster, deployment_objects()).preview()


def test_a_config_map_of_somebody_else_is_not_taken_over(
    cluster: Cluster, fake: FakeKubernetes
) -> None:
    fake.store.create(Key("configmaps", "eo", NAME), {"metadata": {}, "data": {}})
    with pytest.raises(ClusterError, match="ConfigMap/fires exists already"):
        Deployer(cluster, deployment_objects()).apply()


def test_a_field_that_another_keeps_is_a_conflict_that_names_both(
    cluster: Cluster, fake: FakeKubernetes
) -> None:
    Deployer(cluster, deployment_objects()).apply()
    path = ("spec", "template", "spec", "containers", ("name", "component"), "image")
    fake.store.edit(Key("deployments", "eo", "fires--clean"), path, "mine:1", "kubectl-edit")
    with pytest.raises(FieldConflictError, match=r"containers\[name=\"component\"\].image by kube"):
        Deployer(cluster, deployment_objects(image="registry.example/eo/x:2")).preview()


def test_a_deployment_takes_back_what_scaling_has_set(
    cluster: Cluster, fake: FakeKubernetes
) -> None:
    Deployer(cluster, deployment_objects()).apply()
    assert scale(cluster, NAME, "clean", 4) == 1
    assert fake.store.get(Key("deployments", "eo", "fires--clean"))["spec"]["replicas"] == 4
    changes = Deployer(cluster, deployment_objects(replicas=2)).apply()
    assert actions(changes)["Deployment/fires--clean"] == "change"
    assert fake.store.get(Key("deployments", "eo", "fires--clean"))["spec"]["replicas"] == 2


def test_replicas_that_an_autoscaler_has_set_stay(cluster: Cluster, fake: FakeKubernetes) -> None:
    Deployer(cluster, deployment_objects()).apply()
    key = Key("deployments", "eo", "fires--clean")
    fake.store.edit(key, ("spec", "replicas"), 7, "kube-controller-manager")
    changes = Deployer(cluster, deployment_objects(replicas=2)).apply()
    assert fake.store.get(key)["spec"]["replicas"] == 7
    (note,) = [note for change in changes for note in change.notes]
    assert note == "replicas stay at 7, as kube-controller-manager has set them, not 2"


def test_scaling_an_unknown_node_names_those_there_are(
    cluster: Cluster, fake: FakeKubernetes
) -> None:
    Deployer(cluster, deployment_objects()).apply()
    with pytest.raises(ClusterError, match="no node 'claen'; it has: clean, label"):
        scale(cluster, NAME, "claen", 2)


def test_a_run_at_work_is_not_removed_unless_asked(cluster: Cluster, fake: FakeKubernetes) -> None:
    Deployer(cluster, deployment_objects(run="fires-run-1")).apply()
    wait_until_ready(cluster, NAME, timeout_s=5)
    after = deployment_objects(run="fires-run-2")
    with pytest.raises(ClusterError, match=r"Job/fires-run-1 .* still at work"):
        Deployer(cluster, after).preview()
    changes = Deployer(cluster, after, stop_runs=True).apply()
    (note,) = [note for change in changes for note in change.notes]
    assert "still at work, and stopped" in note
    assert fake.names("jobs") == ["fires-run-2"]


def test_a_run_that_has_ended_makes_room_for_the_next(
    cluster: Cluster, fake: FakeKubernetes
) -> None:
    fake.set_outcome("orchestrator", succeeded())
    Deployer(cluster, deployment_objects(run="fires-run-1")).apply()
    assert wait_until_ready(cluster, NAME, timeout_s=5).is_ready
    Deployer(cluster, deployment_objects(run="fires-run-2")).apply()
    assert fake.names("jobs") == ["fires-run-2"]


def test_a_changed_job_is_replaced_only_when_it_has_ended(
    cluster: Cluster, fake: FakeKubernetes
) -> None:
    Deployer(cluster, deployment_objects(run="fires-run-1")).apply()
    wait_until_ready(cluster, NAME, timeout_s=5)
    changed = deployment_objects(run="fires-run-1", image="registry.example/eo/x:2")
    with pytest.raises(ClusterError, match="still at work, and a job cannot be changed"):
        Deployer(cluster, changed).apply()
    fake.set_outcome("orchestrator", succeeded())
    wait_until_ready(cluster, NAME, timeout_s=5)
    assert actions(Deployer(cluster, changed).preview())["Job/fires-run-1"] == "replace"
    Deployer(cluster, changed).apply()
    job = fake.store.get(Key("jobs", "eo", "fires-run-1"))
    assert job["spec"]["template"]["spec"]["containers"][0]["image"] == "registry.example/eo/x:2"


def test_deploying_the_same_again_goes_on_with_a_run_that_has_failed(
    cluster: Cluster, fake: FakeKubernetes
) -> None:
    fake.set_outcome("orchestrator", failed(1))
    Deployer(cluster, deployment_objects(run="fires-run-1")).apply()
    assert wait_until_ready(cluster, NAME, timeout_s=5).is_hopeless
    (name,) = fake.names("jobs")
    before = fake.store.get(Key("jobs", "eo", name))["metadata"]["uid"]
    again = Deployer(cluster, deployment_objects(run="fires-run-1"))
    (shown,) = [each for each in again.preview() if each.notes]
    assert (shown.key.name, shown.action) == (name, "replace")
    assert "it is tried again" in shown.notes[0]
    assert fake.store.get(Key("jobs", "eo", name))["metadata"]["uid"] == before
    again.apply()
    after = fake.store.get(Key("jobs", "eo", name))["metadata"]["uid"]
    assert after != before
    fake.set_outcome("orchestrator", succeeded())
    assert wait_until_ready(cluster, NAME, timeout_s=5).is_ready
    # One that has succeeded stays.
    assert actions(again.apply())[f"Job/{name}"] == "unchanged"
    assert fake.store.get(Key("jobs", "eo", name))["metadata"]["uid"] == after


def test_a_claim_that_cannot_be_changed_says_what_to_do(
    cluster: Cluster, fake: FakeKubernetes
) -> None:
    Deployer(cluster, deployment_objects()).apply()
    objects = deployment_objects()
    objects[1]["spec"]["storageClassName"] = "another"
    with pytest.raises(ClusterError, match=r"immutable\nPersistentVolumeClaim/fires is kept for"):
        Deployer(cluster, objects).preview()


def test_what_the_profile_names_has_to_be_there(cluster: Cluster, fake: FakeKubernetes) -> None:
    needs = [Reference("Secret", "eodata"), Reference("Secret", "pull"), Reference("X", "y")]
    fake.store.create(Key("secrets", "eo", "pull"), {"metadata": {}})
    with pytest.raises(ClusterError, match=r"lacks what the profile names: Secret/eodata$"):
        Deployer(cluster, deployment_objects(), needs=needs).preview()
    # Without the permission to read Secrets it goes on.
    fake.fail("GET", "secrets", 403, times=9)
    Deployer(cluster, deployment_objects(), needs=needs).preview()


def test_values_of_secrets_are_never_shown(cluster: Cluster, fake: FakeKubernetes) -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "keys"},
        "data": {"key": "c2VjcmV0"},
    }
    Deployer(cluster, (*deployment_objects(), secret)).apply()
    changed = secret | {"data": {"key": "b3RoZXI=", "more": "eA=="}}
    changes = Deployer(cluster, (*deployment_objects(), changed)).preview()
    (change,) = [each for each in changes if each.key.kind == "Secret"]
    lines = list(change.diff())
    assert "+  more: (hidden)" in lines
    assert not any("b3RoZXI=" in line or "c2VjcmV0" in line for line in lines)


def test_a_missing_namespace_says_what_to_do(fake: FakeKubernetes) -> None:
    with pytest.raises(ClusterError, match=r"no namespace forest: .*kubectl create namespace"):
        Deployer(connect(namespace="forest"), deployment_objects()).preview()


def test_pod_security_warnings_are_kept(cluster: Cluster, fake: FakeKubernetes) -> None:
    fake.add_namespace("eo", restricted=True)
    changes = Deployer(cluster, deployment_objects(("clean",), security={})).preview()
    (warning,) = [warning for change in changes for warning in change.warnings]
    assert warning.startswith('would violates PodSecurity "restricted:latest": allowPrivilege')


def test_what_the_schema_refuses_names_the_object(cluster: Cluster) -> None:
    objects = deployment_objects()
    broken: Any = copy.deepcopy(objects[3])
    broken["spec"]["replica"] = 3
    with pytest.raises(ClusterError, match=r"Deployment/fires--clean: .*replica"):
        Deployer(cluster, (*objects[:3], broken)).preview()


def test_pods_without_the_deployments_label_are_refused(cluster: Cluster) -> None:
    objects = deployment_objects()
    del objects[3]["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/instance"]
    with pytest.raises(ClusterError, match="Deployment/fires--clean: its pods need the label"):
        Deployer(cluster, objects)


def test_undeploy_removes_all_but_the_results(cluster: Cluster, fake: FakeKubernetes) -> None:
    Deployer(cluster, deployment_objects(run="fires-run-1")).apply()
    wait_until_ready(cluster, NAME, timeout_s=5)
    left: list[Any] = []
    removal = undeploy(cluster, NAME, timeout_s=10, tell=left.append)
    assert left
    assert [str(key) for key in removal.kept] == ["PersistentVolumeClaim/fires"]
    for plural in ("pods", "deployments", "services", "jobs", "configmaps"):
        assert fake.names(plural) == []
    assert fake.names("persistentvolumeclaims") == [NAME]
    with pytest.raises(ClusterError, match="no deployment 'fires'; it has: nothing"):
        undeploy(cluster, NAME)
    # A deployment of the same name finds the claim again.
    again = actions(Deployer(cluster, deployment_objects()).apply())
    assert again["PersistentVolumeClaim/fires"] == "unchanged"


def test_undeploy_deletes_results_when_asked(cluster: Cluster, fake: FakeKubernetes) -> None:
    Deployer(cluster, deployment_objects()).apply()
    removal = undeploy(cluster, NAME, delete_results=True, timeout_s=10)
    assert removal.kept == ()
    assert fake.names("persistentvolumeclaims") == []


def test_undeploy_says_what_does_not_go(cluster: Cluster, fake: FakeKubernetes) -> None:
    Deployer(cluster, deployment_objects(("clean",))).apply()
    fake.controllers.held.add("fires--clean")
    with pytest.raises(
        ClusterError, match=r"not gone after .*\n.*fires--clean, held by foreground"
    ):
        undeploy(cluster, NAME, timeout_s=0.3)


def test_deploying_while_it_is_removed_is_refused(cluster: Cluster, fake: FakeKubernetes) -> None:
    Deployer(cluster, deployment_objects()).apply()
    fake.controllers.held.add(NAME)
    fake.store.mark_deleted(Key("configmaps", "eo", NAME), "foregroundDeletion")
    with pytest.raises(ClusterError, match="just being removed"):
        Deployer(cluster, deployment_objects()).preview()


def test_long_lists_are_read_in_pages(cluster: Cluster, fake: FakeKubernetes) -> None:
    fake.page = 2
    fake.set_outcome("clean", ready())
    nodes = ("a", "b", "c", "d", "e")
    Deployer(cluster, deployment_objects(nodes)).apply()
    Deployer(cluster, deployment_objects(("a",))).apply()
    assert fake.names("deployments") == ["fires--a"]
    assert any("continue=2" in path for _, path in fake.requests)
