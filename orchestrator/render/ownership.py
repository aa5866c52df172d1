"""One root collects the rest.

The root is the ConfigMap with the pipeline: it costs nothing, never restarts, and is not replaced
when the run is. When it is deleted, the cluster's garbage collector removes all that it owns; the
claim with the results is not owned. A reference needs the root's uid, which the cluster gives, so
that references are added to what `render` returns once the root is there.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from orchestrator.errors import RenderError
from orchestrator.render import labels


def root_of(objects: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return the root among rendered objects. Raises RenderError where there is none."""
    for item in objects:
        if item["kind"] == "ConfigMap" and labels.DIGEST in item["metadata"].get("annotations", {}):
            return item
    raise RenderError("among the objects there is no ConfigMap with a pipeline")


def owned(objects: Iterable[dict[str, Any]], uid: str) -> tuple[dict[str, Any], ...]:
    """Return the objects with references to their root, whose uid in the cluster is given."""
    objects = tuple(objects)
    root = root_of(objects)
    reference = {
        "apiVersion": root["apiVersion"],
        "kind": root["kind"],
        "name": root["metadata"]["name"],
        "uid": uid,
    }
    return tuple(item if item is root else _with_owner(item, reference) for item in objects)


def is_kept(item: dict[str, Any]) -> bool:
    """Whether an object outlives the pipeline, because what was computed lies in it."""
    return bool(item["metadata"].get("annotations", {}).get(labels.KEEP) == "true")


def _with_owner(item: dict[str, Any], reference: dict[str, str]) -> dict[str, Any]:
    if is_kept(item):
        return item
    return {**item, "metadata": {**item["metadata"], "ownerReferences": [reference]}}
