"""Names, labels and annotations; and nothing twice.

https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final

from orchestrator.render.checks.finding import (
    Finding,
    finding,
    namespace_of,
    pod_templates,
    values_at,
)

_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_SERVICE: Final = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
_SUBDOMAIN: Final = re.compile(
    r"(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
)
_PORT: Final = re.compile(r"(?=.*[a-z])(?!.*--)[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?")
_VALUE: Final = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_KEY: Final = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")

# Their names become labels or host names of pods, which are shorter than the name of an object.
_SHORT: Final = {
    "Deployment",
    "StatefulSet",
    "Job",
    "Namespace",
    "ServiceAccount",
    "ConfigMap",
    "PersistentVolumeClaim",
}
_RBAC: Final = re.compile(r"[A-Za-z0-9:._-]{1,253}")
_RBAC_KINDS: Final = {"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"}


def check_names(objects: Sequence[dict[str, Any]]) -> Iterator[Finding]:
    """Yield what is wrong with names and labels."""
    yield from _duplicates(objects)
    for item in objects:
        yield from _name(item)
        for place, metadata in values_at(item, "metadata"):
            yield from _metadata(item, place, metadata)
        for place, selector in values_at(item, "matchLabels"):
            yield from _labels(item, place, selector)
    for template in pod_templates(objects):
        yield from _containers(template.item, list(template.containers))


def _duplicates(objects: Sequence[dict[str, Any]]) -> Iterator[Finding]:
    keys = [(item["kind"], namespace_of(item), item["metadata"]["name"]) for item in objects]
    for (kind, _, name), count in Counter(keys).items():
        if count > 1:
            yield Finding(kind, name, "", f"is there {count} times")


def _name(item: dict[str, Any]) -> Iterator[Finding]:
    kind, name = item["kind"], item["metadata"]["name"]
    if kind == "Service":
        if not _SERVICE.fullmatch(name):
            yield finding(item, "metadata.name", "is not a DNS label that begins with a letter")
    elif kind in _RBAC_KINDS:
        if not _RBAC.fullmatch(name):
            yield finding(item, "metadata.name", "is not a name")
    elif kind in _SHORT:
        if not _LABEL.fullmatch(name):
            yield finding(item, "metadata.name", "is not a DNS label of at most 63 characters")
    elif not _SUBDOMAIN.fullmatch(name):
        yield finding(item, "metadata.name", "is not a DNS name in lower case")


def _metadata(item: dict[str, Any], place: str, metadata: Any) -> Iterator[Finding]:
    if not isinstance(metadata, dict):
        return
    yield from _labels(item, f"{place}.labels", metadata.get("labels") or {})
    for key in metadata.get("annotations") or {}:
        if not _is_key(key):
            yield finding(item, f"{place}.annotations", f"{key!r} is not a key")


def _labels(item: dict[str, Any], place: str, found: Any) -> Iterator[Finding]:
    for key, value in found.items():
        if not _is_key(key):
            yield finding(item, place, f"{key!r} is not a key")
        if not _VALUE.fullmatch(str(value)):
            told = f"{key}: {value!r} is not a value of at most 63 letters, digits and -_."
            yield finding(item, place, told)


def _is_key(key: str) -> bool:
    prefix, slash, name = key.rpartition("/")
    return bool(_KEY.fullmatch(name)) and (not slash or bool(_SUBDOMAIN.fullmatch(prefix)))


def _containers(
    item: dict[str, Any], containers: list[tuple[str, dict[str, Any]]]
) -> Iterator[Finding]:
    names = Counter(container["name"] for _, container in containers)
    for place, container in containers:
        name = container["name"]
        if not _LABEL.fullmatch(name):
            yield finding(item, f"{place}.name", f"{name!r} is not a DNS label")
        if names[name] > 1:
            yield finding(item, f"{place}.name", f"{name!r} is there {names[name]} times")
        for number, port in enumerate(container.get("ports", ())):
            if "name" in port and not _PORT.fullmatch(port["name"]):
                told = f"{port['name']!r} is not a name of a port: at most 15 letters and digits"
                yield finding(item, f"{place}.ports[{number}].name", told)
