"""What Kubernetes is asked to run for a solution: plain objects, one container each.

Every pod keeps the restricted Pod Security Standard
(https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted); services are
reachable inside the cluster only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import yaml

from composer.blueprint import PORT
from composer.document import parse_document
from composer.errors import DocumentError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from composer.manifest import Resources

WEB_PORT: Final = PORT + 1
USER: Final = 1_000
SHARED_FOLDER_VARIABLE: Final = "SHARED_FOLDER_PATH"
CLAIM: Final = "shared-folder"
CLAIM_SIZE: Final = "10Gi"

_MAX_ALIKE: Final = 100
"""Containers and variables of one deployment that are looked at."""


@dataclass(frozen=True)
class Container:
    """One container of a solution."""

    name: str
    image: str
    resources: Resources
    shared_folder: str | None = None
    """Where the claim is mounted; None if it is not."""


def service_yaml(name: str) -> str:
    """Return the Service by which others find a container."""
    ports = [_port("protobuf-api", PORT), _port("webui", WEB_PORT)]
    return _text(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name, "labels": {"app": name}},
            "spec": {"type": "ClusterIP", "selector": {"app": name}, "ports": ports},
        }
    )


def deployment_yaml(container: Container) -> str:
    """Return the Deployment that keeps one container running."""
    labels = {"app": container.name}
    pod: dict[str, Any] = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(container)],
    }
    if container.shared_folder is not None:
        claim = {"claimName": CLAIM}
        pod["volumes"] = [{"name": CLAIM, "persistentVolumeClaim": claim}]
    return _text(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": container.name, "labels": labels},
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": pod},
            },
        }
    )


def claim_yaml(size: str = CLAIM_SIZE) -> str:
    """Return the claim for the shared folder; the cluster's default storage class serves it."""
    return _text(
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": CLAIM},
            "spec": {
                "accessModes": ["ReadWriteMany"],
                "resources": {"requests": {"storage": size}},
            },
        }
    )


def read_deployment(text: str) -> tuple[str, str | None] | None:
    """Return image and shared folder of the container in a Deployment; None if it is none.

    The text may come from anybody.
    """
    try:
        values = parse_document(text).value
    except DocumentError:
        return None
    containers = _at(values, "spec", "template", "spec", "containers")
    for container in containers[:_MAX_ALIKE] if isinstance(containers, list) else ():
        image = _at(container, "image")
        if isinstance(image, str):
            return image, _shared_folder(container)
    return None


def _shared_folder(container: Any) -> str | None:
    variables = _at(container, "env")
    for variable in variables[:_MAX_ALIKE] if isinstance(variables, list) else ():
        value = _at(variable, "value")
        if _at(variable, "name") == SHARED_FOLDER_VARIABLE and isinstance(value, str):
            return value
    return None


def _at(value: Any, *keys: str) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _container(container: Container) -> dict[str, Any]:
    resources = container.resources
    requests: dict[str, Any] = {"cpu": f"{round(resources.cpu * 1_000)}m"}
    requests["memory"] = resources.memory
    limits: dict[str, Any] = {"memory": resources.memory}
    if resources.gpu:
        limits["nvidia.com/gpu"] = resources.gpu
    values: dict[str, Any] = {
        "name": container.name,
        "image": container.image,
        "ports": [
            {"name": "protobuf-api", "containerPort": PORT},
            {"name": "webui", "containerPort": WEB_PORT},
        ],
        "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 5},
        "resources": {"requests": requests, "limits": limits},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    if container.shared_folder is not None:
        folder = container.shared_folder
        values["env"] = [{"name": SHARED_FOLDER_VARIABLE, "value": folder}]
        values["volumeMounts"] = [{"name": CLAIM, "mountPath": folder}]
    return values


def _port(name: str, number: int) -> dict[str, Any]:
    return {"name": name, "port": number, "targetPort": number}


def _text(values: Mapping[str, Any]) -> str:
    text: str = yaml.safe_dump(dict(values), sort_keys=False)
    return text
