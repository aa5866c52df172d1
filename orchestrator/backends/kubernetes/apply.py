"""Apply the objects of a deployment server-side, and prune what is no longer part of it."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterable
from typing import Any, Final

from orchestrator.backends.kubernetes.apply_set import (
    MEMBER_OF,
    as_member,
    as_parent,
    group_kinds_of,
    parent_key,
    set_id,
)
from orchestrator.backends.kubernetes.changes import Action, Change, action_between, restricted_to
from orchestrator.backends.kubernetes.cluster import FIELD_MANAGER, Answer, Cluster
from orchestrator.backends.kubernetes.errors import (
    ClusterAccessError,
    ClusterError,
    FieldConflictError,
)
from orchestrator.backends.kubernetes.jobs import is_at_work
from orchestrator.backends.kubernetes.objects import (
    Object,
    ObjectKey,
    has_failed,
    in_order,
    key_of,
    labels_of,
    pod_template_of,
)
from orchestrator.backends.kubernetes.quota import check_quota
from orchestrator.render import labels
from orchestrator.render.checks import Reference
from orchestrator.render.ownership import is_kept, owned, root_of

SCALE_MANAGER: Final = "eoloom-scale"
"""The field manager of scaling: what it has set, a deployment may take back."""

_OWN_MANAGERS: Final = frozenset({FIELD_MANAGER, SCALE_MANAGER})
_NEEDED_KINDS: Final = {"Secret": "v1", "PersistentVolumeClaim": "v1"}
_REPLICAS: Final = ".spec.replicas"
_REPLACE_TIMEOUT_S: Final = 120.0
_AGAIN: Final = "its run has failed: it is tried again, and repeats no finished call"


class Deployer:
    """Applies the rendered objects of one deployment to the cluster's namespace.

    objects: as `orchestrator.render` makes them, their root among them. needs: what has to be in
    the namespace already, such as a Secret with keys. stop_runs: remove runs
    that are still at work and not part of the objects. Raises ClusterError, RenderError for objects
    that are no deployment.
    """

    def __init__(
        self,
        cluster: Cluster,
        objects: Iterable[Object],
        *,
        needs: Iterable[Reference] = (),
        stop_runs: bool = False,
    ) -> None:
        self._cluster = cluster
        self._needs = tuple(needs)
        self._stop_runs = stop_runs
        rendered = [dict(each) for each in objects]
        self._root = root_of(rendered)
        self._name = str(self._root["metadata"]["name"])
        self._members = [
            as_member(each, self.name, cluster.namespace)
            for each in in_order(rendered)
            if each is not self._root
        ]
        _check(self.name, self._members)

    @property
    def name(self) -> str:
        """The name of the deployment, unique in its namespace."""
        return self._name

    def preview(self) -> list[Change]:
        """Return what applying would change; the cluster checks it all, and changes nothing.

        Raises ClusterError where the cluster would refuse, an object belongs to somebody else, or
        a run is still at work; QuotaExceededError.
        """
        self._check_namespace()
        self._check_needs()
        before = self._parent()
        present = [*members(self._cluster, self.name, before), *([before] if before else [])]
        check_quota(self._cluster, [self._root, *self._members], present)
        uid = str(before["metadata"]["uid"]) if before else ""
        changes = [self._apply_parent(before, self._group_kinds(), dry_run=True)]
        changes += [self._apply_member(each, dry_run=True) for each in self._owned(uid)]
        return changes + self._prunable(before)

    def apply(self) -> list[Change]:
        """Apply all objects, then prune; return what has changed.

        What was applied before a failure stays: applying again goes on. Raises ClusterError.
        """
        before = self._parent()
        # The kinds that were are kept until the prune is over, so that a failed one is repeated.
        kinds = self._group_kinds() | group_kinds_of(before)
        first = self._apply_parent(before, kinds, dry_run=False)
        uid = str((first.after or {})["metadata"]["uid"])
        pruned = self._prunable(before)
        changes = [self._apply_member(each, dry_run=False) for each in self._owned(uid)]
        for change in reversed(pruned):
            if change.action is Action.PRUNE:
                self._cluster.delete(change.key)
        if kinds != self._group_kinds():
            first = self._apply_parent(before, self._group_kinds(), dry_run=False)
        return [first, *changes, *pruned]

    def _check_namespace(self) -> None:
        """Raise ClusterError where the namespace does not exist; making one takes wider rights."""
        namespace = self._cluster.namespace
        try:
            found = self._cluster.get(ObjectKey("v1", "Namespace", "", namespace))
        except ClusterAccessError:
            return  # no permission to look: the applies will tell
        if found is None:
            raise ClusterError(
                f"the cluster has no namespace {namespace}: choose another with --namespace, or "
                f"have it made (`kubectl create namespace {namespace}`)"
            )

    def _check_needs(self) -> None:
        """Raise ClusterError naming everything that has to be there already and is not."""
        missing = []
        for need in self._needs:
            api_version = _NEEDED_KINDS.get(need.kind)
            if api_version is None:
                continue
            key = ObjectKey(api_version, need.kind, self._cluster.namespace, need.name)
            try:
                if self._cluster.get(key) is None:
                    missing.append(str(key))
            except ClusterAccessError:
                continue  # Secrets are often not to be read; the pods will tell
        if missing:
            raise ClusterError(
                f"the namespace {self._cluster.namespace} lacks what the profile names: "
                f"{', '.join(missing)}"
            )

    def _owned(self, parent_uid: str) -> list[dict[str, Any]]:
        """Return the members with references to their parent, where it exists already."""
        if not parent_uid:
            return self._members
        return list(owned([self._root, *self._members], parent_uid))[1:]

    def _group_kinds(self) -> set[str]:
        return {key_of(member).group_kind for member in self._members}

    def _parent(self) -> dict[str, Any] | None:
        """Return the parent as it is, or None. Raises ClusterError where it cannot be ours."""
        key = parent_key(self.name, self._cluster.namespace)
        parent = self._cluster.get(key)
        if parent is None:
            return None
        if parent["metadata"].get("deletionTimestamp"):
            raise ClusterError(
                f"the deployment {self.name} is just being removed; try again when it is gone"
            )
        if not group_kinds_of(parent):
            raise ClusterError(
                f"{key} exists already in the namespace {key.namespace} and was not made by "
                "EO Loom; choose another name or namespace, or remove it"
            )
        return parent

    def _apply_parent(
        self, before: Object | None, group_kinds: Iterable[str], *, dry_run: bool
    ) -> Change:
        parent = as_parent(self._root, self.name, self._cluster.namespace, group_kinds)
        answer, notes = self._apply_ours(parent, dry_run=dry_run)
        return _change(key_of(parent), before, answer, notes)

    def _apply_member(self, member: dict[str, Any], *, dry_run: bool) -> Change:
        key = key_of(member)
        before = self._cluster.get(key)
        self._refuse_foreign(key, before)
        try:
            answer, notes = self._apply_ours(member, dry_run=dry_run)
        except ClusterError as error:
            if before is None or not _is_immutable(error):
                raise
            self._refuse_replacing(key, before, member, error)
            return self._make_anew(key, before, member, dry_run=dry_run)
        if before is not None and has_failed(before):
            return self._make_anew(key, before, member, _AGAIN, dry_run=dry_run)
        return _change(key, before, answer, notes)

    def _apply_ours(self, member: dict[str, Any], *, dry_run: bool) -> tuple[Answer, list[str]]:
        """Apply a member; take back what we had set otherwise, and nobody else's fields.

        Replicas that somebody else has set, such as an autoscaler, stay theirs, with a note.
        """
        try:
            return self._cluster.apply(member, dry_run=dry_run), []
        except FieldConflictError as error:
            others = {
                field: manager
                for field, manager in error.fields.items()
                if manager not in _OWN_MANAGERS
            }
            if not others:
                return self._cluster.apply(member, dry_run=dry_run, force=True), []
            if set(others) != {_REPLICAS}:
                raise
            without = copy.deepcopy(member)
            wanted = without["spec"].pop("replicas")
            answer, notes = self._apply_ours(without, dry_run=dry_run)
            kept = answer.body["spec"].get("replicas")
            notes.append(
                f"replicas stay at {kept}, as {others[_REPLICAS]} has set them, not {wanted}"
            )
            return answer, notes

    def _refuse_foreign(self, key: ObjectKey, before: Object | None) -> None:
        """Raise ClusterError where an object of this name is not the deployment's."""
        if before is None:
            return
        found = labels_of(before)
        if found.get(MEMBER_OF) == set_id(self.name, self._cluster.namespace):
            return
        owner = found.get(labels.INSTANCE) if MEMBER_OF in found else ""
        whose = f"belongs to the deployment {owner}" if owner else "was not made by EO Loom"
        raise ClusterError(
            f"{key} exists already in the namespace {key.namespace} and {whose}; choose another "
            "name or namespace, or remove it"
        )

    def _refuse_replacing(
        self, key: ObjectKey, before: Object, member: dict[str, Any], error: ClusterError
    ) -> None:
        """Raise ClusterError for anything but a Job that has ended."""
        if is_kept(member):
            raise ClusterError(
                f"{error}\n{key} is kept for the results in it, with what it was made with: leave "
                f"storage as it was, or `eoloom undeploy {self.name} --delete-results` first",
                error.status,
                error.reason,
            ) from error
        if key.kind != "Job":
            raise ClusterError(
                f"{error}\nThis cannot be changed in place: `eoloom undeploy {self.name}` first",
                error.status,
                error.reason,
            ) from error
        if is_at_work(self._cluster, before):
            raise ClusterError(
                f"{key} is still at work, and a job cannot be changed: wait for its end, or "
                f"`eoloom undeploy {self.name}` first",
                error.status,
                error.reason,
            ) from error

    def _make_anew(
        self,
        key: ObjectKey,
        before: Object,
        member: dict[str, Any],
        *notes: str,
        dry_run: bool,
    ) -> Change:
        """Delete an object and apply it, because it cannot be changed or begin again in place."""
        shown = restricted_to(before, member)
        if dry_run:
            return Change(key, Action.REPLACE, shown, member, notes)
        self._cluster.delete(key, propagation="Foreground")
        deadline = time.monotonic() + _REPLACE_TIMEOUT_S
        while self._cluster.get(key) is not None:
            if time.monotonic() > deadline:
                raise ClusterError(f"{key} is not gone {_REPLACE_TIMEOUT_S:g} s after its deletion")
            time.sleep(0.5)
        answer = self._cluster.apply(member)
        return Change(key, Action.REPLACE, shown, member, notes, answer.warnings)

    def _prunable(self, parent: Object | None) -> list[Change]:
        """Return what is no longer part of it. Raises ClusterError for a run that is at work."""
        wanted = {key_of(member)[1:] for member in self._members}
        changes = []
        for found in members(self._cluster, self.name, parent):
            key = key_of(found)
            if key[1:] in wanted:
                continue
            runs = key.kind == "Job" and is_at_work(self._cluster, found)
            if runs and not self._stop_runs:
                raise ClusterError(
                    f"{key} of an earlier deployment is still at work; wait for its end, or stop "
                    "it with --stop-run: what it has computed stays in the claim"
                )
            action = Action.KEEP if is_kept(found) else Action.PRUNE
            notes = ("it is still at work, and stopped by this (--stop-run)",) if runs else ()
            changes.append(Change(key, action, before=found, notes=notes))
        return changes


