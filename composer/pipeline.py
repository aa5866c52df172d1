"""A pipeline as data: nodes, and links between their operations.

What it means for the components that exist is checked elsewhere (`graph.compose`).
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    PlainSerializer,
)

from composer.manifest import MAX_TIMEOUT_S, Resources
from composer.names import dns_label

_END = r"([^\s.]+)\.([^\s.]+)(?:\.([^\s.]+))?"
_LINK: Final = re.compile(rf"\s*{_END}\s*->\s*{_END}\s*")
_CONTAINER_PATH: Final = re.compile(r"(/[A-Za-z0-9._-]+)+")
_NUMBER: Final = re.compile(r"^[-+]?[0-9.]+([eE][-+]?[0-9]+)?$")


@dataclass(frozen=True, order=True)
class End:
    """One end of a link: an operation of a node, or one field of its message."""

    node: str
    operation: str
    field: str | None = None

    def __str__(self) -> str:
        return ".".join(filter(None, (self.node, self.operation, self.field)))

    @property
    def whole(self) -> End:
        """The same operation with its whole message."""
        return End(self.node, self.operation)


@dataclass(frozen=True, order=True)
class Link:
    """From the output of one operation to the input of another."""

    source: End
    target: End

    @classmethod
    def parse(cls, text: str) -> Link:
        """Read `node.operation -> node.operation`, each with `.field` or not.

        Raises ValueError.
        """
        match = _LINK.fullmatch(text)
        if match is None:
            raise ValueError("is not of the form node.operation -> node.operation")
        parts = match.groups()
        return cls(End(*parts[:3]), End(*parts[3:]))

    def __str__(self) -> str:
        return f"{self.source} -> {self.target}"


def _link(value: Any) -> Link:
    if isinstance(value, Link):
        return value
    if not isinstance(value, str):
        raise ValueError("is not text of the form node.operation -> node.operation")
    return Link.parse(value)


def _or_empty(value: Any) -> Any:
    """Read a key without a value, as in `links:` with nothing below, as an empty mapping."""
    return {} if value is None else value


def _container_path(path: str) -> str:
    if len(path) > 500 or not _CONTAINER_PATH.fullmatch(path) or ".." in path.split("/"):
        raise ValueError("is not an absolute path such as /data/shared")
    return path


OrEmpty = BeforeValidator(_or_empty)
ContainerPath = Annotated[str, AfterValidator(_container_path)]
LinkText = Annotated[Link, BeforeValidator(_link), PlainSerializer(str, return_type=str)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Node(_Model):
    """One use of a component."""

    component: str = Field(min_length=1, max_length=120)
    """`name` for the newest version, or `name@version`."""
    params: Annotated[dict[str, JsonValue], OrEmpty] = {}
    timeout_s: float | None = Field(default=None, gt=0, le=MAX_TIMEOUT_S)
    """Deadline of each call, instead of the one that the component declares."""
    concurrency: int = Field(default=1, ge=1, le=1_024)
    """How many calls of a unary operation run at once, on each replica."""
    replicas: int = Field(default=1, ge=1, le=100)
    """How many processes or containers of the component share the calls."""
    resources: Resources | None = None
    """What one replica gets, instead of what the component declares."""
    on_error: Literal["fail", "skip"] = "fail"
    """Whether a message that fails ends the run, or is set aside."""
    values: Annotated[dict[str, Annotated[dict[str, JsonValue], OrEmpty]], OrEmpty] = {}
    """Literals for fields that nothing is linked to, by operation and name of the field."""
    shared_folder: ContainerPath | None = None
    """Where the container wants the shared folder of the run. A node with one may do all that it
    does there, without a link."""


class Pipeline(_Model):
    """The content of a pipeline file."""

    name: Annotated[str, AfterValidator(dns_label)]
    title: str | None = Field(default=None, max_length=200)
    description: str | None = Field(default=None, max_length=10_000)
    nodes: dict[str, Node]
    """By name; the names are DNS labels, which `compose` checks with everything else."""
    links: Annotated[tuple[LinkText, ...], BeforeValidator(lambda v: () if v is None else v)] = ()
    positions: Annotated[dict[str, JsonValue], OrEmpty] = {}
    """Where an editor drew the nodes; it has no meaning here."""

    def plain(self) -> dict[str, Any]:
        """Return plain values as they stand in a file, without what is left at its default."""
        values: dict[str, Any] = self.model_dump(mode="json", exclude_defaults=True)
        return values

    @property
    def digest(self) -> str:
        """SHA-256 of all that has a meaning, as 64 hexadecimal digits.

        Neither the order of nodes and links nor the positions count.
        """
        values = self.plain()
        values.pop("positions", None)
        values["links"] = sorted(values.get("links", ()))
        text = json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def to_yaml(self) -> str:
        """Return the text of a pipeline file that reads back as this pipeline."""
        return yaml.dump(
            self.plain(), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100
        )


class _Dumper(yaml.SafeDumper):
    """Quotes text that the reader would take for a number, but YAML 1.1 would not (`1e-4`)."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", _NUMBER, list("-+.0123456789"))
