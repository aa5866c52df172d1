"""A pipeline as AI4Experiments reads it: a whole solution, or its blueprint alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from composer.blueprint_export import export_blueprint
from composer.solution import export_solution
from ui.exports.base import Exported, ExportOptions

if TYPE_CHECKING:
    from composer.graph import Graph


def to_solution(graph: Graph, _: ExportOptions) -> Exported:
    """Return the pipeline as solution.zip."""
    solution = export_solution(graph)
    return Exported(solution.content, tuple(solution.warnings))


def to_blueprint(graph: Graph, _: ExportOptions) -> Exported:
    """Return the pipeline as blueprint.json."""
    blueprint = export_blueprint(graph)
    return Exported(blueprint.blueprint.encode(), tuple(blueprint.warnings))
