"""A small deployment as objects, such as the renderer makes: two nodes, a claim and a run."""

import copy
from typing import Any

from orchestrator.render import labels

NAME = "fires"
SECURE = {
    "runAsNonRoot": True,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


def deployment_objects(
    nodes: tuple[str, ...] = ("clean", "label"),
    *,
    name: str = NAME,
    replicas: int = 1,
    image: str = "registry.example/eo/x:1",
    run: str = "",
    security: dict[str, Any] = SECURE,
    cpu: str = "500m",
) -> tuple[dict[str, Any], ...]:
    """Return root, claim, a Service and a Deployment per node, and a Job named `run`, if any."""
    own = labels.instance_labels(name, name)
    root = _object("v1", "ConfigMap", name, own, {labels.DIGEST: "0" * 64, labels.RUN: run or "r"})
    claim = _object("v1", "PersistentVolumeClaim", name, own, {labels.KEEP: "true"})
    claim["spec"] = {
        "accessModes": ["ReadWriteMany"],
        "storageClassName": "nfs",
        "resources": {"requests": {"storage": "10Gi"}},
    }
    objects = [root | {"data": {"pipeline.yaml": "name: fires\n"}}, claim]
    container = {
        "name": "component",
        "image": image,
        "ports": [{"name": "grpc", "containerPort": 8061, "protocol": "TCP"}],
        "resources": {"requests": {"cpu": cpu, "memory": "1Gi"}, "limits": {"memory": "1Gi"}},
        "securityContext": security,
        "volumeMounts": [{"name": "data", "mountPath": "/runs"}],
    }
    volume = {"name": "data", "persistentVolumeClaim": {"claimName": name}}
    pod = {"containers": [container], "volumes": [volume]}
    for node in nodes:
        mine = own | {labels.NODE: node, labels.ROLE: "component"}
        selector = labels.node_selector(name, node)
        service = _object("v1", "Service", f"{name}--{node}", mine)
        port = {"name": "grpc", "port": 8061, "protocol": "TCP"}
        service["spec"] = {"clusterIP": "None", "selector": selector, "ports": [port]}
        workload = _object("apps/v1", "Deployment", f"{name}--{node}", mine)
        workload["spec"] = {
            "replicas": replicas,
            "selector": {"matchLabels": selector},
            "template": {"metadata": {"labels": mine}, "spec": copy.deepcopy(pod)},
        }
        objects += [service, workload]
    if run:
        mine = own | {labels.ROLE: labels.ORCHESTRATOR_ROLE}
        job = _object("batch/v1", "Job", run, mine, {labels.RUN: run})
        template = {"metadata": {"labels": mine}, "spec": pod | {"restartPolicy": "Never"}}
        job["spec"] = {"parallelism": 1, "template": template}
        objects.append(job)
    return tuple(objects)


def _object(
    api_version: str,
    kind: str,
    name: str,
    own: dict[str, str],
    annotations: dict[str, str] | None = None,
) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, "labels": own}
    if annotations:
        metadata["annotations"] = annotations
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}
