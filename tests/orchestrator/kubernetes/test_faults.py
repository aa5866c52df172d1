"""Throttling, server faults, broken connections, expired watches, and no way in."""

import base64
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from orchestrator.backends.kubernetes import connection, watching
from orchestrator.backends.kubernetes.apply import Deployer
from orchestrator.backends.kubernetes.cluster import Cluster
from orchestrator.backends.kubernetes.connection import connect
from orchestrator.backends.kubernetes.deployments import deployed
from orchestrator.backends.kubernetes.errors import ClusterAccessError, ClusterError
from orchestrator.backends.kubernetes.readiness import wait_until_ready
from orchestrator.backends.kubernetes.watching import Objects, watch
from tests.fakes.kubernetes_api import FakeKubernetes
from tests.fakes.kubernetes_controllers import ready, starting
from tests.fakes.kubernetes_store import Key
from tests.orchestrator.kubernetes.manifests import NAME, deployment_objects


def test_throttling_is_waited_out_as_long_as_the_cluster_says(
    cluster: Cluster, fake: FakeKubernetes
) -> None:
    fake.fail("PATCH", "services", 429, headers={"Retry-After": "1"})
    started = time.monotonic()
    Deployer(cluster, deployment_objects()).apply()
    assert time.monotonic() - started >= 1
    assert fake.names("services") == ["fires--clean", "fires--label"]


@pytest.mark.parametrize("status", [0, 500, 503])
def test_faults_that_pass_are_not_seen(cluster: Cluster, fake: FakeKubernetes, status: int) -> None:
    for method, path in (("GET", "configmaps"), ("PATCH", "deployments"), ("PATCH", "configmaps")):
        fake.fail(method, path, status, times=2)
    Deployer(cluster, deployment_objects()).apply()
    assert fake.names("deployments") == ["fires--clean", "fires--label"]


def test_a_server_that_stays_broken_is_named(cluster: Cluster, fake: FakeKubernetes) -> None:
    fake.fail("PATCH", "configmaps", 500, times=99, message="etcdserver: leader changed")
    with pytest.raises(ClusterError, match="ConfigMap/fires: etcdserver: leader changed"):
        Deployer(cluster, deployment_objects()).apply()


def test_a_deployment_that_broke_off_goes_on(cluster: Cluster, fake: FakeKubernetes) -> None:
    fake.fail("PATCH", "deployments/fires--label", 500, times=99)
    with pytest.raises(ClusterError):
        Deployer(cluster, deployment_objects()).apply()
    fake.faults.clear()
    changes = Deployer(cluster, deployment_objects()).apply()
    done = {str(change.key): str(change.action) for change in changes}
    assert done["Deployment/fires--clean"] == "unchanged"
    assert done["Deployment/fires--label"] == "create"


def test_a_cluster_that_is_not_there(fake: FakeKubernetes) -> None:
    cluster = connect()
    fake.stop()
    with pytest.raises(ClusterAccessError, match=r"cluster at http://127.0.0.1:\d+ cannot be rea"):
        deployed(cluster)


def test_credentials_that_have_run_out(fake: FakeKubernetes) -> None:
    with pytest.raises(ClusterAccessError, match="does not accept the credentials"):
        deployed(connect(context="other"))


def test_a_context_that_is_not_there_names_those_that_are(fake: FakeKubernetes) -> None:
    with pytest.raises(ClusterAccessError, match="no context 'fke'; it has: fake, other"):
        connect(context="fke")


def test_a_permission_that_is_missing_is_said(cluster: Cluster, fake: FakeKubernetes) -> None:
    message = 'deployments.apps is forbidden: User "me" cannot patch resource "deployments"'
    fake.fail("PATCH", "deployments", 403, message=message)
    with pytest.raises(ClusterAccessError, match=r"not allowed: deployments.apps is forbidden"):
        Deployer(cluster, deployment_objects()).preview()


