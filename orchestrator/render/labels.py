"""Labels and annotations.

https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/
"""

from __future__ import annotations

from typing import Final

NAME: Final = "app.kubernetes.io/name"
INSTANCE: Final = "app.kubernetes.io/instance"
ROLE: Final = "app.kubernetes.io/component"
VERSION: Final = "app.kubernetes.io/version"
PART_OF: Final = "app.kubernetes.io/part-of"
MANAGED_BY: Final = "app.kubernetes.io/managed-by"

NODE: Final = "eoloom.org/node"
"""The node of the pipeline that an object belongs to."""
RUN: Final = "eoloom.org/run"
"""Annotation: the id of the run. It may be longer than a label's value."""
DIGEST: Final = "eoloom.org/pipeline-digest"
"""Annotation: SHA-256 of the pipeline."""
USER: Final = "eoloom.org/user"
"""Annotation: who has deployed it."""
AUTHORITY: Final = "eoloom.org/authority"
"""Annotation of pods: which authority their certificates are of, so that a new one restarts all."""
KEEP: Final = "eoloom.org/keep"
"""Annotation `"true"`: holds what was computed, and outlives the pipeline."""
DESCRIPTION: Final = "kubernetes.io/description"

MANAGER: Final = "eoloom"
COMPONENT_ROLE: Final = "component"
ORCHESTRATOR_ROLE: Final = "orchestrator"
ORCHESTRATOR: Final = "eoloom-orchestrator"
ORCHESTRATOR_IMAGE: Final = "orchestrator"
"""As `eoloom images build` names it, below the registry with project."""


def instance_labels(deployment: str, pipeline: str) -> dict[str, str]:
    """Return what every object of a deployed pipeline carries."""
    return {INSTANCE: deployment, PART_OF: pipeline, MANAGED_BY: MANAGER}


def node_selector(deployment: str, node: str) -> dict[str, str]:
    """Return what the pods of one node have and no others have."""
    return {INSTANCE: deployment, NODE: node}


def role_selector(deployment: str, role: str) -> dict[str, str]:
    """Return what all pods of a role have in one deployed pipeline."""
    return {INSTANCE: deployment, ROLE: role}
