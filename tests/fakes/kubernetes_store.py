"""The objects of the fake cluster: versions, history, and server-side apply with its owners.

The part of the real thing that the tests rely on, and no more: lists are merged by the keys in
`_KEYS`, every other list is one value. https://kubernetes.io/docs/reference/using-api/server-side-apply/
"""

import copy
import itertools
import json
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

Object = dict[str, Any]
Path = tuple[Any, ...]
Manager = tuple[str, str]
"""Name and operation."""

_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "env": "name",
    "volumes": "name",
    "volumeMounts": "mountPath",
    "ports": "name",
    "ownerReferences": "uid",
    "conditions": "type",
}
_IMMUTABLE = {
    "Job": [("spec", "template")],
    "Deployment": [("spec", "selector")],
    "PersistentVolumeClaim": [("spec", "accessModes"), ("spec", "storageClassName")],
}


class RefusalError(Exception):
    """An answer with a status other than success."""

    def __init__(self, code: int, reason: str, message: str, causes: list[Object] | None = None):
        super().__init__(message)
        self.code = code
        self.body = {
            "kind": "Status",
            "apiVersion": "v1",
            "status": "Failure",
            "message": message,
            "reason": reason,
            "code": code,
            "details": {"causes": causes or []},
        }


class Key(NamedTuple):
    plural: str
    namespace: str
    name: str


class Event(NamedTuple):
    version: int
    type: str
    plural: str
    object: Object


@dataclass
class Stored:
    object: Object
    owners: dict[Manager, set[Path]] = field(default_factory=dict)


