"""A real Kubernetes control plane: etcd, API server, controllers and scheduler.

No container runs: `Kubelet` says of pods what a node would, where there is none (node.py).
`scripts/build_cluster.sh` makes the programs; EOLOOM_CLUSTER names their folder.
"""

import base64
import contextlib
import os
import secrets
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from orchestrator.backends.kubernetes.cluster import Cluster
from orchestrator.backends.kubernetes.connection import connect
from orchestrator.backends.kubernetes.objects import ObjectKey, node_of

_MERGE = "application/merge-patch+json"


# Users with their groups: people, and the programs of a node.
_USERS: Final = {
    "admin": ("admin", "system:masters"),
    "user": ("user", ""),
    "kubelet": ("system:node:node-1", "system:nodes"),
    "kube-proxy": ("system:kube-proxy", ""),
}


class ControlPlane:
    """The programs of one control plane; a context manager.

    address: where the API server listens and pods find it. arguments: more of the API server's.
    """

    def __init__(
        self,
        binaries: Path,
        folder: Path,
        *,
        address: str = "127.0.0.1",
        arguments: Sequence[str] = ("--disable-admission-plugins=ServiceAccount",),
    ) -> None:
        self._binaries = binaries
        self._folder = folder
        self._address = address
        self._arguments = arguments
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.kubeconfig = folder / "kubeconfig"

    def __enter__(self) -> "ControlPlane":
        try:
            self._start_all()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start_all(self) -> None:
        etcd, peer, api = _free_ports(3)
        key = self._folder / "service-accounts.key"
        subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
        tokens = self._folder / "tokens.csv"
        # Tokens that nobody can guess: on a node's address others can reach the server.
        self._tokens = {name: secrets.token_hex(16) for name in _USERS}
        tokens.write_text(
            "".join(
                f'{self._tokens[name]},{user},{user},"{group}"\n'
                for name, (user, group) in _USERS.items()
            )
        )
        tokens.chmod(0o600)
        store = f"http://127.0.0.1:{etcd}"
        self._start(
            f"--data-dir={self._folder / 'etcd'}",
            f"--listen-client-urls={store}",
            f"--advertise-client-urls={store}",
            f"--listen-peer-urls=http://127.0.0.1:{peer}",
            "--unsafe-no-fsync",
            name="etcd",
        )
        self._start(
            f"--etcd-servers={store}",
            f"--secure-port={api}",
            f"--bind-address={self._address}",
            f"--advertise-address={self._address}",
            # What is stored keeps the fields that scripts/kubernetes.patch has added.
            "--storage-media-type=application/json",
            f"--cert-dir={self._folder / 'certificates'}",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            "--service-account-issuer=https://kubernetes",
            f"--token-auth-file={tokens}",
            "--authorization-mode=Node,RBAC",
            "--service-cluster-ip-range=10.96.0.0/16",
            *self._arguments,
            name="kube-apiserver",
        )
        self._url = f"https://{self._address}:{api}"
        self._wait(self._url)
        # Neither serves anything that is asked for here.
        common = (
            f"--kubeconfig={self.kubeconfig}",
            "--leader-elect=false",
            "--port=0",
            "--secure-port=0",
            "--kube-api-content-type=application/json",
        )
        self._start(
            *common,
            f"--service-account-private-key-file={key}",
            f"--root-ca-file={self.authority}",
            name="kube-controller-manager",
        )
        self._start(*common, name="kube-scheduler")

    def __exit__(self, *_: object) -> None:
        # The store goes last: an API server without one takes long to end its connections.
        for process in reversed(self._processes.values()):
            process.terminate()
            process.wait(90)

    @property
    def authority(self) -> Path:
        """The certificate that the API server's is to be checked by."""
        return self._folder / "certificates" / "apiserver.crt"

    def restart_api_server(self) -> None:
        """Kill the API server and start it again; it knows no version from before."""
        process = self._processes["kube-apiserver"]
        process.kill()
        process.wait(30)
        self._start(*[str(part) for part in process.args][1:], name="kube-apiserver")
        self._wait(self._url)

    def _start(self, *arguments: str, name: str) -> None:
        with (self._folder / f"{name}.log").open("ab") as log:
            command = [str(self._binaries / name), *arguments]
            self._processes[name] = subprocess.Popen(command, stdout=log, stderr=log)

    def _wait(self, url: str) -> None:
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(Exception):
                self._write_kubeconfig(url, self.authority.read_bytes())
                # Not before the roles that come with it are made.
                with contextlib.closing(self.connect("admin", "default")) as cluster:
                    assert list(cluster.lines("/readyz", {}, silence_s=10)) == ["ok"]
                return
            assert time.monotonic() < deadline, f"no API server: see {self._folder}"
            time.sleep(0.5)

    def _write_kubeconfig(self, url: str, certificate: bytes) -> None:
        authority = base64.b64encode(certificate).decode()
        cluster = {"server": url, "certificate-authority-data": authority}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "real", "cluster": cluster}],
            "users": [
                {"name": name, "user": {"token": token}} for name, token in self._tokens.items()
            ],
            "contexts": [
                {"name": name, "context": {"cluster": "real", "user": name}} for name in _USERS
            ],
            "current-context": "admin",
        }
        self.kubeconfig.write_text(yaml.safe_dump(config))
        self.kubeconfig.chmod(0o600)

    def connect(self, context: str, namespace: str) -> Cluster:
        before = os.environ.get("KUBECONFIG")
        os.environ["KUBECONFIG"] = str(self.kubeconfig)
        try:
            return connect(context, namespace)
        finally:
            os.environ.pop("KUBECONFIG")
            if before is not None:
                os.environ["KUBECONFIG"] = before


