"""A pipeline as a folder for `kubectl apply -k`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.component_files import component_files
from orchestrator.profiles import load_profile
from orchestrator.render import RenderOptions
from orchestrator.render.kustomize import export_kustomize
from ui.exports.base import Exported, ExportOptions
from ui.pinning import with_digests

if TYPE_CHECKING:
    from composer.graph import Graph


def to_kustomize(graph: Graph, options: ExportOptions) -> Exported:
    """Return a base, and an overlay for each profile.

    Raises ProfileError and RenderError; with digests ImageError too.
    """
    profiles = [load_profile(name, options.profile_values) for name in options.profiles]
    render_options = RenderOptions(namespace=options.namespace, files=component_files(graph))
    warnings: tuple[str, ...] = ()
    if options.pin:
        render_options, warnings = with_digests(
            graph, profiles, render_options, required=options.require_digests
        )
    files = export_kustomize(graph, profiles, render_options)
    return Exported({name: text.encode() for name, text in files.items()}, warnings)
