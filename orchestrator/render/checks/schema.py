"""Fields and types against the schemas of a version of Kubernetes; unknown fields are faults."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from composer.extras import install_command
from orchestrator.errors import RenderError
from orchestrator.render.checks.finding import Finding, finding

_API_DOMAIN = re.compile(r"^([^./]*)(?:\.[^/]*)?/")


def check_schemas(objects: Sequence[dict[str, Any]], version: str) -> list[Finding]:
    """Return what does not fit the schemas.

    Raises RenderError where they are not installed, or not those of the version.
    """
    _require_version(version)
    return [found for item in objects for found in _check(item, version)]


def _check(item: dict[str, Any], version: str) -> Iterator[Finding]:
    metadata = item.get("metadata")
    known = isinstance(metadata, dict) and isinstance(metadata.get("name"), str)
    if not (isinstance(item.get("kind"), str) and isinstance(item.get("apiVersion"), str)):
        yield finding({}, "", "has no kind and apiVersion")
        return
    if not known:
        yield finding({"kind": item["kind"]}, "metadata.name", "is missing")
        return
    validator = _validator(item["kind"], item["apiVersion"], version)
    if validator is None:
        told = f"Kubernetes {version} has no {item['kind']} in {item['apiVersion']}"
        yield finding(item, "", told)
        return
    for error in validator.iter_errors(item):
        place = "".join(
            f"[{key}]" if isinstance(key, int) else f".{key}" for key in error.absolute_path
        )
        yield finding(item, place.lstrip("."), error.message[:500])


@functools.cache
def _validator(kind: str, api_version: str, version: str) -> Draft202012Validator | None:
    """Return the validator of a kind, or None if the version has no such kind.

    It is kept, because reading the definitions takes longer than checking an object.
    """
    contents = _schemas().schema_contents
    folder = f"kubernetes-json-schema/v{version}.0-local-strict"
    # As kubernetes-validate names them: rbac.authorization.k8s.io/v1 is rbac-v1.
    group = _API_DOMAIN.sub(r"\1-", api_version)
    name = f"{kind.lower()}-{group}"
    try:
        schema = contents(f"{folder}/{name}.json", version)
    except FileNotFoundError:
        return None
    registry: Registry[Any] = Registry()
    for resource in (schema, _definitions(version)):
        registry = Resource.from_contents(resource) @ registry
    return Draft202012Validator(schema, registry=registry)


@functools.cache
def _definitions(version: str) -> Any:
    folder = f"kubernetes-json-schema/v{version}.0-local-strict"
    return _schemas().schema_contents(f"{folder}/_definitions.json", version)


@functools.cache
def _require_version(version: str) -> None:
    schemas = _schemas()
    there = list(dict.fromkeys(map(schemas.major_minor, schemas.all_versions())))
    if version not in there:
        raise RenderError(
            f"there are no schemas of Kubernetes {version!r} to check against, only those of "
            f"{', '.join(there)}: set kubernetes in the profile to the nearest"
        )


def _schemas() -> Any:
    """Return what lists and reads the schemas of kubernetes-validate."""
    try:
        from kubernetes_validate import utils
    except ImportError as error:
        raise RenderError(
            f"checking objects needs the schemas of Kubernetes: {install_command('k8s')}"
        ) from error
    return utils