class Kubelet:
    """Says that pods run, or wait, and lets go of those that are deleted; a context manager.

    waiting: by node of the pipeline, the reason for which its containers wait.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.waiting: dict[str, str] = {}

    def __enter__(self) -> "Kubelet":
        node = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": "node-1"},
        }
        self._cluster.apply(node)
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        status = {
            "capacity": {"cpu": "40", "memory": "80Gi", "pods": "200"},
            "allocatable": {"cpu": "40", "memory": "80Gi", "pods": "200"},
            "conditions": [
                {"type": "Ready", "status": "True", "lastHeartbeatTime": now, "reason": "x"}
            ],
        }
        self._patch("/api/v1/nodes/node-1/status", {"status": status})
        # What the node controller puts on a new node it takes away only after a while.
        self._patch("/api/v1/nodes/node-1", {"spec": {"taints": None}})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join(30)

    def _run(self) -> None:
        pods = self._cluster.resource("v1", "Pod")
        while not self._stopped.wait(0.1):
            for pod in self._cluster.list(pods)[0]:
                with contextlib.suppress(Exception):  # it may have gone meanwhile
                    self._tend(pod)

    def _tend(self, pod: dict[str, Any]) -> None:
        metadata = pod["metadata"]
        path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
        if metadata.get("deletionTimestamp"):
            self._cluster.request("DELETE", path, body={"gracePeriodSeconds": 0})
            return
        if not pod["spec"].get("nodeName"):
            return
        reason = self.waiting.get(node_of(pod))
        state = {"waiting": {"reason": reason}} if reason else {"running": {}}
        ready = str(not reason)
        status = {
            "phase": "Pending" if reason else "Running",
            "conditions": [
                {"type": kind, "status": ready}
                for kind in ("Initialized", "Ready", "ContainersReady")
            ],
            "containerStatuses": [
                {
                    "name": container["name"],
                    "image": container["image"],
                    "imageID": "",
                    "ready": not reason,
                    "restartCount": 0,
                    "state": state,
                }
                for container in pod["spec"]["containers"]
            ],
        }
        found = pod.get("status", {})
        if found.get("phase") != status["phase"] or "containerStatuses" not in found:
            self._patch(f"{path}/status", {"status": status})

    def _patch(self, path: str, body: dict[str, Any]) -> None:
        self._cluster.request("PATCH", path, body=body, content_type=_MERGE)


def wait_for(condition: Callable[[], bool], timeout_s: float = 20, failure: str = "") -> None:
    """Wait until something is so, or fail."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, failure
        time.sleep(0.1)


def make_namespace(cluster: Cluster, name: str) -> None:
    """Make a namespace, and a bound volume for the claims in it."""
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "accessModes": ["ReadWriteMany"],
            "capacity": {"storage": "10Gi"},
            "storageClassName": "nfs",
            "persistentVolumeReclaimPolicy": "Retain",
            "hostPath": {"path": "/nowhere"},
            "claimRef": {"namespace": name, "name": "fires"},
        },
    }
    cluster.apply(volume)
    assert cluster.get(ObjectKey("v1", "Namespace", "", name)) is not None


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [
            stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)
        ]
        return [int(each.getsockname()[1]) for each in sockets]


def documents_of(text: str) -> Iterator[dict[str, Any]]:
    """Yield the objects in the YAML blocks of a documentation page."""
    for block in text.split("```yaml\n")[1:]:
        yield from yaml.safe_load_all(block.partition("```")[0])
