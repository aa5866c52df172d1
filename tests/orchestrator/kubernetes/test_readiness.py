"""Why a deployment is not ready, in a user's words with the cluster's behind them."""

import copy
import threading
import time
from decimal import Decimal

import pytest

from orchestrator.backends.kubernetes.apply import Deployer
from orchestrator.backends.kubernetes.cluster import Cluster
from orchestrator.backends.kubernetes.errors import QuotaExceededError
from orchestrator.backends.kubernetes.quota import demand_of, missing_room
from orchestrator.backends.kubernetes.readiness import Readiness, wait_until_ready
from orchestrator.backends.kubernetes.reasons import Reason, claim_reasons, workload_reasons
from tests.fakes.kubernetes_api import FakeKubernetes
from tests.fakes.kubernetes_controllers import (
    Outcome,
    crashing,
    failed,
    ready,
    refused,
    starting,
    succeeded,
    unhealthy,
    unschedulable,
    waiting,
)
from tests.fakes.kubernetes_store import Key
from tests.orchestrator.kubernetes.manifests import NAME, deployment_objects

BACK_OFF = 'Back-off pulling image "registry.example/eo/x:1"'
IMAGE = "registry.example/eo/x:1"


def deploy(cluster: Cluster, outcome: Outcome, fake: FakeKubernetes, **options: object) -> Reason:
    """Deploy a node with an outcome; return the only reason why it is not ready."""
    fake.set_outcome("clean", outcome)
    Deployer(cluster, deployment_objects(("clean",), **options)).apply()  # type: ignore[arg-type]
    found = wait_until_ready(cluster, NAME, timeout_s=0.5, patience_s=0.2)
    assert not found.is_ready
    (reason,) = found.reasons
    assert reason.subject == "clean"
    return reason


PULL_FAILURES = [
    pytest.param(
        'Failed to pull image "registry.example/eo/x:1": rpc error: code = NotFound desc = failed '
        "to pull and unpack image: registry.example/eo/x:1: not found",
        "there is no such image in the registry",
        "eoloom images push",
        False,
        id="not-found",
    ),
    pytest.param(
        'Failed to pull image "registry.example/eo/x:1": failed to authorize: 401 Unauthorized',
        "the registry does not let the cluster in",
        "images.pull_secrets",
        False,
        id="unauthorized",
    ),
    pytest.param(
        'Failed to pull image "registry.example/eo/x:1": dial tcp: lookup registry.example: '
        "no such host",
        "the node cannot reach the registry",
        "check its address",
        True,
        id="unreachable",
    ),
    pytest.param(
        'Failed to pull image "registry.example:4010/eo/x@sha256:9b401c": dial tcp: i/o timeout',
        "the node cannot reach the registry",
        "check its address",
        True,
        id="a-port-and-a-digest-are-no-status",
    ),
    pytest.param(
        'Failed to pull image "registry.example/eo/x:1": no match for platform in manifest',
        "the image is not made for the node's processor",
        "",
        False,
        id="platform",
    ),
]


@pytest.mark.parametrize("state", ["ImagePullBackOff", "ErrImagePull"])
@pytest.mark.parametrize(("event", "cause", "advice", "may_pass"), PULL_FAILURES)
def test_an_image_that_cannot_be_pulled(
    cluster: Cluster,
    fake: FakeKubernetes,
    state: str,
    event: str,
    cause: str,
    advice: str,
    may_pass: bool,
) -> None:
    reason = deploy(cluster, waiting(state, BACK_OFF, ("Failed", event)), fake)
    assert reason.text.startswith(f"the image {IMAGE} cannot be pulled: {cause} (Failed to pull")
    assert event in reason.text
    assert advice in reason.text
    assert reason.may_pass is may_pass


def test_of_two_events_about_an_image_the_one_with_the_cause_is_told(
    cluster: Cluster, fake: FakeKubernetes
) -> None:
    """The kubelet writes one after the other within a second."""
    cause = str(PULL_FAILURES[0].values[0])
    events = (("Failed", cause), ("Failed", "Error: ErrImagePull"))
    reason = deploy(cluster, waiting("ImagePullBackOff", BACK_OFF, *events), fake)
    assert reason.text.startswith(f"the image {IMAGE} cannot be pulled: there is no such image")


def test_an_image_that_cannot_be_pulled_for_another_reason(
    cluster: Cluster, fake: FakeKubernetes
) -> None:
    reason = deploy(cluster, waiting("ImagePullBackOff", BACK_OFF), fake)
    assert BACK_OFF in reason.text
    assert reason.may_pass


