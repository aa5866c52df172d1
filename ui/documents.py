"""Components, pipelines and runs as JSON documents, for `--json`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ui.component_view import operation_views, parameter_views
from ui.figures import headline_figures

if TYPE_CHECKING:
    from composer.component import Component
    from composer.graph import Graph
    from composer.registry import BrokenComponent
    from composer.store import StoredComponent
    from ui.run_view import RunView


def component_document(
    component: Component, stored: StoredComponent | None = None
) -> dict[str, Any]:
    """Return what a list of components says of one. stored: if it was onboarded."""
    manifest = component.manifest
    return {
        "name": manifest.name,
        "version": manifest.version,
        "title": manifest.title,
        "description": manifest.description,
        "licence": manifest.licence,
        "keywords": manifest.keywords,
        "is_built_in": component.is_built_in,
        "folder": None if component.is_onboarded else component.folder,
        "image": manifest.image,
        "onboarded": None if stored is None else stored_document(stored),
        "service": component.contract.service,
        "services": component.contract.services,
        "operations": [asdict(view) for view in operation_views(component)],
    }


def stored_document(stored: StoredComponent) -> dict[str, Any]:
    """Return whose an onboarded component is, and who may use it."""
    return {
        "name": stored.name,
        "version": stored.version,
        "owner": stored.owner,
        "visibility": stored.visibility,
        "shared_with": stored.shared_with,
        "image": stored.image,
        "created": stored.created,
    }


def component_details(
    component: Component, versions: tuple[str, ...], stored: StoredComponent | None = None
) -> dict[str, Any]:
    """Return everything about one component."""
    return component_document(component, stored) | {
        "versions": versions,
        "command": component.manifest.command,
        "resources": component.manifest.resources.model_dump(),
        "parameters": [asdict(view) for view in parameter_views(component.schema.schema)],
        "schema": component.schema.schema,
        "proto": None if component.is_onboarded else component.root / component.manifest.proto,
        "proto_text": component.proto_text,
    }


def broken_document(broken: BrokenComponent) -> dict[str, Any]:
    """Return a folder whose component cannot be used."""
    return {"folder": broken.folder, "message": str(broken.error)}


def pipeline_document(graph: Graph) -> dict[str, Any]:
    """Return a valid pipeline as it would run: versions pinned, paths absolute."""
    return {
        "valid": True,
        "name": graph.pipeline.name,
        "digest": graph.pinned().digest,
        "pipeline": graph.pinned().plain(),
        "sources": [str(operation) for operation in graph.sources],
        "terminals": [str(operation) for operation in graph.terminals],
    }


def run_summary(view: RunView) -> dict[str, Any]:
    """Return what a list of runs says of one."""
    return {
        "run": view.id,
        "pipeline": view.pipeline,
        "digest": view.digest,
        "state": view.state,
        "message": view.message,
        "failed_node": view.failed_node or None,
        "started": view.started,
        "ended": view.ended,
        "seconds": view.seconds,
        "folder": view.folder,
        "number_of_results": len(view.terminal_results),
    }


def run_document(view: RunView) -> dict[str, Any]:
    """Return everything about one run."""
    return run_summary(view) | {
        "catalogue": view.catalogue,
        "nodes": [asdict(node) for node in view.nodes],
        "figures": [asdict(figure) for figure in headline_figures(view.results)],
        "results": [asdict(result) for result in view.results],
        "notices": [asdict(notice) for notice in view.notices],
        "has_more_notices": view.has_more_notices,
    }
