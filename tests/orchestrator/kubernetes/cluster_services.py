"""What a cluster has beside Kubernetes: the names of services, and volumes.

A cluster's DNS is mostly CoreDNS and its volumes a storage system's; here both are a thread.
"""

from __future__ import annotations

import contextlib
import shutil
import threading
from pathlib import Path
from typing import Any, Final

from dnslib import QTYPE, RCODE, RR, A, DNSRecord
from dnslib.server import BaseResolver, DNSHandler, DNSServer

from orchestrator.backends.kubernetes.cluster import Cluster
from orchestrator.backends.kubernetes.objects import ObjectKey

DOMAIN: Final = "cluster.local"
CLASS: Final = "shared"
DNS_ADDRESS: Final = "10.96.0.10"
_PROVISIONER: Final = "eoloom.test/folders"
_TTL_S: Final = 5


class Names(BaseResolver):  # type: ignore[misc]  # dnslib has no types
    """Answers for `<service>.<namespace>.svc.cluster.local`, as CoreDNS does.

    A service with an address has that one, a headless one those of its ready pods.
    https://github.com/kubernetes/dns/blob/master/docs/specification.md
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def resolve(self, request: DNSRecord, handler: DNSHandler) -> DNSRecord:
        reply = request.reply()
        name = str(request.q.qname).rstrip(".").lower()
        addresses = self._addresses(name)
        if addresses is None:
            reply.header.rcode = RCODE.NXDOMAIN
        elif request.q.qtype in (QTYPE.A, QTYPE.ANY):
            for address in addresses:
                reply.add_answer(RR(request.q.qname, QTYPE.A, rdata=A(address), ttl=_TTL_S))
        return reply

    def _addresses(self, name: str) -> list[str] | None:
        """Return the addresses of a name, or None where there is no such name."""
        labels = name.removesuffix(f".svc.{DOMAIN}").split(".")
        if not name.endswith(f".svc.{DOMAIN}") or len(labels) != 2:
            return None
        service = self._cluster.get(ObjectKey("v1", "Service", labels[1], labels[0]))
        if service is None:
            return None
        if (address := service["spec"]["clusterIP"]) != "None":
            return [address]
        found = self._cluster.get(ObjectKey("v1", "Endpoints", labels[1], labels[0])) or {}
        ready = [
            address["ip"]
            for subset in found.get("subsets", [])
            for address in subset.get("addresses", [])
        ]
        # The name of a headless service without a ready pod is not there, says the specification.
        return ready or None


class ClusterServices:
    """DNS on an address, and volumes under a folder; a context manager."""

    def __init__(self, cluster: Cluster, address: str, port: int, volumes: Path) -> None:
        self._cluster = cluster
        self._address = address
        self._port = port
        self._volumes = volumes
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._provide, daemon=True)
        resolver = Names(cluster)
        self._servers = [
            DNSServer(resolver, address=address, port=port, tcp=tcp, logger=_Silent())
            for tcp in (False, True)
        ]

    def __enter__(self) -> ClusterServices:
        for an_object in self._objects():
            self._cluster.apply(an_object)
        for server in self._servers:
            server.start_thread()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join(30)
        for server in self._servers:
            server.stop()
            server.server.server_close()

    def _objects(self) -> list[dict[str, Any]]:
        metadata = {"name": "kube-dns", "namespace": "kube-system"}
        ports = [{"name": f"dns-{each}".lower(), "protocol": each} for each in ("UDP", "TCP")]
        return [
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": metadata,
                "spec": {
                    "clusterIP": DNS_ADDRESS,
                    "ports": [{**port, "port": 53, "targetPort": self._port} for port in ports],
                },
            },
            {
                "apiVersion": "v1",
                "kind": "Endpoints",
                "metadata": metadata,
                "subsets": [
                    {
                        "addresses": [{"ip": self._address}],
                        "ports": [{**port, "port": self._port} for port in ports],
                    }
                ],
            },
            {
                "apiVersion": "storage.k8s.io/v1",
                "kind": "StorageClass",
                "metadata": {
                    "name": CLASS,
                    "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
                },
                "provisioner": _PROVISIONER,
                "reclaimPolicy": "Delete",
            },
        ]

    def _provide(self) -> None:
        while not self._stopped.wait(0.5):
            with contextlib.suppress(Exception):  # the API server may be away for a while
                answer = self._cluster.request("GET", "/api/v1/persistentvolumeclaims").body
                for claim in answer["items"]:
                    if claim["spec"].get("storageClassName") == CLASS:
                        self._make_volume(claim)
                answer = self._cluster.request("GET", "/api/v1/persistentvolumes").body
                for volume in answer["items"]:
                    if volume["status"].get("phase") == "Released":
                        self._remove_volume(volume)

    def _make_volume(self, claim: dict[str, Any]) -> None:
        if claim["status"].get("phase") != "Pending" or claim["spec"].get("volumeName"):
            return
        name = f"claim-{claim['metadata']['uid']}"
        folder = self._volumes / name
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o777)
        self._cluster.apply(
            {
                "apiVersion": "v1",
                "kind": "PersistentVolume",
                "metadata": {"name": name},
                "spec": {
                    "accessModes": claim["spec"]["accessModes"],
                    "capacity": claim["spec"]["resources"]["requests"],
                    "storageClassName": CLASS,
                    "persistentVolumeReclaimPolicy": "Delete",
                    "hostPath": {"path": str(folder), "type": "Directory"},
                    "claimRef": {
                        "apiVersion": "v1",
                        "kind": "PersistentVolumeClaim",
                        "namespace": claim["metadata"]["namespace"],
                        "name": claim["metadata"]["name"],
                        "uid": claim["metadata"]["uid"],
                    },
                },
            }
        )

    def _remove_volume(self, volume: dict[str, Any]) -> None:
        name = volume["metadata"]["name"]
        shutil.rmtree(self._volumes / name, ignore_errors=True)
        self._cluster.delete(ObjectKey("v1", "PersistentVolume", "", name))


class _Silent:
    """Logs nothing of what dnslib tells."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None
