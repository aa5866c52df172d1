"""Parameters of a node against the JSON schema of its component.

The schema comes with the component and may come from anybody: it is bounded, and its references
are never fetched.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import referencing
from jsonschema import Draft202012Validator, SchemaError
from referencing.exceptions import Unresolvable

from composer.errors import ManifestError
from composer.schema_errors import Refusal, refusals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from composer.document import Place

SCHEMA: Final = "params.schema.json"
MAX_BYTES: Final = 1 << 20
PATH_FORMAT: Final = "path-or-url"
"""JSON schema `format` of text that is a path or a URL."""

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|/vsi")


@dataclass(frozen=True)
class ParameterSchema:
    """The JSON schema (2020-12) of a component's parameters."""

    schema: Mapping[str, Any]

    @cached_property
    def _validator(self) -> Draft202012Validator:
        # The empty registry: a reference to anything outside the schema is not looked up.
        return Draft202012Validator(dict(self.schema), registry=referencing.Registry())

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all parameters."""
        return tuple(self.schema.get("properties", {}))

    def is_secret(self, name: str) -> bool:
        """Whether a parameter's value must not be shown: it is write-only, or a password."""
        schema = self.schema.get("properties", {}).get(name, {})
        return any(
            applied.get("writeOnly") or applied.get("format") == "password"
            for applied in self._applied([schema])
        )

    def check(self, params: Mapping[str, Any]) -> list[Refusal]:
        """Return everything that is wrong with the parameters of a node."""
        try:
            errors = list(self._validator.iter_errors(params))
        except (RecursionError, Unresolvable, re.error) as error:
            return [Refusal((), f"the component's schema cannot be used: {error}")]
        return [refusal for error in errors for refusal in refusals(error)]

    def with_absolute_paths(
        self, params: Mapping[str, Any], folder: Callable[[Place], Path]
    ) -> dict[str, Any]:
        """Return valid parameters with every relative path made absolute.

        `folder` says for a place to which folder its path is relative.
        """

        def absolute(value: Any, schemas: list[Any], place: Place) -> Any:
            applied = list(self._applied(schemas))
            if isinstance(value, dict):
                return {
                    key: absolute(below, [_member(s, key) for s in applied], (*place, key))
                    for key, below in value.items()
                }
            if isinstance(value, list):
                items = [schema.get("items") for schema in applied]
                return [absolute(below, items, (*place, i)) for i, below in enumerate(value)]
            if isinstance(value, str) and any(s.get("format") == PATH_FORMAT for s in applied):
                return absolute_path(value, folder(place))
            return value

        result: dict[str, Any] = absolute(dict(params), [self.schema], ())
        return result

    def local_paths(self, params: Mapping[str, Any]) -> dict[str, str]:
        """Return those parameters that are paths of this machine, by their dotted names.

        params: with absolute paths already.
        """
        places: list[Place] = []

        def note(place: Place) -> Path:
            places.append(place)
            return Path("/")

        self.with_absolute_paths(params, note)
        found = {}
        for place in places:
            value: Any = params
            for key in place:
                value = value[key]
            if value and not _URL.match(value):
                found[".".join(map(str, place))] = value
        return found

    def _applied(self, schemas: list[Any]) -> Iterator[Mapping[str, Any]]:
        """Yield the schemas with all alternatives and definitions they refer to, each once."""
        waiting = [schema for schema in schemas if isinstance(schema, dict)]
        seen: set[int] = set()
        while waiting:
            schema = waiting.pop()
            if id(schema) in seen:
                continue
            seen.add(id(schema))
            yield schema
            name = str(schema.get("$ref", "")).removeprefix("#/$defs/")
            found = [self.schema.get("$defs", {}).get(name)]
            for key in ("anyOf", "oneOf", "allOf"):
                found.extend(schema.get(key, ()))
            waiting.extend(schema for schema in found if isinstance(schema, dict))


NO_PARAMETERS: Final = ParameterSchema(
    {"type": "object", "properties": {}, "additionalProperties": False}
)


def load_schema(path: Path) -> ParameterSchema:
    """Read `params.schema.json`; a component without one has no parameters.

    Raises ManifestError.
    """
    if not path.exists():
        return NO_PARAMETERS
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        return parse_schema(content)
    except OSError as error:
        raise ManifestError(f"{path}: {error.strerror or error}") from error
    except ManifestError as error:
        raise ManifestError(f"{path}: {error}") from error


def parse_schema(content: bytes | str) -> ParameterSchema:
    """Read the JSON text of a schema of parameters. Raises ManifestError."""
    if len(content) > MAX_BYTES:
        raise ManifestError(f"larger than {MAX_BYTES} bytes")
    try:
        schema = json.loads(content)
        Draft202012Validator.check_schema(schema)
    except (ValueError, RecursionError) as error:
        raise ManifestError(f"not JSON: {error}") from error
    except SchemaError as error:
        place = ".".join(map(str, error.absolute_path)) or "the schema"
        raise ManifestError(f"{place}: {error.message}") from error
    if not isinstance(schema, dict) or schema.get("type") != "object":
        raise ManifestError("the schema of parameters must have type object")
    return ParameterSchema(schema)


def absolute_path(text: str, folder: Path) -> str:
    """Return a path as absolute, relative to `folder`; a URL or GDAL path stays as it is."""
    if not text or _URL.match(text):
        return text
    try:
        path = Path(text).expanduser()
    except RuntimeError:  # ~name of a user that does not exist: an ordinary file name then
        path = Path(text)
    return str((folder / path).resolve())


def _member(schema: Mapping[str, Any], key: str) -> Any:
    """Return the schema of one member of a mapping."""
    return schema.get("properties", {}).get(key, schema.get("additionalProperties"))
