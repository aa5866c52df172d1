"""What a deployment changes, object by object, and its unified diff."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import yaml

from orchestrator.backends.kubernetes.objects import Object, ObjectKey

# What the cluster keeps for itself: it changes without anybody's asking.
_BOOKKEEPING: Final = (
    "managedFields",
    "resourceVersion",
    "uid",
    "creationTimestamp",
    "generation",
    "selfLink",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
)
_REVISION: Final = "deployment.kubernetes.io/revision"


class Action(StrEnum):
    """What becomes of an object."""

    CREATE = "create"
    CHANGE = "change"
    REPLACE = "replace"
    """Deleted and made anew: it cannot be changed in place, or it has failed and begins again."""
    PRUNE = "prune"
    KEEP = "keep"
    """No longer part of the deployment, and left where it is for what it holds."""
    UNCHANGED = "unchanged"


@dataclass(frozen=True)
class Change:
    """One object of a deployment: before, and after as the cluster would have it or has it.

    notes: what was decided about it, in words. warnings: the cluster's.
    """

    key: ObjectKey
    action: Action
    before: Object | None = None
    after: Object | None = None
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def diff(self) -> Iterator[str]:
        """Yield the lines of a unified diff; none where nothing changes. Secrets are masked."""
        if self.action in {Action.UNCHANGED, Action.KEEP}:
            return
        before, after = meaningful(self.before), meaningful(self.after)
        if self.key.kind == "Secret":
            shown = _masked(after, before, "(hidden)")
            before, after = _masked(before, after, "(hidden, another one)"), shown
        yield from difflib.unified_diff(
            _lines(before),
            _lines(after),
            f"{self.key} (in the cluster)",
            f"{self.key} (as deployed)",
            lineterm="",
        )


def action_between(before: Object | None, after: Object) -> Action:
    """Return what was, or would be, done to an object."""
    if before is None:
        return Action.CREATE
    return Action.UNCHANGED if meaningful(before) == meaningful(after) else Action.CHANGE


def meaningful(an_object: Object | None) -> dict[str, Any]:
    """Return an object without its status and the cluster's bookkeeping; empty for None."""
    if an_object is None:
        return {}
    found: dict[str, Any] = copy.deepcopy(dict(an_object))
    found.pop("status", None)
    metadata = found.get("metadata") or {}
    for name in _BOOKKEEPING:
        metadata.pop(name, None)
    annotations = metadata.get("annotations") or {}
    annotations.pop(_REVISION, None)
    if not annotations:
        metadata.pop("annotations", None)
    return found


def restricted_to(an_object: Any, like: Any) -> Any:
    """Return of an object only what another also has: its defaults are left out."""
    if isinstance(an_object, Mapping) and isinstance(like, Mapping):
        return {
            key: restricted_to(value, like[key]) for key, value in an_object.items() if key in like
        }
    if isinstance(an_object, list) and isinstance(like, list) and len(an_object) == len(like):
        return [restricted_to(*pair) for pair in zip(an_object, like, strict=True)]
    return an_object


def _masked(
    an_object: Mapping[str, Any], other: Mapping[str, Any], different: str
) -> dict[str, Any]:
    """Return a Secret whose values only say whether they differ from the other's."""
    masked = dict(an_object)
    for part in ("data", "stringData"):
        values = an_object.get(part)
        if isinstance(values, dict):
            others = other.get(part) or {}
            masked[part] = {
                key: "(unchanged)" if others.get(key) == value else different
                for key, value in values.items()
            }
    return masked


def _lines(an_object: Object) -> list[str]:
    if not an_object:
        return []
    return yaml.safe_dump(dict(an_object), sort_keys=True, allow_unicode=True).splitlines()
