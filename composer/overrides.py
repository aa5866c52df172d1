"""Parameters set from outside the pipeline file: `NODE.PARAMETER=VALUE`, the value in YAML."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from composer.document import parse_document
from composer.errors import DocumentError, Fault, FaultCode
from composer.names import nearest

if TYPE_CHECKING:
    from composer.document import Place


def apply_override(document: Any, text: str) -> Place | Fault:
    """Set one parameter in the plain values of a pipeline file, in place.

    A parameter may be part of another one: `NODE.PARAMETER.KEY=VALUE`. Returns the node's name
    and the keys below its `params`, or what is wrong.
    """
    path, equals, new = text.partition("=")
    node, *keys = path.strip().split(".")
    if not equals or not keys or not all(keys):
        return _fault(text, "is not of the form NODE.PARAMETER=VALUE")
    nodes = document.get("nodes") if isinstance(document, dict) else None
    names = nodes if isinstance(nodes, dict) else {}
    if node in names and not isinstance(names[node], dict):
        return _fault(path, f"node {node} is not a mapping")
    if node not in names:
        return _fault(path, f"there is no node {node!r}", nearest(node, names))
    try:
        value = parse_document(new).value
    except DocumentError as error:
        return _fault(path, f"{new!r}: {error.message}")
    if names[node].get("params") is None:
        names[node]["params"] = {}
    target = names[node]["params"]
    for key in keys[:-1]:
        target = target.setdefault(key, {}) if isinstance(target, dict) else None
    if not isinstance(target, dict):
        above = ".".join([node, *keys[:-1]])
        return _fault(path, f"{above} is not a mapping, and has no {keys[-1]!r}")
    target[keys[-1]] = value
    return (node, *keys)


def _fault(path: str, message: str, suggestion: str | None = None) -> Fault:
    return Fault(f"override {path.strip()}", message, FaultCode.OVERRIDE, suggestion)
