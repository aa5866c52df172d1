"""A real node for the control plane: containerd, kubelet, kube-proxy, CNI, names and volumes.

    python -m tests.orchestrator.kubernetes.node PROGRAMS FOLDER

runs it with an image registry until it is ended, and writes FOLDER/kubeconfig and FOLDER/ready.
It needs root, and leaves the machine as it was: its bridge, its routes and its rules go again. It
has a containerd of its own; a Docker engine beside it is not touched. Images that it has pulled
stay in the folder, everything else is new at every start.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

from orchestrator.backends.kubernetes.cluster import Cluster
from orchestrator.backends.kubernetes.objects import ObjectKey
from tests.docker_engine import running_registry
from tests.orchestrator.kubernetes.cluster_services import (
    DNS_ADDRESS,
    DOMAIN,
    ClusterServices,
)
from tests.orchestrator.kubernetes.control_plane import ControlPlane, wait_for
from tests.orchestrator.kubernetes.pause_image import PAUSE_IMAGE, write_pause_image

_ADDRESS: Final = "10.245.0.1"
_BRIDGE: Final = "eoloom-node"
_PODS: Final = "10.244.0.0/24"
_DNS_PORT: Final = 10053
_START_S: Final = 120.0
_LOCK: Final = Path("/run/lock/eoloom-node.lock")


class Node:
    """A cluster of one node; a context manager. Needs root.

    programs: what scripts/build_cluster.sh has made. folder: for all that it keeps.
    """

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs = programs
        self._folder = folder
        self._socket = folder / "containerd.sock"
        self._stack = contextlib.ExitStack()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def kubeconfig(self) -> Path:
        """The administrator's."""
        return self._control_plane.kubeconfig

    def connect(self, context: str = "admin", namespace: str = "default") -> Cluster:
        """Return the cluster as seen by a user of the kubeconfig."""
        return self._control_plane.connect(context, namespace)

    def __enter__(self) -> Node:
        with self._stack:
            self._start_all()
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def import_images(self, archive: Path) -> None:
        """Bring in the images of an archive, as `docker save` writes one."""
        self._containerd_client("images", "import", str(archive))

    def _start_all(self) -> None:
        self._stack.enter_context(_alone())
        self._stack.callback(self._clean)
        self._clean()
        _run("ip", "link", "add", _BRIDGE, "type", "bridge")
        _run("ip", "address", "add", f"{_ADDRESS}/32", "dev", _BRIDGE)
        _run("ip", "link", "set", _BRIDGE, "up")
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
        self._write_certificates()
        self._control_plane = self._stack.enter_context(
            ControlPlane(
                self._programs,
                self._folder,
                address=_ADDRESS,
                arguments=(
                    f"--kubelet-client-certificate={self._folder}/client.crt",
                    f"--kubelet-client-key={self._folder}/client.key",
                    "--kubelet-preferred-address-types=InternalIP",
                    "--enable-admission-plugins=NodeRestriction",
                ),
            )
        )
        self._start_containerd()
        self._start_kubelet()
        self._start(
            "kube-proxy",
            f"--kubeconfig={self._kubeconfig_of('kube-proxy')}",
            "--proxy-mode=iptables",
            f"--cluster-cidr={_PODS}",
            "--hostname-override=node-1",
            "--conntrack-max-per-core=0",
            "--healthz-bind-address=127.0.0.1:10256",
        )
        cluster = self._stack.enter_context(contextlib.closing(self.connect()))
        self._stack.enter_context(
            ClusterServices(cluster, _ADDRESS, _DNS_PORT, self._folder / "volumes")
        )
        node = ObjectKey("v1", "Node", "", "node-1")
        wait_for(
            lambda: _is_ready(cluster.get(node)), _START_S, f"the node is not ready: {self._folder}"
        )
        # Pods of before the account of a namespace are refused.
        account = ObjectKey("v1", "ServiceAccount", "default", "default")
        wait_for(
            lambda: cluster.get(account) is not None, _START_S, "there is no ServiceAccount default"
        )
        self._stack.callback(self._remove_pods, cluster)
        for name, process in self._processes.items():
            assert process.poll() is None, f"{name} has ended: see {self._folder}/{name}.log"

    def _write_certificates(self) -> None:
        """Make what the kubelet knows the API server by."""
        key, certificate = self._folder / "client.key", self._folder / "client.crt"
        subject = "/O=system:masters/CN=kube-apiserver-kubelet-client"
        _run(
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30"),
            *("-subj", subject, "-keyout", str(key), "-out", str(certificate)),
            *("-addext", "extendedKeyUsage=clientAuth"),
        )

    def _start_containerd(self) -> None:
        network = self._folder / "network"
        network.mkdir(exist_ok=True)
        plugins = [
            {
                # Every pod is behind a route of its own, so that all of its packets meet the rules.
                "type": "ptp",
                "ipMasq": True,
                "ipam": {
                    "type": "host-local",
                    "subnet": _PODS,
                    "routes": [{"dst": "0.0.0.0/0"}],
                    "dataDir": str(self._folder / "addresses"),
                },
            },
            {"type": "portmap", "capabilities": {"portMappings": True}},
            {"type": "firewall", "backend": "iptables"},
        ]
        (network / "10-eoloom.conflist").write_text(
            json.dumps({"cniVersion": "0.4.0", "name": "eoloom", "plugins": plugins})
        )
        config = self._folder / "containerd.toml"
        config.write_text(
            f"""version = 2
root = "{self._folder}/containerd"
state = "{self._folder}/containerd-state"
[grpc]
  address = "{self._socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  disable_apparmor = true
  # A machine may keep root from preferring processes when memory runs out.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{self._programs}/cni"
    conf_dir = "{network}"
"""
        )
        self._start("containerd", f"--config={config}", program="containerd")
        wait_for(self._containerd_answers, _START_S, "containerd does not answer")
        archive = self._folder / "pause.tar"
        write_pause_image(self._programs / "pause", archive)
        self.import_images(archive)
        self._stack.callback(self._remove_containers)

    def _start_kubelet(self) -> None:
        config = {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": _ADDRESS,
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": False},
                "x509": {"clientCAFile": str(self._folder / "client.crt")},
            },
            "authorization": {"mode": "AlwaysAllow"},
            "cgroupDriver": "cgroupfs",
            "clusterDNS": [DNS_ADDRESS],
            "clusterDomain": DOMAIN,
            "resolvConf": "",
            "readOnlyPort": 0,
            "healthzPort": 0,
            "failSwapOn": False,
            "registerNode": True,
            "contentType": "application/json",
            # A machine that is nearly full must not end tests.
            "imageGCHighThresholdPercent": 100,
            "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%"},
            "protectKernelDefaults": False,
            "fileCheckFrequency": "20s",
        }
        file = self._folder / "kubelet.yaml"
        file.write_text(yaml.safe_dump(config))
        self._start(
            "kubelet",
            f"--config={file}",
            f"--kubeconfig={self._kubeconfig_of('kubelet')}",
            "--container-runtime=remote",
            f"--container-runtime-endpoint=unix://{self._socket}",
            f"--root-dir={self._folder}/kubelet",
            f"--cert-dir={self._folder}/kubelet-certificates",
            f"--node-ip={_ADDRESS}",
            "--hostname-override=node-1",
        )

    def _kubeconfig_of(self, user: str) -> Path:
        config = yaml.safe_load(self.kubeconfig.read_text())
        config["current-context"] = user
        file = self._folder / f"{user}.kubeconfig"
        file.write_text(yaml.safe_dump(config))
        file.chmod(0o600)
        return file

    def _start(self, name: str, *arguments: str, program: str = "") -> None:
        path = f"{self._programs}:{os.environ['PATH']}"
        with (self._folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [program or str(self._programs / name), *arguments],
                stdout=log,
                stderr=log,
                env={**os.environ, "PATH": path},
            )
        self._stack.callback(_end, process)
        self._processes[name] = process

    def _containerd_client(self, *arguments: str) -> str:
        return _run("ctr", "--address", str(self._socket), "--namespace", "k8s.io", *arguments)

    def _containerd_answers(self) -> bool:
        try:
            self._containerd_client("version")
        except subprocess.CalledProcessError:
            return False
        return True

    def _remove_pods(self, cluster: Cluster) -> None:
        """Let the kubelet end all pods, so that nothing of them stays on the machine."""
        for kind in ("deployments", "statefulsets"):
            for found in cluster.request("GET", f"/apis/apps/v1/{kind}").body["items"]:
                _delete(cluster, f"/apis/apps/v1/namespaces/{{}}/{kind}/{{}}", found)
        for found in cluster.request("GET", "/apis/batch/v1/jobs").body["items"]:
            _delete(cluster, "/apis/batch/v1/namespaces/{}/jobs/{}", found)
        for found in cluster.request("GET", "/api/v1/pods").body["items"]:
            _delete(cluster, "/api/v1/namespaces/{}/pods/{}", found)
        with contextlib.suppress(AssertionError):  # what is left is killed
            wait_for(lambda: not cluster.request("GET", "/api/v1/pods").body["items"], 40)

    def _remove_containers(self) -> None:
        for identity in self._containerd_client("tasks", "list", "-q").split():
            with contextlib.suppress(subprocess.CalledProcessError):
                self._containerd_client("tasks", "delete", "--force", identity)
        for identity in self._containerd_client("containers", "list", "-q").split():
            with contextlib.suppress(subprocess.CalledProcessError):
                self._containerd_client("containers", "delete", identity)

    def _clean(self) -> None:
        """Take away what programs leave on a machine when they end."""
        mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
        for mount in sorted(mounts, reverse=True):
            if mount.startswith(f"{self._folder}/"):
                subprocess.run(["umount", "--lazy", mount], check=False, capture_output=True)
        # Also of a node that was killed; none of these may be there.
        subprocess.run(["ip", "link", "delete", _BRIDGE], check=False, capture_output=True)
        subprocess.run(
            [self._programs / "kube-proxy", "--cleanup", "--proxy-mode=iptables"],
            check=False,
            capture_output=True,
        )
        for table in ("nat", "filter", "mangle"):
            _remove_rules(table)
        for folder in Path("/sys/fs/cgroup").glob("*/kubepods"):
            for each in sorted([folder, *folder.rglob("*/")], reverse=True):
                with contextlib.suppress(OSError):
                    each.rmdir()
        for name in ("addresses", "containerd-state", "etcd", "kubelet", "volumes"):
            shutil.rmtree(self._folder / name, ignore_errors=True)


