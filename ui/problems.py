"""What is wrong with a pipeline that is being drawn, with the place on the canvas."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from composer.errors import Fault, PipelineError
from composer.graph import Graph, compose
from composer.pipeline_file import parse_pipeline

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from composer.registry import Registry
    from ui.workspace import Draft

MAX_PROBLEMS: Final = 200
"""How many are shown; whoever has mended these sees the others."""

_NODE: Final = re.compile(r"(?:node |nodes\.)([a-z0-9-]+)")
_PARAMETER: Final = re.compile(r"(?:parameter |\.params\.)([A-Za-z_]\w*)")
_LINK: Final = re.compile(r"link (\S+ -> \S+)")


@dataclass(frozen=True)
class Checked:
    """A pipeline as the composer sees it: a graph, or problems."""

    graph: Graph | None
    problems: tuple[dict[str, Any], ...] = ()


def check(document: Mapping[str, Any], registry: Registry, folder: Path) -> Checked:
    """Check a pipeline document; relative paths in it are relative to `folder`."""
    try:
        file = parse_pipeline(json.dumps(document), folder=folder)
        return Checked(compose(file, registry))
    except PipelineError as error:
        return Checked(None, tuple(_problem(fault) for fault in error.faults[:MAX_PROBLEMS]))


@dataclass
class Checker:
    """Checks a draft once per revision, however often the page shows it."""

    _key: tuple[str, int] | None = None
    _registry: Registry | None = None
    _checked: Checked | None = None

    def check(self, draft: Draft, registry: Registry, folder: Path) -> Checked:
        """Check the document of a draft; see `check`."""
        key = (draft.id, draft.revision)
        if self._checked is None or key != self._key or registry is not self._registry:
            self._checked = check(draft.document, registry, folder)
            self._key, self._registry = key, registry
        return self._checked


def _problem(fault: Fault) -> dict[str, Any]:
    link = _LINK.match(fault.place)
    node = None if link else _NODE.match(fault.place)
    parameter = _PARAMETER.search(fault.place) if node else None
    return {
        "message": fault.message if link or node else f"{fault.place}: {fault.message}",
        "code": fault.code.value,
        "suggestion": fault.suggestion,
        "node": node[1] if node else None,
        "link": link[1] if link else None,
        "parameter": parameter[1] if parameter else None,
    }
