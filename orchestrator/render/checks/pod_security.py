"""The restricted Pod Security Standard, which a namespace enforces when pods are made.

A Deployment whose pods break it is accepted, and then has no pods: that is why it is checked
before. https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from orchestrator.render.checks.finding import (
    Finding,
    PodTemplate,
    finding,
    pod_templates,
    values_at,
)

_VOLUMES: Final = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}
_SYSCTLS: Final = {
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
}
_SELINUX_TYPES: Final = {
    "",
    "container_t",
    "container_init_t",
    "container_kvm_t",
    "container_engine_t",
}
_SECCOMP: Final = {"RuntimeDefault", "Localhost"}


def check_pod_security(objects: Sequence[dict[str, Any]]) -> Iterator[Finding]:
    """Yield what a namespace with the restricted standard refuses."""
    for template in pod_templates(objects):
        for place, message in (*_pod(template), *_containers(template)):
            yield finding(template.item, place, message)


def _pod(template: PodTemplate) -> Iterator[tuple[str, str]]:
    spec, place = template.spec, f"{template.place}.spec".lstrip(".")
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(field):
            yield f"{place}.{field}", "shares the machine's namespaces"
    for number, volume in enumerate(spec.get("volumes", ())):
        for kind in volume.keys() - {"name"} - _VOLUMES:
            yield f"{place}.volumes[{number}]", f"{kind} is not allowed"
    security = spec.get("securityContext", {})
    for sysctl in security.get("sysctls", ()):
        if sysctl["name"] not in _SYSCTLS:
            yield f"{place}.securityContext.sysctls", f"{sysctl['name']} is not allowed"
    yield from _context(f"{place}.securityContext", security)


def _containers(template: PodTemplate) -> Iterator[tuple[str, str]]:
    pod = template.spec.get("securityContext", {})
    for place, container in template.containers:
        security = container.get("securityContext", {})
        where = f"{place}.securityContext"
        yield from _context(where, security)
        if security.get("allowPrivilegeEscalation") is not False:
            yield f"{where}.allowPrivilegeEscalation", "must be false"
        if not security.get("runAsNonRoot", pod.get("runAsNonRoot")):
            yield f"{where}.runAsNonRoot", "must be true, here or for the pod"
        seccomp = security.get("seccompProfile", pod.get("seccompProfile", {}))
        if seccomp.get("type") not in _SECCOMP:
            yield f"{where}.seccompProfile", "must be RuntimeDefault, here or for the pod"
        yield from _privileges(where, security)
        for port in container.get("ports", ()):
            if port.get("hostPort"):
                yield f"{place}.ports", f"takes port {port['hostPort']} of the machine"
        for field in ("startupProbe", "readinessProbe", "livenessProbe", "lifecycle"):
            for path, host in values_at(container.get(field, {}), "host", f"{place}.{field}"):
                if host:
                    yield path, "names another host"


def _privileges(place: str, security: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if security.get("privileged"):
        yield f"{place}.privileged", "is privileged"
    capabilities = security.get("capabilities", {})
    if "ALL" not in capabilities.get("drop", ()):
        yield f"{place}.capabilities.drop", "must have ALL"
    for added in set(capabilities.get("add", ())) - {"NET_BIND_SERVICE"}:
        yield f"{place}.capabilities.add", f"{added} is not allowed"
    if security.get("procMount", "Default") != "Default":
        yield f"{place}.procMount", "must be Default"


def _context(place: str, security: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with settings that a pod and a container have alike."""
    if security.get("runAsUser") == 0:
        yield f"{place}.runAsUser", "is root"
    if security.get("runAsNonRoot") is False:
        yield f"{place}.runAsNonRoot", "must be true"
    if security.get("windowsOptions", {}).get("hostProcess"):
        yield f"{place}.windowsOptions", "is a process of the machine"
    if security.get("seccompProfile", {}).get("type", "RuntimeDefault") not in _SECCOMP:
        yield f"{place}.seccompProfile", "must be RuntimeDefault"
    if security.get("appArmorProfile", {}).get("type", "RuntimeDefault") not in _SECCOMP:
        yield f"{place}.appArmorProfile", "must be RuntimeDefault"
    selinux = security.get("seLinuxOptions", {})
    if selinux.get("type", "") not in _SELINUX_TYPES or selinux.get("user") or selinux.get("role"):
        yield f"{place}.seLinuxOptions", "is not allowed"