def _remove_rules(table: str) -> None:
    """Remove the chains of kubelet, kube-proxy and CNI from a table, and what leads to them."""
    listed = _run("iptables", "-w", "-t", table, "-S").splitlines()
    ours = ("KUBE-", "CNI-")
    for rule in listed:
        parts = rule.split()
        if parts[0] == "-A" and ("-j" in parts or "-g" in parts):
            target = parts[parts.index("-j" if "-j" in parts else "-g") + 1]
            if parts[1].startswith(ours) or target.startswith(ours):
                command = f"iptables -w -t {table} -D {rule.removeprefix('-A ')}"
                subprocess.run(["sh", "-c", command], check=False, capture_output=True)
    chains = [rule.split()[1] for rule in listed if rule.startswith("-N ")]
    for flag in ("-F", "-X"):
        for chain in chains:
            if chain.startswith(ours):
                command = ["iptables", "-w", "-t", table, flag, chain]
                subprocess.run(command, check=False, capture_output=True)


def _delete(cluster: Cluster, path: str, found: dict[str, Any]) -> None:
    metadata = found["metadata"]
    with contextlib.suppress(Exception):  # it may have gone meanwhile
        cluster.request(
            "DELETE",
            path.format(metadata["namespace"], metadata["name"]),
            body={"gracePeriodSeconds": 1, "propagationPolicy": "Background"},
        )


def _is_ready(node: dict[str, Any] | None) -> bool:
    conditions = (node or {}).get("status", {}).get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _run(*command: str) -> str:
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    return answer.stdout


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(30)


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Keep a second node off this machine: both would have the same addresses."""
    with _LOCK.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AssertionError(f"a node runs on this machine already ({_LOCK})") from None
        yield


@contextlib.contextmanager
def running_node(programs: Path, folder: Path) -> Iterator[Node]:
    """Run a node with a folder of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    with Node(programs, folder) as node:
        yield node


def main() -> None:
    """Run a node until the process is asked to end."""
    programs, folder = (Path(each).resolve() for each in sys.argv[1:])
    ended = threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: ended.set())
    ready = folder / "ready"
    images = folder / "registry"
    images.mkdir(parents=True, exist_ok=True)
    with running_registry(images) as registry, running_node(programs, folder) as node:
        ready.write_text(f"KUBECONFIG={node.kubeconfig}\nimage registry {registry.host}\n")
        ended.wait()
        ready.unlink()


if __name__ == "__main__":
    main()
