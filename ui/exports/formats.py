"""The table of formats."""

from __future__ import annotations

from enum import StrEnum
from importlib import import_module
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from ui.exports.base import Exporter


class Format(StrEnum):
    """What `eoloom export --to` takes."""

    SOLUTION = "solution"
    BLUEPRINT = "blueprint"
    KUSTOMIZE = "kustomize"
    COMPOSE = "compose"


# Module in this package, and function in it: loaded only when the format is asked for.
_EXPORTERS: Final = {
    Format.SOLUTION: ("ai4experiments", "to_solution"),
    Format.BLUEPRINT: ("ai4experiments", "to_blueprint"),
    Format.KUSTOMIZE: ("kustomize", "to_kustomize"),
    Format.COMPOSE: ("compose", "to_compose"),
}


def exporter_of(chosen: Format) -> Exporter:
    """Return what exports to a format."""
    module, function = _EXPORTERS[chosen]
    return cast("Exporter", getattr(import_module(f"ui.exports.{module}"), function))
