"""Amounts as Kubernetes writes them.

https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from orchestrator.profiles import QUANTITY

if TYPE_CHECKING:
    from orchestrator.profiles import Profile

_MIB: Final = 1 << 20

_FACTORS = {
    "m": Decimal("0.001"),
    "": Decimal(1),
    **{unit: Decimal(1000) ** (n + 1) for n, unit in enumerate("kMGTPE")},
    **{f"{unit}i": Decimal(1024) ** (n + 1) for n, unit in enumerate("KMGTPE")},
}


def cpu_quantity(cores: float) -> str:
    """Return cores as a quantity, rounded up to thousandths: `2`, `500m`."""
    thousandths = max(1, math.ceil(round(cores * 1000, 6)))
    return str(thousandths // 1000) if thousandths % 1000 == 0 else f"{thousandths}m"


def byte_quantity(count: int) -> str:
    """Return a number of bytes as a quantity in the largest unit that divides it: `4Gi`."""
    for unit, factor in (("Gi", 1 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)):
        if count and count % factor == 0:
            return f"{count // factor}{unit}"
    return str(count)


def requested(profile: Profile, cores: float, memory_bytes: int) -> dict[str, str]:
    """Return what a site reserves for a container: `requests` of its resources.

    Of memory in whole MiB where that is less than all of it.
    """
    memory = memory_bytes
    if profile.requests.memory < 1:
        memory = min(memory, math.ceil(memory * profile.requests.memory / _MIB) * _MIB)
    cpu = cpu_quantity(cores * profile.requests.cpu)
    return {"cpu": cpu, "memory": byte_quantity(memory)}


def parse_quantity(text: str | float) -> Decimal:
    """Return the number that a quantity stands for. Raises ValueError."""
    value = str(text)
    match = QUANTITY.fullmatch(value)
    if match is None:
        raise ValueError(f"{value!r} is not a quantity such as 500m, 2, 4Gi")
    unit = match[2] or ""
    if unit[:1] in ("e", "E") and len(unit) > 1 and unit != "Ei":
        return Decimal(value)
    return Decimal(value.removesuffix(unit)) * _FACTORS[unit]
