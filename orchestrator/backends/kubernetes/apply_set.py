"""The parent of a deployment's objects: the ConfigMap with the pipeline says what belongs to it.

By the ApplySet specification of kubectl (KEP-3659): the parent's label carries an id, each member
the same id in `applyset.kubernetes.io/part-of`, and an annotation of the parent lists the kinds
that may have to be pruned. Members also have the parent as their owner, so that deleting it deletes
them; what holds results is a member without an owner.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from typing import Any, Final

from orchestrator.backends.kubernetes.objects import CLUSTER_KINDS, Object, ObjectKey
from orchestrator.render import labels

MEMBER_OF: Final = "applyset.kubernetes.io/part-of"
_ID: Final = "applyset.kubernetes.io/id"
_TOOLING: Final = "applyset.kubernetes.io/tooling"
_KINDS: Final = "applyset.kubernetes.io/contains-group-kinds"

PARENTS: Final = f"{labels.MANAGED_BY}={labels.MANAGER},{_ID}"
"""The selector of all parents."""


def parent_key(name: str, namespace: str) -> ObjectKey:
    """Return the key of a deployment's parent."""
    return ObjectKey("v1", "ConfigMap", namespace, name)


def set_id(name: str, namespace: str) -> str:
    """Return the id of a deployment, as the specification wants it."""
    digest = hashlib.sha256(f"{name}.{namespace}.ConfigMap.".encode()).digest()
    return f"applyset-{base64.urlsafe_b64encode(digest).decode().rstrip('=')}-v1"


def as_parent(
    root: Object, name: str, namespace: str, group_kinds: Iterable[str]
) -> dict[str, Any]:
    """Return the root of rendered objects as the parent of a deployment in a namespace."""
    metadata = root["metadata"]
    annotations = metadata.get("annotations") or {}
    return {
        **root,
        "metadata": {
            **metadata,
            "namespace": namespace,
            "labels": {**(metadata.get("labels") or {}), _ID: set_id(name, namespace)},
            "annotations": {
                **annotations,
                _TOOLING: "eoloom/v1",
                _KINDS: ",".join(sorted(set(group_kinds))),
            },
        },
    }


def group_kinds_of(parent: Object | None) -> set[str]:
    """Return the kinds that a parent lists, such as `Deployment.apps`."""
    annotations = ((parent or {}).get("metadata") or {}).get("annotations") or {}
    return {kind for kind in str(annotations.get(_KINDS, "")).split(",") if kind}


def as_member(an_object: Object, name: str, namespace: str) -> dict[str, Any]:
    """Return an object as a member of a deployment, in its namespace if its kind has one."""
    metadata = an_object["metadata"]
    place = {} if an_object["kind"] in CLUSTER_KINDS else {"namespace": namespace}
    return {
        **an_object,
        "metadata": {
            **metadata,
            **place,
            "labels": {**(metadata.get("labels") or {}), MEMBER_OF: set_id(name, namespace)},
        },
    }
