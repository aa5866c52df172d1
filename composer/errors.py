"""The errors of this room.

    ComposerError
    ├── DocumentError          text that is not usable YAML
    ├── ManifestError          component.yaml, or a file it names, is unusable
    ├── ContractError          a descriptor set is unusable or disagrees with its manifest
    │   └── ProtoError         .proto text that protoc does not accept, or that is out of bounds
    ├── StoreError             the registry database refuses a change
    │   └── StoreUnavailableError  it cannot be used
    ├── SolutionError          a blueprint, its dockerinfo or a solution.zip is unusable
    │   └── MissingContractsError  contracts of its containers are not there
    ├── UnknownComponentError  no such component, or no such version of it
    └── PipelineError          a pipeline has faults; all of them

All are permanent: nothing here gets better by trying again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


_MAX_NAMED: Final = 20
"""Containers of which there is no contract; there may be thousands."""


class ComposerError(Exception):
    """Base of all errors of the composer."""


class DocumentError(ComposerError):
    """Text that cannot be read as one bounded YAML document of plain values."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(f"line {line}: {message}" if line else message)
        self.message = message
        self.line = line


class ManifestError(ComposerError):
    """A component's folder cannot be used; the message names the file and the field."""


class ContractError(ComposerError):
    """A descriptor set cannot be used, or does not hold what the manifest promises."""


class ProtoError(ContractError):
    """Text of a .proto file that is not accepted; the message names the lines."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


class StoreError(ComposerError):
    """A component cannot be put into the registry database, or not be read from it."""


class StoreUnavailableError(StoreError):
    """The registry database cannot be opened, reached, read or written."""


class SolutionError(ComposerError):
    """A blueprint.json, dockerinfo.json or solution.zip of AI4EU that cannot be used."""


class MissingContractsError(SolutionError):
    """Containers whose contract is neither given nor that of a component that is known."""

    def __init__(self, containers: Sequence[str], unreadable: Mapping[str, str]) -> None:
        """Name the containers, and why files were no use that could have been meant, by name."""
        self.containers = tuple(containers)
        faults = "".join(f"; {n[:200]}: {unreadable[n]}" for n in list(unreadable)[:_MAX_NAMED])
        shown = [name[:100] for name in self.containers[:_MAX_NAMED]]
        more = f" and {len(containers) - _MAX_NAMED} more" if len(containers) > _MAX_NAMED else ""
        files = ", ".join(f"{name}.proto" for name in shown)
        verb = "is" if len(containers) == 1 else "are"
        missing = f"{files}{more} {verb} missing{faults}"
        super().__init__(f"there is no contract of {', '.join(shown)}{more}: {missing}")


class UnknownComponentError(ComposerError):
    """There is no component of this name and version."""

    def __init__(self, message: str, suggestion: str | None = None) -> None:
        super().__init__(message)
        self.suggestion = suggestion


class FaultCode(StrEnum):
    """What kind of fault it is, for programs; people read the message."""

    DOCUMENT = "document"  # not YAML, too large, a key given twice
    FIELD = "field"  # an unknown, missing or malformed field of the pipeline file
    NAME = "name"  # a name that is not allowed
    LINK_SYNTAX = "link-syntax"
    OVERRIDE = "override"  # a NODE.PARAMETER=VALUE that cannot be applied
    UNKNOWN_COMPONENT = "unknown-component"
    UNKNOWN_NODE = "unknown-node"
    UNKNOWN_OPERATION = "unknown-operation"
    UNKNOWN_PARAMETER = "unknown-parameter"
    PARAMETER = "parameter"  # a missing parameter, or a value that its schema refuses
    UNKNOWN_FIELD = "unknown-field"
    FIELD_LINK = "field-link"  # a link to or from one field that cannot be made
    VALUE = "value"  # a literal value that does not fit its field, or has no place
    LINK_INTO_SOURCE = "link-into-source"
    LINK_FROM_SINK = "link-from-sink"
    SELF_LINK = "self-link"
    DUPLICATE_LINK = "duplicate-link"
    STRUCTURE = "structure"  # the messages of a link differ
    MEANING = "meaning"  # the collections of a link differ
    UNLINKED_INPUT = "unlinked-input"
    ISOLATED_NODE = "isolated-node"
    NO_SOURCE = "no-source"
    CYCLE = "cycle"


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with a pipeline, and where."""

    place: str
    """Such as `node clean, parameter resolution` or `link scenes.search -> clean.prepare`."""
    message: str
    code: FaultCode
    suggestion: str | None = None
    """The nearest valid name, if the fault is a name that does not exist."""
    line: int | None = None
    """Line of the pipeline file, from 1."""

    def __str__(self) -> str:
        hint = f"; did you mean {self.suggestion!r}?" if self.suggestion else ""
        return f"{self.place}: {self.message}{hint}"


class PipelineError(ComposerError):
    """A pipeline with faults: all that were found, in the order of the file.

    Those without a line come last.
    """

    def __init__(self, faults: Sequence[Fault], source: str = "pipeline") -> None:
        self.faults = tuple(sorted(faults, key=lambda fault: fault.line or math.inf))
        self.source = source
        super().__init__("\n".join(map(self._line, self.faults)))

    def _line(self, fault: Fault) -> str:
        return f"{self.source}:{fault.line}: {fault}" if fault.line else f"{self.source}: {fault}"