WAITING = [
    ("ErrImageNeverPull", "Container image is not present", "the pull policy is Never"),
    ("InvalidImageName", 'couldn\'t parse image name "A:b:c"', "name is not a reference"),
    (
        "CreateContainerConfigError",
        'secret "eodata" not found',
        "make the secret eodata in this namespace",
    ),
    (
        "CreateContainerConfigError",
        "couldn't find key access_key in Secret eo/eodata",
        "put the key access_key into the secret eo/eodata",
    ),
]


@pytest.mark.parametrize(("state", "message", "words"), WAITING)
def test_a_container_that_cannot_be_made(
    cluster: Cluster, fake: FakeKubernetes, state: str, message: str, words: str
) -> None:
    reason = deploy(cluster, waiting(state, message), fake)
    assert words in reason.text
    assert message in reason.text
    assert not reason.may_pass


SCHEDULING = [
    (
        "0/3 nodes: 1 node(s) had untolerated taint {role/a: }, 2 Insufficient nvidia.com/gpu.",
        ["no node has enough free nvidia.com/gpu", "kept for others by the taint role/a"],
    ),
    (
        "0/2 nodes are available: 1 Insufficient cpu, 2 Insufficient memory.",
        ["no node has enough free cpu; no node has enough free memory"],
    ),
    (
        "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.",
        ["no node has the labels that the profile asks for"],
    ),
    (
        'persistentvolumeclaim "shared" not found',
        ["there is no claim shared"],
    ),
    ("no nodes available to schedule pods", ["no node takes it"]),
]


@pytest.mark.parametrize(("message", "words"), SCHEDULING)
def test_a_pod_that_no_node_takes(
    cluster: Cluster, fake: FakeKubernetes, message: str, words: list[str]
) -> None:
    reason = deploy(cluster, unschedulable(message), fake)
    assert all(word in reason.text for word in words)
    assert f"({message})" in reason.text
    assert reason.may_pass


CLAIMS = [
    (
        "ProvisioningFailed",
        'storageclass.storage.k8s.io "nfs" not found',
        "there is no storage class nfs",
        False,
    ),
    (
        "FailedBinding",
        "no persistent volumes available for this claim and no storage class is set",
        "no storage class is set and the cluster has no default one",
        False,
    ),
    (
        "ProvisioningFailed",
        "failed to provision volume: multi-node access mode not supported by cinder",
        "has no volumes that several nodes can write (ReadWriteMany)",
        False,
    ),
    ("ProvisioningFailed", "rpc error: deadline exceeded", "its volume cannot be made", True),
]


@pytest.mark.parametrize(("reason", "message", "words", "may_pass"), CLAIMS)
def test_a_claim_that_stays_unbound(
    cluster: Cluster, fake: FakeKubernetes, reason: str, message: str, words: str, may_pass: bool
) -> None:
    fake.set_outcome(
        "clean", unschedulable("0/1 nodes: pod has unbound immediate PersistentVolumeClaims.")
    )
    Deployer(cluster, deployment_objects(("clean",))).apply()
    claim = fake.store.get(Key("persistentvolumeclaims", "eo", NAME))
    event = {"reason": reason, "message": message, "involvedObject": claim["metadata"]}
    fake.store.create(Key("events", "eo", "claim.1"), {"metadata": {}, **event})
    found = wait_until_ready(cluster, NAME, timeout_s=0.5, patience_s=0.2)
    (of_claim,) = [each for each in found.reasons if each.subject == f"claim {NAME}"]
    assert words in of_claim.text
    assert message in of_claim.text
    assert of_claim.may_pass is may_pass


def test_a_claim_whose_class_waits_for_its_first_consumer_and_cannot_serve_it(
    cluster: Cluster, fake: FakeKubernetes
) -> None:
    """The scheduler says nothing then: the pod is pending, and only its claim knows why."""
    fake.set_outcome("clean", Outcome({"phase": "Pending"}))
    Deployer(cluster, deployment_objects(("clean",))).apply()
    claim = fake.store.get(Key("persistentvolumeclaims", "eo", NAME))
    message = "NodePath only supports ReadWriteOnce and ReadWriteOncePod (1.22+) access modes"
    event = {"message": message, "involvedObject": claim["metadata"]}
    fake.store.create(
        Key("events", "eo", "claim.1"), {"metadata": {}, "reason": "ProvisioningFailed", **event}
    )
    found = wait_until_ready(cluster, NAME, timeout_s=5, patience_s=0.2)
    (reason,) = found.reasons
    assert reason.subject == f"claim {NAME}"
    assert "(ReadWriteMany)" in reason.text
    assert found.is_hopeless
    assert found.seconds < 4


