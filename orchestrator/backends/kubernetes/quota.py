"""Whether a namespace's quotas have room for a deployment, before the cluster is asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from orchestrator.backends.kubernetes.cluster import Cluster
from orchestrator.backends.kubernetes.errors import ClusterAccessError, QuotaExceededError
from orchestrator.backends.kubernetes.objects import (
    Object,
    is_finished,
    key_of,
    pod_template_of,
    replicas_of,
)

# Names of a quota that mean the same.
_SAME: Final = {"cpu": "requests.cpu", "memory": "requests.memory"}
_COUNTED: Final = {
    "Service": "services",
    "ConfigMap": "configmaps",
    "Secret": "secrets",
    "PersistentVolumeClaim": "persistentvolumeclaims",
}

Amounts = dict[str, Decimal]


def check_quota(cluster: Cluster, wanted: Iterable[Object], present: Iterable[Object]) -> None:
    """Check that the namespace's quotas have room.

    wanted: all objects that are to be; present: those of them, and others of the deployment, that
    are there and counted already. A quota with scopes is left to the cluster, and so are all where
    they may not be read. Raises QuotaExceededError saying what is missing of what.
    """
    try:
        quotas, _ = cluster.list(cluster.resource("v1", "ResourceQuota"))
    except ClusterAccessError:
        return  # no permission to read them: the cluster will say it itself
    new = demand_of(wanted)
    old = demand_of(present)
    lines = []
    for quota in quotas:
        spec = quota.get("spec") or {}
        if spec.get("scopes") or spec.get("scopeSelector"):
            continue
        lines += [
            f"  {line} (ResourceQuota {quota['metadata']['name']})"
            for line in missing_room(quota.get("status") or {}, new, old)
        ]
    if lines:
        raise QuotaExceededError(
            "\n".join(
                [
                    f"the quota of the namespace {cluster.namespace} has no room for this:",
                    *lines,
                    "Undeploy something, ask for less (replicas, resources), or have it raised.",
                ]
            )
        )


def missing_room(
    status: Mapping[str, Any], new: Mapping[str, Decimal], old: Mapping[str, Decimal]
) -> list[str]:
    """Return a line for each resource of a quota that would be exceeded.

    status: of the quota, with `hard` and `used`. new, old: what the deployment will ask for, and
    what of it is in `used` already.
    """
    lines = []
    for name, hard_text in (status.get("hard") or {}).items():
        resource = _SAME.get(name, name)
        if resource not in new:
            continue
        hard = _quantity(hard_text)
        used = _quantity((status.get("used") or {}).get(name, "0"))
        others = max(Decimal(0), used - old.get(resource, Decimal(0)))
        # What is there already stays allowed, even where the quota was lowered since.
        if new[resource] > hard - others and new[resource] > old.get(resource, Decimal(0)):
            lines.append(
                f"{name}: asked {_show(name, new[resource])}, free "
                f"{_show(name, max(Decimal(0), hard - others))} of {hard_text}"
            )
    return lines


def demand_of(objects: Iterable[Object]) -> Amounts:
    """Return what objects count for in a quota, by the names that quotas use."""
    total: Amounts = {}
    for an_object in objects:
        for name, amount in _demand_of_one(an_object):
            total[name] = total.get(name, Decimal(0)) + amount
    return total


def _demand_of_one(an_object: Object) -> Iterable[tuple[str, Decimal]]:
    key = key_of(an_object)
    group = key.api_version.partition("/")[0] if "/" in key.api_version else ""
    plural = _COUNTED.get(key.kind, f"{key.kind.lower()}s")
    yield f"count/{plural}{'.' + group if group else ''}", Decimal(1)
    if key.kind in _COUNTED:
        yield plural, Decimal(1)
    if key.kind == "PersistentVolumeClaim":
        requests = an_object["spec"].get("resources", {}).get("requests", {})
        yield "requests.storage", _quantity(requests.get("storage", "0"))
    template = pod_template_of(an_object)
    if template is None or is_finished(an_object):
        return
    replicas = Decimal(replicas_of(an_object))
    yield "pods", replicas
    for name, amount in _pod_demand(template).items():
        yield name, amount * replicas


def _pod_demand(template: Object) -> Amounts:
    """Return what one pod asks for: its containers together, or its largest init container."""
    spec = template.get("spec") or {}
    together: Amounts = {}
    for container in spec.get("containers") or []:
        for name, amount in _container_demand(container):
            together[name] = together.get(name, Decimal(0)) + amount
    for container in spec.get("initContainers") or []:
        for name, amount in _container_demand(container):
            together[name] = max(together.get(name, Decimal(0)), amount)
    return together


def _container_demand(container: Mapping[str, Any]) -> Iterable[tuple[str, Decimal]]:
    resources = container.get("resources") or {}
    limits = resources.get("limits") or {}
    # What has a limit and no request requests its limit.
    for name, amount in {**limits, **(resources.get("requests") or {})}.items():
        yield f"requests.{name}", _quantity(amount)
    for name, amount in limits.items():
        yield f"limits.{name}", _quantity(amount)


def _quantity(text: Any) -> Decimal:
    from kubernetes.utils.quantity import parse_quantity

    return Decimal(parse_quantity(str(text)))


def _show(name: str, amount: Decimal) -> str:
    if "memory" in name or "storage" in name:
        return f"{float(amount / 1024**3):.3g}Gi"
    return f"{float(amount):g}"
