"""Who is selected by whom, and whether anybody listens there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from orchestrator.render.checks.finding import (
    Finding,
    PodTemplate,
    finding,
    namespace_of,
    pod_templates,
    values_at,
)

_OWNERS: Final = {"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"}


def check_selectors(objects: Sequence[dict[str, Any]]) -> Iterator[Finding]:
    """Yield selectors that meet nothing, and ports at which nobody listens."""
    templates = list(pod_templates(objects))
    for template in templates:
        if template.item["kind"] in _OWNERS:
            yield from _own_selector(template)
            yield from _shared_selector(template, templates)
        yield from _spread(template)
        yield from _probes(template)
    for item in objects:
        here = [t for t in templates if t.namespace == namespace_of(item)]
        if item["kind"] == "Service":
            yield from _service(item, here)
        elif item["kind"] == "NetworkPolicy":
            yield from _network_policy(item, here)
        elif item["kind"] == "PodDisruptionBudget":
            if not any(_matches(item["spec"].get("selector", {}), t.labels) for t in here):
                yield finding(item, "spec.selector", "meets no pod")
        elif item["kind"] == "HorizontalPodAutoscaler":
            yield from _autoscaler(item, objects)


def _own_selector(template: PodTemplate) -> Iterator[Finding]:
    selector = template.item["spec"]["selector"]
    if not _matches(selector, template.labels):
        yield finding(template.item, "spec.selector", "does not meet the labels of its own pods")


def _shared_selector(template: PodTemplate, others: Iterable[PodTemplate]) -> Iterator[Finding]:
    selector = template.item["spec"]["selector"]
    for other in others:
        if (
            other.item is not template.item
            and other.namespace == template.namespace
            and _matches(selector, other.labels)
        ):
            told = f"meets the pods of {other.item['kind']} {other.item['metadata']['name']} too"
            yield finding(template.item, "spec.selector", told)


def _spread(template: PodTemplate) -> Iterator[Finding]:
    for number, constraint in enumerate(template.spec.get("topologySpreadConstraints", ())):
        if not _matches(constraint.get("labelSelector", {}), template.labels):
            place = f"{template.place}.spec.topologySpreadConstraints[{number}].labelSelector"
            yield finding(template.item, place, "does not meet the labels of its own pods")


def _probes(template: PodTemplate) -> Iterator[Finding]:
    for place, container in template.containers:
        names = {port.get("name"): port["containerPort"] for port in container.get("ports", ())}
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            for where, port in values_at(container.get(probe, {}), "port", f"{place}.{probe}"):
                if port not in names and port not in names.values():
                    yield finding(template.item, where, f"the container has no port {port}")


def _service(item: dict[str, Any], templates: list[PodTemplate]) -> Iterator[Finding]:
    selector = item["spec"].get("selector")
    if not selector:
        return
    selected = [t for t in templates if _matches({"matchLabels": selector}, t.labels)]
    if not selected:
        yield finding(item, "spec.selector", "meets no pod")
    for number, port in enumerate(item["spec"].get("ports", ())):
        target = port.get("targetPort", port["port"])
        for template in selected:
            if not any(_listens(container, target) for _, container in template.containers):
                owner = f"{template.item['kind']} {template.item['metadata']['name']}"
                told = f"{owner} has no port {target}"
                yield finding(item, f"spec.ports[{number}].targetPort", told)


def _listens(container: dict[str, Any], target: Any) -> bool:
    return any(
        target in (port.get("name"), port["containerPort"]) for port in container.get("ports", ())
    )


def _network_policy(item: dict[str, Any], templates: list[PodTemplate]) -> Iterator[Finding]:
    selector = item["spec"].get("podSelector", {})
    if not any(_matches(selector, t.labels) for t in templates):
        yield finding(item, "spec.podSelector", "meets no pod")
    for values in (e.get("values", ()) for e in selector.get("matchExpressions", ())):
        found = {label for t in templates for label in t.labels.values()}
        for value in set(values) - found:
            yield finding(item, "spec.podSelector", f"{value!r} meets no pod")
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        for number, rule in enumerate(item["spec"].get(direction, ())):
            for position, peer in enumerate(rule.get(peers, ())):
                # Peers in other namespaces are not among these objects.
                if "podSelector" not in peer or "namespaceSelector" in peer:
                    continue
                if not any(_matches(peer["podSelector"], t.labels) for t in templates):
                    place = f"spec.{direction}[{number}].{peers}[{position}]"
                    yield finding(item, place, "meets no pod")


def _autoscaler(item: dict[str, Any], objects: Sequence[dict[str, Any]]) -> Iterator[Finding]:
    target = item["spec"]["scaleTargetRef"]
    for other in objects:
        if (
            other["kind"] == target["kind"]
            and other["metadata"]["name"] == target["name"]
            and namespace_of(other) == namespace_of(item)
        ):
            if "replicas" in other["spec"]:
                told = f"{target['kind']} {target['name']} has spec.replicas, which is undone"
                yield finding(item, "spec.scaleTargetRef", told)
            return
    told = f"there is no {target['kind']} {target['name']}"
    yield finding(item, "spec.scaleTargetRef", told)


def _matches(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    wanted = selector.get("matchLabels") or {}
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        _holds(expression, labels) for expression in selector.get("matchExpressions") or ()
    )


def _holds(expression: dict[str, Any], labels: dict[str, str]) -> bool:
    value = labels.get(expression["key"])
    return {
        "In": value in expression.get("values", ()),
        "NotIn": value not in expression.get("values", ()),
        "Exists": value is not None,
        "DoesNotExist": value is None,
    }[expression["operator"]]
