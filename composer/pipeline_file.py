"""A pipeline as a file: reading with all faults and their lines, overrides, writing.

A file with faults is read as far as it can be understood, so that what the file says wrong and
what does not fit the components can be reported together.
"""

from __future__ import annotations

import copy
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from composer.document import Document, parse_document, read_document
from composer.errors import DocumentError, Fault, FaultCode, PipelineError
from composer.overrides import apply_override
from composer.pipeline import End, Pipeline
from composer.validation import Finding, explain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from composer.document import Place

_ATTEMPTS: Final = 10
_NODE_OPERATION: Final = re.compile(r"([\w-]+)\.(\w+)")
_PLACEHOLDER: Final = {"name": "unnamed", "nodes": {}}
"""What stands in for required fields that are missing, while the rest is checked."""


@dataclass(frozen=True)
class PipelineFile:
    """A pipeline with what is known of its text."""

    pipeline: Pipeline
    """What could be understood: nodes and links with faults of form are left out."""
    source: str = "pipeline"
    """What messages call the file."""
    folder: Path = field(default_factory=Path.cwd)
    """Relative paths in parameters are relative to this."""
    faults: tuple[Fault, ...] = ()
    document: Document = field(default=Document(None, {}), repr=False)
    left_out: frozenset[str] = frozenset()
    """Names of nodes that the file has, but that could not be understood."""
    link_numbers: tuple[int, ...] | None = None
    """Position in the file of each link of `pipeline`; None if none was left out."""
    mentioned: frozenset[End] = frozenset()
    """Operations that malformed links name: they are not to be called unlinked as well."""
    overridden: frozenset[Place] = frozenset()
    """Node and parameter of each value that the file does not have."""

    def line(self, *place: str | int) -> int | None:
        """Return the line of a place in the file; None for a pipeline that is not from a file."""
        return self.document.line(place)

    def link_line(self, number: int) -> int | None:
        """Return the line of a link of `pipeline`."""
        return self.line("links", self.link_numbers[number] if self.link_numbers else number)

    def is_overridden(self, node: str, place: Place) -> bool:
        """Say whether a parameter, or one that it is part of, was set from outside the file."""
        whole = (node, *place)
        return any(whole[: len(above)] == above for above in self.overridden)

    def base(self, node: str, place: Place) -> Path:
        """Return the folder to which a path in a parameter is relative.

        What was set from outside the file is relative to the current folder.
        """
        return Path.cwd() if self.is_overridden(node, place) else self.folder


def load_pipeline(path: Path, overrides: Iterable[str] = ()) -> PipelineFile:
    """Read a pipeline file. Its faults are in the result, for `graph.compose` to report.

    `overrides` are texts `NODE.PARAMETER=VALUE`, the value in YAML. Raises PipelineError if the
    file is not readable as YAML at all.
    """
    try:
        document = read_document(path)
    except DocumentError as error:
        fault = Fault("file", error.message, FaultCode.DOCUMENT, line=error.line)
        raise PipelineError([fault], str(path)) from error
    return _read(document, overrides, str(path), path.resolve().parent)


def parse_pipeline(
    text: str,
    overrides: Iterable[str] = (),
    *,
    source: str = "pipeline",
    folder: Path | None = None,
) -> PipelineFile:
    """Read the text of a pipeline file, as `load_pipeline` does."""
    try:
        document = parse_document(text)
    except DocumentError as error:
        fault = Fault("file", error.message, FaultCode.DOCUMENT, line=error.line)
        raise PipelineError([fault], source) from error
    return _read(document, overrides, source, folder or Path.cwd())


def save_pipeline(pipeline: Pipeline, path: Path) -> None:
    """Write a pipeline file: whole or not at all. Raises OSError."""
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_text(pipeline.to_yaml(), encoding="utf-8")
    temporary.replace(path)


