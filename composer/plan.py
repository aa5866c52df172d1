"""What is to run: nodes and operations of a checked pipeline, as immutable data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from composer.contract import Kind
from composer.pipeline import End

if TYPE_CHECKING:
    from collections.abc import Mapping

    from composer.component import Component
    from composer.contract import Operation
    from composer.fields import FieldLink
    from composer.manifest import OperationManifest
    from composer.pipeline import Link, Node


@dataclass(frozen=True)
class PlannedNode:
    """One use of a component, checked."""

    name: str
    component: Component
    params: Mapping[str, Any]
    """As given, with absolute paths; the component fills in its defaults."""
    options: Node
    """Deadline, concurrency and what to do on errors, as the pipeline file says."""

    def manifest_of(self, operation: str) -> OperationManifest:
        """Return what the component's manifest says of one operation."""
        return self.component.manifest.operations[operation]


@dataclass(frozen=True)
class PlannedOperation:
    """One operation of a node that the pipeline uses."""

    node: PlannedNode
    operation: Operation
    incoming: tuple[Link, ...]
    """In the order of the pipeline file, as are the outgoing links."""
    outgoing: tuple[Link, ...]
    field_links: tuple[FieldLink, ...] = ()
    """Those of the incoming links that start or end in a field, resolved."""
    literals: bytes = b""
    """Part of every request: the values that the pipeline file gives to fields."""

    @property
    def end(self) -> End:
        """Node and operation, as in a link."""
        return End(self.node.name, self.operation.name)

    @property
    def kind(self) -> Kind:
        """Source, relay or sink. What takes nothing but literals is a source."""
        return Kind.SOURCE if self.is_called_once else self.operation.kind

    @property
    def is_called_once(self) -> bool:
        """Whether its only request is made of literals."""
        return bool(self.operation.input.fields and self.literals and not self.incoming)

    @property
    def is_assembled(self) -> bool:
        """Whether its requests are put together from parts that come along several links."""
        return any(link.target is not None for link in self.field_links)

    @property
    def manifest(self) -> OperationManifest:
        """What the component's manifest says of the operation."""
        return self.node.manifest_of(self.operation.name)

    @property
    def timeout_s(self) -> float:
        """Deadline of one call: the node's, else the manifest's."""
        return self.node.options.timeout_s or self.manifest.timeout_s

    @property
    def is_terminal(self) -> bool:
        """Whether what it gives goes to no other operation: it is a result of the run."""
        return bool(self.operation.output.fields) and not self.outgoing

    def __str__(self) -> str:
        return str(self.end)
