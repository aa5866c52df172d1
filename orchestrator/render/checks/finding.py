"""What a check finds, and how checks go through objects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple


class Reference(NamedTuple):
    """An object by kind and name; `namespace` is empty for that of the objects checked."""

    kind: str
    name: str
    namespace: str = ""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong."""

    kind: str
    name: str
    place: str
    """The path of the field, such as `spec.ports[0].port`; empty for the whole object."""
    message: str

    def __str__(self) -> str:
        where = f", {self.place}" if self.place else ""
        return f"{self.kind} {self.name}{where}: {self.message}"


def finding(item: dict[str, Any], place: str, message: str) -> Finding:
    """Return what is wrong with an object."""
    name = item.get("metadata", {}).get("name", "")
    return Finding(str(item.get("kind", "")), str(name), place, message)


def namespace_of(item: dict[str, Any]) -> str:
    """Return the namespace of an object, empty where it has none."""
    return str(item["metadata"].get("namespace", ""))


@dataclass(frozen=True)
class PodTemplate:
    """What an object makes pods of."""

    item: dict[str, Any]
    place: str
    labels: dict[str, str]
    spec: dict[str, Any]

    @property
    def namespace(self) -> str:
        """The namespace of the pods."""
        return namespace_of(self.item)

    @property
    def containers(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """The containers, each with its place, those before the start among them."""
        for field in ("initContainers", "containers"):
            for number, container in enumerate(self.spec.get(field, ())):
                yield f"{self.place}.spec.{field}[{number}]", container


def pod_templates(objects: Iterable[dict[str, Any]]) -> Iterator[PodTemplate]:
    """Yield what the objects make pods of."""
    for item in objects:
        if item["kind"] == "Pod":
            yield PodTemplate(item, "", item["metadata"].get("labels", {}), item["spec"])
            continue
        spec, place = item.get("spec"), "spec.template"
        if item["kind"] == "CronJob":
            spec, place = item["spec"]["jobTemplate"]["spec"], "spec.jobTemplate.spec.template"
        template = spec.get("template") if isinstance(spec, dict) else None
        if isinstance(template, dict) and "spec" in template:
            labels = template.get("metadata", {}).get("labels", {})
            yield PodTemplate(item, place, labels, template["spec"])


def values_at(value: Any, key: str, place: str = "") -> Iterator[tuple[str, Any]]:
    """Yield place and value of every field of a name, at any depth."""
    if isinstance(value, dict):
        for name, below in value.items():
            path = f"{place}.{name}" if place else str(name)
            if name == key:
                yield path, below
            yield from values_at(below, key, path)
    elif isinstance(value, list):
        for number, below in enumerate(value):
            yield from values_at(below, key, f"{place}[{number}]")
