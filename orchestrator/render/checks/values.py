"""Quantities, ports and ranges of addresses."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, Final

from orchestrator.render.checks.finding import Finding, finding, pod_templates, values_at
from orchestrator.render.quantities import parse_quantity

_PORT_FIELDS: Final = ("port", "containerPort", "hostPort", "nodePort", "targetPort", "endPort")
_QUANTITY_FIELDS: Final = (
    "requests",
    "limits",
    "hard",
    "default",
    "defaultRequest",
    "max",
    "min",
)


def check_values(objects: Sequence[dict[str, Any]]) -> Iterator[Finding]:
    """Yield values that no cluster accepts."""
    for item in objects:
        yield from _quantities(item)
        yield from _ports(item)
        yield from _ranges(item)
    for template in pod_templates(objects):
        for place, container in template.containers:
            yield from _bounds(template.item, f"{place}.resources", container.get("resources", {}))


def _quantities(item: dict[str, Any]) -> Iterator[Finding]:
    found = [
        (f"{place}.{name}", amount)
        for field in _QUANTITY_FIELDS
        for place, amounts in values_at(item.get("spec", {}), field, "spec")
        if isinstance(amounts, dict)
        for name, amount in amounts.items()
    ]
    found += values_at(item.get("spec", {}), "sizeLimit", "spec")
    for place, amount in found:
        if isinstance(amount, str | int | float):
            try:
                parse_quantity(amount)
            except ValueError as error:
                yield finding(item, place, str(error))


def _bounds(item: dict[str, Any], place: str, resources: dict[str, Any]) -> Iterator[Finding]:
    requests, limits = resources.get("requests", {}), resources.get("limits", {})
    for name in requests.keys() & limits.keys():
        asked, most = _amount(requests[name]), _amount(limits[name])
        if asked is not None and most is not None and asked > most:
            told = f"{name}: {requests[name]} is asked for, but {limits[name]} the most"
            yield finding(item, place, told)
    for name in limits.keys() | requests.keys():
        # https://kubernetes.io/docs/tasks/manage-gpus/scheduling-gpus/
        if "/" in name and requests.get(name, limits.get(name)) != limits.get(name):
            yield finding(item, place, f"{name}: what is asked for must equal the limit")


def _amount(value: Any) -> Decimal | None:
    try:
        return parse_quantity(value)
    except ValueError:
        return None


def _ports(item: dict[str, Any]) -> Iterator[Finding]:
    for field in _PORT_FIELDS:
        for place, port in values_at(item.get("spec", {}), field, "spec"):
            if isinstance(port, int) and not 1 <= port <= 65_535:
                yield finding(item, place, f"{port} is not a port (1 to 65535)")


def _ranges(item: dict[str, Any]) -> Iterator[Finding]:
    for place, block in values_at(item.get("spec", {}), "ipBlock", "spec"):
        try:
            whole = ipaddress.ip_network(block["cidr"])
        except ValueError as error:
            yield finding(item, f"{place}.cidr", str(error))
            continue
        for number, text in enumerate(block.get("except", ())):
            where = f"{place}.except[{number}]"
            try:
                part = ipaddress.ip_network(text)
            except ValueError as error:
                yield finding(item, where, str(error))
                continue
            is_inside = part.version == whole.version and part.subnet_of(whole)  # type: ignore[arg-type] # the versions are equal
            if not is_inside or part == whole:
                yield finding(item, where, f"{text} is not a part of {block['cidr']}")