def members(cluster: Cluster, name: str, parent: Object | None) -> list[dict[str, Any]]:
    """Return all objects of a deployment that its parent knows the kinds of."""
    selector = f"{MEMBER_OF}={set_id(name, cluster.namespace)}"
    found: list[dict[str, Any]] = []
    for group_kind in sorted(group_kinds_of(parent)):
        resource = cluster.resource_of_group_kind(group_kind)
        found += cluster.list(resource, labels=selector)[0]
    return in_order(found)


def _change(
    key: ObjectKey, before: Object | None, answer: Answer, notes: Iterable[str] = ()
) -> Change:
    action = action_between(before, answer.body)
    return Change(key, action, before, answer.body, tuple(notes), answer.warnings)


def _is_immutable(error: ClusterError) -> bool:
    return error.status == 422 and "immutable" in str(error)


def _check(name: str, objects: Iterable[Object]) -> None:
    """Raise ClusterError for objects that cannot be applied as one deployment."""
    seen: set[ObjectKey] = set()
    for an_object in objects:
        key = key_of(an_object)
        if not (key.api_version and key.kind and key.name):
            raise ClusterError(f"an object of {name} has no apiVersion, kind or name: {key}")
        if key in seen:
            raise ClusterError(f"{name} has two objects {key}")
        seen.add(key)
        template = pod_template_of(an_object)
        if template is not None and labels_of(template).get(labels.INSTANCE) != name:
            raise ClusterError(
                f"{key}: its pods need the label {labels.INSTANCE}: {name}, to be found by"
            )