def test_a_job_that_has_failed_for_good_is_not_waited_for() -> None:
    message = "Container orchestrator for pod eo/x failed with exit code 1 matching FailJob rule"
    failed = {"type": "Failed", "status": "True", "reason": "PodFailurePolicy", "message": message}
    job = {
        "kind": "Job",
        "metadata": {"name": "x", "labels": {"eoloom.org/node": "orchestrator"}},
        "status": {"conditions": [failed]},
    }
    (reason,) = workload_reasons(job)
    assert reason.text.startswith("the run has failed, and is not tried again")
    assert message in reason.text
    assert not reason.may_pass
    failed["status"] = "False"
    assert workload_reasons(job) == []


def test_a_claim_whose_volume_is_lost() -> None:
    claim = {"metadata": {"name": "x"}, "status": {"phase": "Lost"}}
    (reason,) = claim_reasons(claim)
    assert "its data with it" in reason.text
    assert not reason.may_pass


def test_a_volume_that_cannot_be_mounted(cluster: Cluster, fake: FakeKubernetes) -> None:
    message = 'MountVolume.SetUp failed for volume "keys": secret "keys" not found'
    reason = deploy(cluster, starting(("FailedMount", message)), fake)
    assert reason.text == f"a volume cannot be mounted ({message}); make the secret keys"


def test_a_probe_that_fails(cluster: Cluster, fake: FakeKubernetes) -> None:
    message = "Readiness probe failed: service unhealthy (responded with NOT_SERVING)"
    reason = deploy(cluster, unhealthy(message), fake)
    assert reason.text == f"it runs, and does not answer its health check ({message})"


def test_a_container_that_crashes_says_its_last_line(
    cluster: Cluster, fake: FakeKubernetes
) -> None:
    log = ("starting", '{"level": "ERROR", "message": "no such model: forest.onnx"}')
    reason = deploy(cluster, crashing(1, *log), fake)
    assert reason.text == (
        "its container ended with code 1, 3 times so far, after saying: no such model: forest.onnx"
    )
    assert not reason.may_pass


def test_a_run_that_failed_says_why(cluster: Cluster, fake: FakeKubernetes) -> None:
    def reasons(outcome: Outcome) -> str:
        fake.set_outcome("orchestrator", outcome)
        Deployer(cluster, deployment_objects(run="fires-run-1")).apply()
        found = wait_until_ready(cluster, NAME, timeout_s=2)
        return "\n".join(map(str, found.reasons))

    left = "node clean: clean: no band B11 [INVALID_ARGUMENT]"
    told = reasons(failed(1, '{"event": "run-closed"}', message=left))
    assert f"its container ended with code 1, after saying: {left}" in told
    # Without a word for the cluster, its log has to do; not that of the container before it.
    assert "after saying: no space left" in reasons(failed(1, "no space left"))


def test_a_container_that_used_too_much_memory(cluster: Cluster, fake: FakeKubernetes) -> None:
    reason = deploy(cluster, crashing(137, "tile 3", reason="OOMKilled"), fake)
    assert "used more memory than its limit, 3 times so far (tile 3)" in reason.text
    assert "raise resources.memory" in reason.text


REFUSALS = [
    (
        'pods "x" is forbidden: exceeded quota: project, requested: pods=1, used: pods=4',
        "the namespace's quota has no room for its pods",
        True,
    ),
    (
        'pods "x" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true',
        "its pods break the namespace's Pod Security",
        False,
    ),
    (
        'pods "x" is forbidden: maximum memory usage per Container is 1Gi, but limit is 4Gi',
        "its pods break the namespace's LimitRange",
        False,
    ),
    ("admission webhook denied the request", "the cluster refuses its pods", True),
]


@pytest.mark.parametrize(("message", "words", "may_pass"), REFUSALS)
def test_pods_that_the_cluster_refuses(
    cluster: Cluster, fake: FakeKubernetes, message: str, words: str, may_pass: bool
) -> None:
    reason = deploy(cluster, refused(message), fake)
    assert reason.text.startswith(f"{words} ({message})")
    assert reason.may_pass is may_pass


def test_pods_that_break_pod_security_are_found_by_the_cluster_itself(
    cluster: Cluster, fake: FakeKubernetes
) -> None:
    fake.add_namespace("eo", restricted=True)
    reason = deploy(cluster, ready(), fake, security={})
    assert "break the namespace's Pod Security" in reason.text


