"""What an object names must be among the objects, or be said to exist."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

from orchestrator.render.checks.finding import (
    Finding,
    PodTemplate,
    Reference,
    finding,
    namespace_of,
    pod_templates,
)

_WITHOUT_NAMESPACE: Final = {"PersistentVolume"}

# Place of the reference, what it means, and the keys that this must have.
_Found = tuple[str, Reference, tuple[str, ...]]


def check_references(
    objects: Sequence[dict[str, Any]], external: Collection[Reference]
) -> Iterator[Finding]:
    """Yield references to what is neither among the objects nor external."""
    known = {
        Reference(item["kind"], item["metadata"]["name"], namespace_of(item)) for item in objects
    }
    contents = {
        Reference(item["kind"], item["metadata"]["name"], namespace_of(item)): {
            *item.get("data", {}),
            *item.get("binaryData", {}),
            *item.get("stringData", {}),
        }
        for item in objects
        if item["kind"] in {"ConfigMap", "Secret"}
    }
    found = [(t.item, named) for t in pod_templates(objects) for named in _of_pod(t)]
    found += [(item, named) for item in objects for named in _of_object(item)]
    for item, (place, reference, keys) in found:
        is_everywhere = reference.kind in _WITHOUT_NAMESPACE
        namespace = "" if is_everywhere else reference.namespace or namespace_of(item)
        here = reference._replace(namespace=namespace)
        if here not in known:
            if reference not in external and here not in external:
                told = f"there is no {reference.kind} {reference.name}"
                yield finding(item, place, told)
            continue
        for key in keys:
            if here in contents and key not in contents[here]:
                yield finding(item, place, f"{reference.kind} {reference.name} has no key {key!r}")
    for template in pod_templates(objects):
        yield from _mounts(template)


def _of_pod(template: PodTemplate) -> Iterator[_Found]:
    spec, place = template.spec, f"{template.place}.spec".lstrip(".")
    if "serviceAccountName" in spec:
        reference = Reference("ServiceAccount", spec["serviceAccountName"])
        yield f"{place}.serviceAccountName", reference, ()
    if "priorityClassName" in spec and not spec["priorityClassName"].startswith("system-"):
        yield (
            f"{place}.priorityClassName",
            Reference("PriorityClass", spec["priorityClassName"]),
            (),
        )
    for secret in spec.get("imagePullSecrets", ()):
        yield f"{place}.imagePullSecrets", Reference("Secret", secret["name"]), ()
    claimed = {
        claim["metadata"]["name"] for claim in template.item["spec"].get("volumeClaimTemplates", ())
    }
    for number, volume in enumerate(spec.get("volumes", ())):
        if volume["name"] not in claimed:
            yield from _of_volume(f"{place}.volumes[{number}]", volume)
    for where, container in template.containers:
        yield from _of_environment(where, container)


def _of_volume(place: str, volume: dict[str, Any]) -> Iterator[_Found]:
    if "persistentVolumeClaim" in volume:
        name = volume["persistentVolumeClaim"]["claimName"]
        yield place, Reference("PersistentVolumeClaim", name), ()
    sources = [volume, *volume.get("projected", {}).get("sources", ())]
    for source in sources:
        for field, kind in (("configMap", "ConfigMap"), ("secret", "Secret")):
            part = source.get(field)
            if part and not part.get("optional"):
                keys = tuple(item["key"] for item in part.get("items", ()))
                yield place, Reference(kind, part.get("name") or part["secretName"]), keys


def _of_environment(place: str, container: dict[str, Any]) -> Iterator[_Found]:
    kinds = (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret"))
    for number, variable in enumerate(container.get("env", ())):
        for field, kind in kinds:
            part = variable.get("valueFrom", {}).get(field)
            if part and not part.get("optional"):
                yield f"{place}.env[{number}]", Reference(kind, part["name"]), (part["key"],)
    kinds = (("configMapRef", "ConfigMap"), ("secretRef", "Secret"))
    for number, source in enumerate(container.get("envFrom", ())):
        for field, kind in kinds:
            if field in source and not source[field].get("optional"):
                yield f"{place}.envFrom[{number}]", Reference(kind, source[field]["name"]), ()


def _of_object(item: dict[str, Any]) -> Iterator[_Found]:
    if item["kind"] in {"RoleBinding", "ClusterRoleBinding"}:
        role = item["roleRef"]
        # A ClusterRole has no namespace, and may be the cluster's own.
        if role["kind"] == "Role":
            yield "roleRef", Reference("Role", role["name"]), ()
        for number, subject in enumerate(item.get("subjects", ())):
            if subject["kind"] == "ServiceAccount":
                namespace = subject.get("namespace", "")
                yield (
                    f"subjects[{number}]",
                    Reference("ServiceAccount", subject["name"], namespace),
                    (),
                )
    if item["kind"] == "PersistentVolumeClaim" and item["spec"].get("volumeName"):
        yield "spec.volumeName", Reference("PersistentVolume", item["spec"]["volumeName"]), ()
    if item["kind"] == "Ingress":
        for number, tls in enumerate(item["spec"].get("tls", ())):
            yield f"spec.tls[{number}]", Reference("Secret", tls["secretName"]), ()
        for rule in item["spec"].get("rules", ()):
            for path in rule.get("http", {}).get("paths", ()):
                service = path["backend"].get("service")
                if service:
                    yield "spec.rules", Reference("Service", service["name"]), ()
    if item["kind"] == "StatefulSet" and item["spec"].get("serviceName"):
        yield "spec.serviceName", Reference("Service", item["spec"]["serviceName"]), ()


def _mounts(template: PodTemplate) -> Iterator[Finding]:
    """Yield mounts of volumes that the pod does not have, and volumes that nobody mounts."""
    spec = template.spec
    volumes = {volume["name"] for volume in spec.get("volumes", ())} | {
        claim["metadata"]["name"] for claim in template.item["spec"].get("volumeClaimTemplates", ())
    }
    mounted = set()
    for place, container in template.containers:
        for mount in container.get("volumeMounts", ()):
            mounted.add(mount["name"])
            if mount["name"] not in volumes:
                yield finding(template.item, place, f"the pod has no volume {mount['name']!r}")
    for name in sorted(volumes - mounted):
        yield finding(template.item, f"{template.place}.spec.volumes", f"nobody mounts {name!r}")