def _read(document: Document, overrides: Iterable[str], source: str, folder: Path) -> PipelineFile:
    faults = [
        Fault(_place(document.value, place), "is given twice", FaultCode.NAME, line=line)
        for place, line in document.duplicates
    ]
    # By way of JSON, because values that YAML aliases share must become separate ones.
    value = json.loads(json.dumps(document.value))
    applied = [apply_override(value, text) for text in overrides]
    faults += [fault for fault in applied if isinstance(fault, Fault)]
    overridden = frozenset(place for place in applied if not isinstance(place, Fault))
    understood = _understand(value, document, faults)
    named = value.get("nodes") if isinstance(value, dict) else None
    nodes = named if isinstance(named, dict) else {}
    return PipelineFile(
        pipeline=understood.pipeline,
        source=source,
        folder=folder,
        faults=tuple(faults),
        document=document,
        left_out=frozenset(nodes) - frozenset(understood.pipeline.nodes),
        link_numbers=understood.link_numbers,
        mentioned=frozenset(_mentioned(value, understood.link_numbers)),
        overridden=overridden,
    )


def _mentioned(value: Any, link_numbers: tuple[int, ...]) -> Iterator[End]:
    links = value.get("links") if isinstance(value, dict) else None
    for number, link in enumerate(links if isinstance(links, list) else ()):
        if number not in link_numbers:
            yield from (End(*names) for names in _NODE_OPERATION.findall(str(link)))


@dataclass(frozen=True)
class _Understood:
    pipeline: Pipeline
    link_numbers: tuple[int, ...]


def _understand(value: Any, document: Document, faults: list[Fault]) -> _Understood:
    """Validate a pipeline; report what does not fit, leave it out, and validate the rest."""
    rest = copy.copy(value) if isinstance(value, dict) else value
    links = value.get("links") if isinstance(value, dict) else None
    numbers = list(range(len(links))) if isinstance(links, list) else []
    for attempt in range(_ATTEMPTS):
        try:
            return _Understood(Pipeline.model_validate(rest), tuple(numbers))
        except ValidationError as error:
            findings = explain(error, Pipeline, rest)
        if attempt == 0:
            faults.extend(_fault(finding, value, document) for finding in findings)
        rest = _without(rest, findings, numbers)
    return _Understood(Pipeline.model_validate(_PLACEHOLDER), ())


def _without(value: Any, findings: list[Finding], link_numbers: list[int]) -> dict[str, Any]:
    """Return the document without the places of the findings; what is required is filled in."""
    if not isinstance(value, dict):
        return dict(_PLACEHOLDER)
    rest = copy.deepcopy(value)
    # Backwards, so that positions in a sequence stay right while later ones are removed.
    for finding in sorted(findings, key=_order, reverse=True):
        place = finding.place
        if place[:1] == ("nodes",) and (finding.kind == "missing" or place[2:] == ("component",)):
            place = place[:2]  # a node without its component is no node
        if place:
            _remove(rest, place)
        if place[:1] == ("links",) and len(place) > 1 and isinstance(place[1], int):
            del link_numbers[place[1]]
    return {**_PLACEHOLDER, **rest}


def _order(finding: Finding) -> list[tuple[int, str]]:
    return [(key, "") if isinstance(key, int) else (0, key) for key in finding.place]


def _remove(value: Any, place: Place) -> None:
    for key in place[:-1]:
        value = value[key] if not isinstance(value, dict) else value.get(key)
        if value is None:
            return  # already gone with what it was part of
    if isinstance(value, list):
        del value[int(place[-1])]
    else:
        value.pop(place[-1], None)


def _fault(finding: Finding, value: Any, document: Document) -> Fault:
    place, line = finding.place, document.line(finding.place)
    if not place:
        return Fault("pipeline", finding.message, FaultCode.FIELD, finding.suggestion, line)
    code = FaultCode.FIELD
    if place[0] == "links" and len(place) == 2:
        code = FaultCode.LINK_SYNTAX
    return Fault(_place(value, place), finding.message, code, finding.suggestion, line)


def _place(value: Any, place: Place) -> str:
    """Say in words where a place is: the node, parameter or link."""
    if place[:1] == ("nodes",) and len(place) > 1:
        words = f"node {place[1]}"
        if place[2:3] == ("params",) and len(place) > 3:
            return f"{words}, parameter {'.'.join(map(str, place[3:]))}"
        return f"{words}, {'.'.join(map(str, place[2:]))}" if len(place) > 2 else words
    if place[:1] == ("links",) and len(place) == 2:
        return f"link {int(place[1]) + 1}"
    return ".".join(map(str, place))