class Store:
    """All objects, and all that has happened to them since `oldest`."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.objects: dict[Key, Stored] = {}
        self.history: list[Event] = []
        self.version = 100
        self.oldest = 0

    def get(self, key: Key) -> Object:
        with self.lock:
            if key not in self.objects:
                raise RefusalError(404, "NotFound", f'{key.plural} "{key.name}" not found')
            return copy.deepcopy(self.objects[key].object)

    def of(self, plural: str) -> list[Object]:
        with self.lock:
            found = [item.object for key, item in self.objects.items() if key.plural == plural]
            return copy.deepcopy(found)

    def apply(
        self, key: Key, applied: Object, manager: str, *, force: bool, dry_run: bool
    ) -> Object:
        """Apply server-side. Raises RefusalError for conflicts and fields that stay as they are."""
        with self.lock:
            old = self.objects.get(key)
            new = copy.deepcopy(old) if old else Stored({"metadata": {}})
            mine, wanted = (manager, "Apply"), dict(_leaves(_without_identity(applied)))
            self._take_over(new, mine, wanted, force=force)
            for path in new.owners.get(mine, set()) - set(wanted):
                if not any(path in paths for who, paths in new.owners.items() if who != mine):
                    _remove(new.object, path)
            for path, value in wanted.items():
                _put(new.object, path, value)
            new.owners[mine] = set(wanted)
            new.object |= {"apiVersion": applied["apiVersion"], "kind": applied["kind"]}
            new.object["metadata"] |= {"name": key.name}
            if key.namespace:
                new.object["metadata"]["namespace"] = key.namespace
            _default(new.object)
            _check_immutable(old.object if old else None, new.object)
            if dry_run:
                return _with_identity(copy.deepcopy(new.object), old)
            return self._write(key, new, old)

    def edit(self, key: Key, path: Path, value: Any, manager: str) -> Object:
        """Set one field, as `kubectl edit` or a controller would: it then belongs to them."""
        with self.lock:
            old = self.objects[key]
            new = copy.deepcopy(old)
            for paths in new.owners.values():
                paths.discard(path)
            new.owners.setdefault((manager, "Update"), set()).add(path)
            _put(new.object, path, value)
            return self._write(key, new, old)

    def put_status(self, key: Key, status: Object) -> None:
        """Set the status of an object, if it is there and its status differs."""
        with self.lock:
            old = self.objects.get(key)
            if old is not None and old.object.get("status") != status:
                new = copy.deepcopy(old)
                new.object["status"] = copy.deepcopy(status)
                self._write(key, new, old)

    def create(self, key: Key, an_object: Object) -> Object:
        with self.lock:
            new = Stored(copy.deepcopy(an_object))
            new.object["metadata"] |= {"name": key.name, "namespace": key.namespace}
            return self._write(key, new, None)

    def mark_deleted(self, key: Key, finalizer: str) -> Object:
        with self.lock:
            old = self.objects[key]
            new = copy.deepcopy(old)
            new.object["metadata"] |= {"deletionTimestamp": now(), "finalizers": [finalizer]}
            return self._write(key, new, old)

    def remove(self, key: Key) -> None:
        with self.lock:
            found = self.objects.pop(key, None)
            if found is not None:
                self.version += 1
                found.object["metadata"]["resourceVersion"] = str(self.version)
                self.history.append(Event(self.version, "DELETED", key.plural, found.object))

    def since(self, version: int, plural: str) -> list[Event]:
        """Return what has happened since. Raises RefusalError where that is forgotten."""
        with self.lock:
            if version < self.oldest:
                raise RefusalError(410, "Expired", f"too old resource version: {version}")
            return [
                event
                for event in self.history
                if event.version > version and event.plural == plural
            ]

    def forget(self) -> None:
        """Forget the history, as a real cluster does after some minutes."""
        with self.lock:
            self.version += 1
            self.oldest = self.version

    def _write(self, key: Key, new: Stored, old: Stored | None) -> Object:
        if old is not None and new.object == old.object:
            self.objects[key] = new
            return copy.deepcopy(new.object)
        self.version += 1
        metadata = new.object["metadata"]
        metadata.setdefault("uid", str(uuid.uuid4()))
        metadata.setdefault("creationTimestamp", now())
        metadata["resourceVersion"] = str(self.version)
        if old is None or new.object.get("spec") != old.object.get("spec"):
            metadata["generation"] = metadata.get("generation", 0) + 1
        metadata["managedFields"] = [
            {"manager": name, "operation": operation} for name, operation in new.owners
        ]
        self.objects[key] = new
        kind = "ADDED" if old is None else "MODIFIED"
        self.history.append(Event(self.version, kind, key.plural, copy.deepcopy(new.object)))
        return copy.deepcopy(new.object)

    def _take_over(
        self, new: Stored, mine: Manager, wanted: dict[Path, Any], *, force: bool
    ) -> None:
        causes = []
        for who, paths in new.owners.items():
            if who == mine:
                continue
            for path in sorted(paths & set(wanted), key=str):
                if _find(new.object, path) == wanted[path]:
                    continue
                if force:
                    paths.discard(path)
                    continue
                causes.append(
                    {
                        "reason": "FieldManagerConflict",
                        "message": f'conflict with "{who[0]}" using v1',
                        "field": _text(path),
                    }
                )
        if causes:
            message = f"Apply failed with {len(causes)} conflicts"
            raise RefusalError(409, "Conflict", message, causes)


def now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def _leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, dict) and value:
        for key, below in value.items():
            yield from _leaves(below, (*path, key))
    elif isinstance(value, list) and value and _is_keyed(path, value):
        name = _KEYS[path[-1]]
        for item in value:
            yield from _leaves(item, (*path, (name, item[name])))
    else:
        yield path, value


def _is_keyed(path: Path, value: list[Any]) -> bool:
    name = _KEYS.get(path[-1]) if path else None
    return bool(name) and all(isinstance(item, dict) and name in item for item in value)


def _step(value: Any, part: Any) -> Any:
    if isinstance(part, tuple):
        found = [item for item in value or [] if item.get(part[0]) == part[1]]
        return found[0] if found else None
    return value.get(part) if isinstance(value, dict) else None


def _find(value: Any, path: Path) -> Any:
    for part in path:
        value = _step(value, part)
    return value


def _put(target: Any, path: Path, value: Any) -> None:
    for part, following in itertools.pairwise(path):
        below = _step(target, part)
        if below is None:
            below = [] if isinstance(following, tuple) else {}
            if isinstance(part, tuple):
                below = {part[0]: part[1]}
                target.append(below)
            else:
                target[part] = below
        target = below
    target[path[-1]] = copy.deepcopy(value)


def _remove(target: Any, path: Path) -> None:
    """Remove a leaf, and what becomes empty by it."""
    above = _find(target, path[:-1])
    if isinstance(above, dict):
        above.pop(path[-1], None)
        if isinstance(path[-2], tuple) and set(above) <= {path[-2][0]}:
            _find(target, path[:-2]).remove(above)


def _text(path: Path) -> str:
    parts = [
        f"[{part[0]}={json.dumps(part[1])}]" if isinstance(part, tuple) else f".{part}"
        for part in path
    ]
    return "".join(parts)


def _without_identity(applied: Object) -> Object:
    metadata = {
        key: value for key, value in applied["metadata"].items() if key not in {"name", "namespace"}
    }
    rest = {key: value for key, value in applied.items() if key not in {"apiVersion", "kind"}}
    return {**rest, "metadata": metadata}


def _with_identity(an_object: Object, old: Stored | None) -> Object:
    if old is None:
        an_object["metadata"] |= {"uid": str(uuid.uuid4()), "creationTimestamp": now()}
    return an_object


def _default(an_object: Object) -> None:
    """Fill in a few of the real defaults: what is applied is not all that comes back."""
    spec = an_object.get("spec", {})
    if an_object["kind"] == "Deployment":
        spec.setdefault("replicas", 1)
        spec.setdefault("progressDeadlineSeconds", 600)
    if an_object["kind"] == "Service":
        spec.setdefault("sessionAffinity", "None")


def _check_immutable(old: Object | None, new: Object) -> None:
    for path in _IMMUTABLE.get(new["kind"], []) if old else []:
        if _find(old, path) != _find(new, path):
            kind, name = new["kind"], new["metadata"]["name"]
            message = f'{kind} "{name}" is invalid: {_text(path)[1:]}: field is immutable'
            raise RefusalError(422, "Invalid", message)
