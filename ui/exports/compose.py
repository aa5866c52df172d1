"""A pipeline as a folder for `docker compose up`."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

import yaml

from orchestrator.backends.docker.paths import mounts_of
from orchestrator.component_files import component_files
from orchestrator.compose import (
    ComposeOptions,
    addresses,
    compose_document,
    orchestrator_name,
)
from orchestrator.images.pinning import PinnedImages, pin_images
from orchestrator.images.reference import image_reference
from orchestrator.planning import make_plan
from ui.exports.base import Exported, ExportOptions

if TYPE_CHECKING:
    from composer.graph import Graph

_HEAD: Final = """\
# Runs the pipeline {name} once:
#
#     docker compose up --abort-on-container-exit --exit-code-from {orchestrator}
#
# Results: {results}/{run}/catalog.json. What was interrupted goes on when it is called again; what
# has succeeded is not repeated: remove {results}/{run}/* to run it anew.
"""

_ENVIRONMENT: Final = """\
# Whose the results are: the user and group of the containers.
EOLOOM_USER={user}:{group}
EOLOOM_GROUP={group}
"""


def to_compose(graph: Graph, options: ExportOptions) -> Exported:
    """Return the Compose file and what the containers read and write beside it.

    Raises NodeError where a path that a parameter names cannot be mounted; with digests ImageError.
    """
    registry = options.settings.image_registry
    plan = make_plan(graph, registry)
    image = image_reference(registry, "orchestrator", version("eoloom"))
    pinned = PinnedImages({})
    if options.pin:
        names = [image, *(node.image for node in plan.nodes)]
        pinned = pin_images(names, required=options.require_digests)
        nodes = (replace(n, image=pinned.images.get(n.image, n.image)) for n in plan.nodes)
        plan = replace(plan, nodes=tuple(nodes))
    composed = ComposeOptions(
        image=pinned.images.get(image, image),
        run=plan.name,
        ours=frozenset(
            name for name, node in graph.nodes.items() if node.component.manifest.image is None
        ),
        mounts={
            node.name: tuple(m.path for m in mounts_of(node, "", is_local=True))
            for node in plan.nodes
        },
    )
    head = _HEAD.format(
        name=plan.name,
        orchestrator=orchestrator_name(plan),
        results=composed.results,
        run=composed.run,
    )
    document = yaml.safe_dump(compose_document(plan, composed), sort_keys=False)
    files = {
        "docker-compose.yaml": (head + document).encode(),
        ".env": _ENVIRONMENT.format(user=os.geteuid(), group=os.getegid()).encode(),
        f"{composed.files}/pipeline.yaml": graph.pinned().to_yaml().encode(),
        f"{composed.files}/addresses.json": json.dumps(addresses(plan), indent=2).encode(),
        # Made here, because the engine would make it root's.
        f"{composed.results}/{composed.run}/shared/.keep": b"",
    }
    for folder, contents in component_files(graph).items():
        for name, content in contents.items():
            files[f"{composed.files}/components/{folder}/{name}"] = content
    return Exported(files, (*_warnings(composed), *pinned.warnings))


def _warnings(options: ComposeOptions) -> tuple[str, ...]:
    return tuple(
        f"node {node} reads {path}, which must be there where the file is used"
        for node, paths in options.mounts.items()
        for path in paths
    )
