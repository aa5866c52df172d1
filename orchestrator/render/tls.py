"""TLS between the orchestrator and the components of ours, with certificates from Secrets.

Images of others know nothing of it: they are called in plaintext, and the network policies keep
everybody but the orchestrator from them.

Probes of a kubelet speak no TLS, and have no certificate to show
(https://kubernetes.io/docs/tasks/configure-pod-container/configure-liveness-readiness-startup-probes/).
So components answer for their health, and for nothing else, at a port of its own in plaintext. A
command in the container could ask by TLS, but it would start a Python for every probe, and would
need a certificate with the right to call.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from orchestrator.render import labels

if TYPE_CHECKING:
    from orchestrator.profiles import Tls
    from orchestrator.render.context import Context

HEALTH_PORT: Final = 8063
HEALTH_PORT_NAME: Final = "health"

_VOLUME: Final = "certificates"
_PATH: Final = "/run/secrets/eoloom"
_CERTIFICATE: Final = "tls.crt"
_KEY: Final = "tls.key"
_AUTHORITY: Final = "ca.crt"
# Readable for the pod's group, which is that of its user; nobody may write.
_MODE: Final = 0o440


def speaks_tls(context: Context, node: str) -> bool:
    """Whether a node is called by TLS."""
    return context.profile.tls is not None and not context.is_third_party(node)


def component_environment(context: Context, node: str) -> dict[str, str]:
    """Return the settings of a component: its certificate, and whom to answer."""
    if not speaks_tls(context, node):
        return {}
    values = {
        "EOLOOM_TLS_CERTIFICATE_FILE": f"{_PATH}/{_CERTIFICATE}",
        "EOLOOM_TLS_KEY_FILE": f"{_PATH}/{_KEY}",
        "EOLOOM_TLS_CLIENT_CA_FILE": f"{_PATH}/{_AUTHORITY}",
    }
    if context.has_health(node):
        values["EOLOOM_HEALTH_ADDRESS"] = f"0.0.0.0:{HEALTH_PORT}"
    return values


def orchestrator_environment(context: Context) -> dict[str, str]:
    """Return the settings of the orchestrator: whom to believe, and what to show."""
    tls = context.profile.tls
    if tls is None:
        return {}
    values = {
        "EOLOOM_COMPONENT_TLS": "true",
        "EOLOOM_COMPONENT_CA_FILE": f"{_PATH}/{_AUTHORITY}",
        "EOLOOM_COMPONENT_CERTIFICATE_FILE": f"{_PATH}/{_CERTIFICATE}",
        "EOLOOM_COMPONENT_KEY_FILE": f"{_PATH}/{_KEY}",
    }
    plaintext = [n.name for n in context.plan.nodes if not speaks_tls(context, n.name)]
    if plaintext:
        values["EOLOOM_COMPONENT_PLAINTEXT"] = json.dumps(plaintext)
    if tls.server_name:
        values["EOLOOM_COMPONENT_SERVER_NAME"] = tls.server_name
    return values


def component_volumes(context: Context, node: str) -> list[dict[str, Any]]:
    """Return the volume with the certificate of a component, if it has one."""
    tls = context.profile.tls
    if tls is None or not speaks_tls(context, node):
        return []
    return [_volume(tls, tls.components or component_secret(context, node))]


def orchestrator_volumes(context: Context) -> list[dict[str, Any]]:
    """Return the volume with the certificate of the orchestrator, if it has one."""
    tls = context.profile.tls
    if tls is None:
        return []
    return [_volume(tls, tls.orchestrator or orchestrator_secret(context))]


def mounts(volumes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the mounts of such volumes."""
    return [{"name": v["name"], "mountPath": _PATH, "readOnly": True} for v in volumes]


def component_secret(context: Context, node: str) -> str:
    """Return the name of the Secret that is made for a node."""
    return context.name(node, "tls")


def orchestrator_secret(context: Context) -> str:
    """Return the name of the Secret that is made for the orchestrator."""
    return context.name("tls")


def certificate_hosts(context: Context) -> dict[str, tuple[str, ...]]:
    """Return the Secrets that have to be made: hosts of the certificate, by the Secret's name."""
    if context.profile.tls is None or not context.profile.tls.generate:
        return {}
    nodes = [node.name for node in context.plan.nodes if speaks_tls(context, node.name)]
    hosts = {component_secret(context, node): _hosts(context, node) for node in nodes}
    return hosts | {orchestrator_secret(context): ()}


def secrets(context: Context) -> Iterator[dict[str, Any]]:
    """Yield the Secrets with the certificates of the options."""
    for name, files in context.options.certificates.items():
        yield {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": context.metadata(name),
            "type": "kubernetes.io/tls",
            "data": {key: base64.b64encode(files[key]).decode() for key in sorted(files)},
        }


def pod_annotations(context: Context) -> dict[str, Any]:
    """Return what makes pods start again when their certificates are made anew."""
    authorities = {files[_AUTHORITY] for files in context.options.certificates.values()}
    if not authorities:
        return {}
    digest = hashlib.sha256(b"".join(sorted(authorities))).hexdigest()
    return {"annotations": {labels.AUTHORITY: digest[:16]}}


def _hosts(context: Context, node: str) -> tuple[str, ...]:
    name = context.name(node)
    namespace = context.options.namespace
    return (name, f"{name}.{namespace}", f"{name}.{namespace}.svc") if namespace else (name,)


def _volume(tls: Tls, secret: str) -> dict[str, Any]:
    names = {tls.certificate: _CERTIFICATE, tls.key: _KEY, tls.authority: _AUTHORITY}
    items = [{"key": key, "path": path} for key, path in names.items()]
    return {
        "name": _VOLUME,
        "secret": {"secretName": secret, "defaultMode": _MODE, "items": items},
    }
