"""The files by which an orchestrator elsewhere knows the components of a pipeline."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

import yaml

from composer.component import DESCRIPTORS, PROTO
from composer.errors import ManifestError
from composer.manifest import MANIFEST
from composer.parameters import SCHEMA

if TYPE_CHECKING:
    from composer.component import Component
    from composer.graph import Graph


def component_files(graph: Graph) -> dict[str, Mapping[str, bytes]]:
    """Return manifest, contract and schema of every component that is not built in.

    By `<name>-<version>`, and by the name of the file; together they are a folder of components as
    a registry reads it. Raises ManifestError where a file cannot be read.
    """
    used = {node.component.reference: node.component for node in graph.nodes.values()}
    return {
        f"{component.manifest.name}-{component.manifest.version}": _files(component)
        for _, component in sorted(used.items())
        if not component.is_built_in
    }


def _files(component: Component) -> dict[str, bytes]:
    manifest = component.manifest.model_copy(update={"proto": PROTO, "descriptors": DESCRIPTORS})
    values = manifest.model_dump(mode="json", exclude_defaults=True)
    return {
        MANIFEST: yaml.safe_dump(values, sort_keys=False, allow_unicode=True).encode(),
        PROTO: component.proto_text.encode(),
        DESCRIPTORS: _descriptors(component),
        SCHEMA: json.dumps(component.schema.schema).encode(),
    }


def _descriptors(component: Component) -> bytes:
    if component.source is not None:
        return component.source.descriptors
    path = component.root / component.manifest.descriptors
    try:
        return path.read_bytes()
    except OSError as error:
        raise ManifestError(f"cannot read {path}: {error.strerror}") from error