def test_no_kubeconfig_and_no_pod(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(ClusterAccessError, match="set KUBECONFIG"):
        connect()


@pytest.mark.parametrize("text", ["", "just text", "clusters: [", "clusters: {a: b}"])
def test_a_file_that_is_no_kubeconfig(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str
) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    monkeypatch.setenv("KUBECONFIG", str(path))
    with pytest.raises(ClusterAccessError, match=str(path)):
        connect()


def test_a_kubeconfig_that_does_not_exist(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    with pytest.raises(ClusterAccessError, match="none does not exist"):
        connect()


def test_certificates_inside_the_kubeconfig(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As OpenStack Magnum writes it: authority, certificate and key as data, no token."""
    data = {
        name: base64.b64encode(f"the {name}".encode()).decode() for name in ("ca", "crt", "key")
    }
    user = {"client-certificate-data": data["crt"], "client-key-data": data["key"]}
    cluster = {"server": "https://10.0.0.5:6443", "certificate-authority-data": data["ca"]}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "k", "cluster": cluster}],
        "users": [{"name": "admin", "user": user}],
        "contexts": [{"name": "default", "context": {"cluster": "k", "user": "admin"}}],
        "current-context": "default",
    }
    (tmp_path / "config").write_text(yaml.safe_dump(config))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    found = connect()
    assert (found.host, found.namespace) == ("https://10.0.0.5:6443", "default")
    configuration = found.client.configuration
    assert Path(configuration.cert_file).read_text() == "the crt"
    assert Path(configuration.key_file).read_text() == "the key"
    assert Path(configuration.ssl_ca_cert).read_text() == "the ca"


def test_the_account_of_a_pod(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fake: FakeKubernetes
) -> None:
    """The files that Kubernetes mounts into a pod, in another place."""
    from kubernetes.config import incluster_config

    monkeypatch.delenv("KUBECONFIG")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "6443")
    for name, text in (("token", "secret-token"), ("ca.crt", "a certificate"), ("ns", "forest")):
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(tmp_path / "ca.crt"))
    monkeypatch.setattr(connection, "_NAMESPACE_OF_POD", tmp_path / "ns")
    cluster = connect()
    assert cluster.namespace == "forest"
    assert cluster.host == "https://127.0.0.1:6443"


@pytest.fixture
def seen(cluster: Cluster, fake: FakeKubernetes) -> Iterator[list[Objects]]:
    """What a watch of Services yields, in a thread."""
    found: list[Objects] = []
    stopped = threading.Event()

    def follow() -> None:
        for objects in watch(cluster, cluster.resource("v1", "Service"), "", stopped):
            found.append(objects)  # noqa: PERF402 - each as it comes

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    yield found
    stopped.set()
    fake.drop_watches()
    thread.join(10)
    assert not thread.is_alive()


def put_service(fake: FakeKubernetes, name: str) -> None:
    fake.store.create(Key("services", "eo", name), {"metadata": {}, "spec": {}})


def wait_for(seen: list[Objects], names: set[str]) -> None:
    deadline = time.monotonic() + 10
    while not seen or set(seen[-1]) != names:
        assert time.monotonic() < deadline, f"not seen: {names}; last {seen[-1:]}"
        time.sleep(0.02)


def lists(fake: FakeKubernetes) -> int:
    return sum("services?" in path and "watch" not in path for _, path in fake.requests)


def test_a_watch_tells_what_comes_changes_and_goes(
    fake: FakeKubernetes, seen: list[Objects]
) -> None:
    wait_for(seen, set())
    put_service(fake, "a")
    wait_for(seen, {"a"})
    fake.store.remove(Key("services", "eo", "a"))
    wait_for(seen, set())
    assert lists(fake) == 1


def test_a_dropped_watch_goes_on_where_it_was(fake: FakeKubernetes, seen: list[Objects]) -> None:
    put_service(fake, "a")
    wait_for(seen, {"a"})
    fake.drop_watches()
    put_service(fake, "b")
    wait_for(seen, {"a", "b"})
    assert lists(fake) == 1


def test_a_watch_whose_place_is_forgotten_lists_again(
    fake: FakeKubernetes, seen: list[Objects]
) -> None:
    put_service(fake, "a")
    wait_for(seen, {"a"})
    with fake.store.lock:
        put_service(fake, "b")
        fake.store.forget()
    wait_for(seen, {"a", "b"})
    assert lists(fake) == 2


def test_bookmarks_keep_the_place_of_a_quiet_watch(
    fake: FakeKubernetes, seen: list[Objects]
) -> None:
    put_service(fake, "a")
    wait_for(seen, {"a"})
    for n in range(5):
        fake.store.create(Key("secrets", "eo", f"s{n}"), {"metadata": {}})
    version = fake.store.version
    time.sleep(3 * fake.bookmark_s)
    fake.drop_watches()
    put_service(fake, "b")
    wait_for(seen, {"a", "b"})
    resumed = [path for _, path in fake.requests if "watch=true" in path]
    assert f"resourceVersion={version}" in resumed[-1]


def test_an_outage_during_a_watch_is_waited_out(fake: FakeKubernetes, seen: list[Objects]) -> None:
    wait_for(seen, set())
    fake.fail("GET", "services", 503, times=8)
    fake.drop_watches()
    put_service(fake, "a")
    wait_for(seen, {"a"})


def test_a_cluster_that_stays_away_ends_the_wait(
    cluster: Cluster, fake: FakeKubernetes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "_PAUSES_S", (0.01, 0.01))
    fake.set_outcome("clean", starting())
    Deployer(cluster, deployment_objects()).apply()
    fake.fail("GET", "pods", times=10_000)
    with pytest.raises(ClusterAccessError, match="cannot be reached"):
        wait_until_ready(cluster, NAME, timeout_s=20)


def test_waiting_goes_on_through_faults(cluster: Cluster, fake: FakeKubernetes) -> None:
    fake.set_outcome("clean", starting())
    Deployer(cluster, deployment_objects()).apply()

    def disturb() -> None:
        fake.drop_watches()
        fake.store.forget()
        fake.fail("GET", "events", 500)
        fake.fail("GET", "pods", 429, headers={"Retry-After": "1"})
        fake.set_outcome("clean", ready())

    threading.Timer(0.4, disturb).start()
    assert wait_until_ready(cluster, NAME, timeout_s=15).is_ready