def test_a_job_whose_pods_are_refused(cluster: Cluster, fake: FakeKubernetes) -> None:
    fake.set_outcome("orchestrator", refused("exceeded quota: project"))
    Deployer(cluster, deployment_objects(("clean",), run="fires-run-1")).apply()
    found = wait_until_ready(cluster, NAME, timeout_s=0.5)
    (reason,) = found.reasons
    assert str(reason).startswith(
        "orchestrator: the namespace's quota has no room for its pods (exceeded quota: project)"
    )


def test_waiting_tells_every_change_and_ends_when_all_serve(
    cluster: Cluster, fake: FakeKubernetes
) -> None:
    fake.set_outcome("clean", unschedulable("0/1 nodes are available: 1 Insufficient cpu."))
    Deployer(cluster, deployment_objects(replicas=2)).apply()
    told: list[Readiness] = []
    threading.Timer(0.5, fake.set_outcome, ("clean", ready())).start()
    started = time.monotonic()
    found = wait_until_ready(cluster, NAME, timeout_s=20, tell=told.append)
    assert found.is_ready
    assert time.monotonic() - started < 10
    assert {node.node: node.ready for node in found.nodes} == {"clean": 2, "label": 2}
    assert any(reason.text.startswith("no node has enough free cpu") for reason in told[0].reasons)
    assert told[-1] == found


def test_what_cannot_pass_ends_the_wait_early(cluster: Cluster, fake: FakeKubernetes) -> None:
    fake.set_outcome("clean", waiting("InvalidImageName", "bad"))
    Deployer(cluster, deployment_objects()).apply()
    started = time.monotonic()
    found = wait_until_ready(cluster, NAME, timeout_s=60, patience_s=0.3)
    assert found.is_hopeless
    assert time.monotonic() - started < 10


def test_a_run_that_has_succeeded_counts_as_ready(cluster: Cluster, fake: FakeKubernetes) -> None:
    fake.set_outcome("orchestrator", succeeded())
    Deployer(cluster, deployment_objects(run="fires-run-1")).apply()
    found = wait_until_ready(cluster, NAME, timeout_s=5)
    assert found.is_ready
    assert [node.done for node in found.nodes if node.kind == "Job"] == [True]


def put_quota(fake: FakeKubernetes, hard: dict[str, str], used: dict[str, str]) -> None:
    status = {"hard": hard, "used": used}
    fake.store.create(
        Key("resourcequotas", "eo", "project"), {"metadata": {}, "spec": {}, "status": status}
    )


def test_a_quota_without_room_is_said_before_the_cluster_is_asked(
    cluster: Cluster, fake: FakeKubernetes
) -> None:
    put_quota(fake, {"requests.cpu": "4", "limits.memory": "8Gi"}, {"requests.cpu": "3500m"})
    with pytest.raises(QuotaExceededError) as caught:
        Deployer(cluster, deployment_objects(replicas=2)).preview()
    assert "  requests.cpu: asked 2, free 0.5 of 4 (ResourceQuota project)" in str(caught.value)
    assert "limits.memory" not in str(caught.value)
    assert not [path for method, path in fake.requests if method == "PATCH"]


def test_what_is_deployed_already_is_not_counted_twice(
    cluster: Cluster, fake: FakeKubernetes
) -> None:
    Deployer(cluster, deployment_objects(replicas=2)).apply()
    put_quota(fake, {"cpu": "2", "pods": "4"}, {"cpu": "2", "pods": "4"})
    Deployer(cluster, deployment_objects(replicas=2)).preview()
    with pytest.raises(QuotaExceededError, match=r"pods: asked 6, free 4 of 4"):
        Deployer(cluster, deployment_objects(replicas=3)).preview()


def test_the_demand_counts_what_quotas_count() -> None:
    objects = copy.deepcopy(deployment_objects(replicas=3, run="r-1"))
    pod = objects[3]["spec"]["template"]["spec"]
    pod["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] = "1"
    pod["initContainers"] = [{"resources": {"requests": {"cpu": "2"}}}]
    demand = demand_of(objects)
    assert demand["requests.nvidia.com/gpu"] == 3
    assert demand["requests.cpu"] == 3 * 2 + 3 * Decimal("0.5") + Decimal("0.5")
    assert demand["pods"] == 7
    assert demand["requests.storage"] == 10 * 1024**3
    assert demand["count/deployments.apps"] == 2
    assert demand["services"] == 2


def test_a_quota_that_was_lowered_does_not_stop_what_is_there() -> None:
    status = {"hard": {"pods": "2"}, "used": {"pods": "4"}}
    assert missing_room(status, {"pods": Decimal(4)}, {"pods": Decimal(4)}) == []
