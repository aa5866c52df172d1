"""A blueprint of AI4EU Experiments becomes a pipeline of ours.

Each container becomes a node of a component: of one that is known, if it has the same contract, or
of one that is onboarded for this pipeline. What has no counterpart is left out with a warning.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from composer.blueprint import ORCHESTRATOR, parse_blueprint, parse_dockerinfo
from composer.component_match import ComponentFinder
from composer.contract_match import ContractFinder
from composer.errors import MissingContractsError, SolutionError
from composer.manifest import NodeType
from composer.mappers import MAPPERS, Edge, Literal, is_mapper, rewire
from composer.names import as_dns_label
from composer.pipeline import Link, Pipeline
from composer.validation import explain

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from composer.blueprint import Blueprint, BlueprintNode
    from composer.component import Component
    from composer.contract import Message
    from composer.registry import Registry

DEFAULT_SHARED_FOLDER: Final = "/data/shared"


@dataclass(frozen=True)
class Address:
    """Where a container serves already."""

    host: str
    port: int

    def __str__(self) -> str:
        """Return the address as gRPC takes it: always a host, never another scheme."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"dns:///{host}:{self.port}"


@dataclass(frozen=True)
class ImportedPipeline:
    """A pipeline that was made of a solution. It may have cycles: compose it with `cycles`."""

    pipeline: Pipeline
    registry: Registry
    """All components that were known, and those that the solution brought."""
    onboarded: tuple[Component, ...]
    """Those that it brought."""
    addresses: Mapping[str, Address]
    """By node, for those that dockerinfo.json names."""
    warnings: tuple[str, ...]
    """What has no counterpart and was left out or changed."""


def import_blueprint(
    blueprint: str | bytes,
    dockerinfo: str | bytes | None,
    protofiles: Mapping[str, str],
    registry: Registry,
    *,
    shared_folders: Mapping[str, str] | None = None,
) -> ImportedPipeline:
    """Make a pipeline of the texts of a solution.

    protofiles: texts of contracts: of each container by `<container_name>.proto`, in any case, or
        as its proto_uri ends; others are known by their operations.
    shared_folders: where containers want the shared folder, by their names in lower case, as
        their deployments say: the original removes SharedFolder nodes when it packs a solution.

    Raises SolutionError naming the container; MissingContractsError naming all whose contract is
    neither given nor that of a known component.
    """
    plan = parse_blueprint(blueprint)
    addresses = parse_dockerinfo(dockerinfo) if dockerinfo is not None else None
    work = _Import(plan, registry, protofiles)
    work.name_nodes()
    work.find_components()
    work.mount(shared_folders or {})
    rewired = rewire(plan)
    work.warnings += rewired.warnings
    work.give_values(rewired.literals)
    links = list(dict.fromkeys(filter(None, map(work.link, rewired.edges))))
    work.note_rest(links)
    known = {entry.container_name.lower(): entry for entry in addresses or ()}
    unknown = [c.container_name for k, c in work.containers.items() if k not in known]
    if addresses is not None and unknown:
        work.warnings.append(f"dockerinfo.json has no address of {', '.join(sorted(unknown))}")
    return ImportedPipeline(
        pipeline=work.pipeline(links),
        registry=registry.extended(work.finder.onboarded),
        onboarded=tuple(work.finder.onboarded),
        addresses={
            work.names[key]: Address(known[key].ip_address, known[key].port)
            for key in work.containers
            if key in known
        },
        warnings=tuple(dict.fromkeys(work.warnings)),
    )


@dataclass
class _Import:
    """The state of one import. Containers are known by their names in lower case."""

    blueprint: Blueprint
    registry: Registry
    protofiles: Mapping[str, str]
    containers: dict[str, BlueprintNode] = field(default_factory=dict)
    shared: dict[str, BlueprintNode] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    """Name of the node of each container."""
    components: dict[str, Component] = field(default_factory=dict)
    options: dict[str, dict[str, Any]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.contracts = ContractFinder(self.blueprint.nodes, self.protofiles, self.warnings)
        carried = self.own.get("components")
        self.finder = ComponentFinder(
            self.registry,
            self.contracts,
            carried if isinstance(carried, dict) else {},
            self.warnings,
        )

    @property
    def own(self) -> dict[str, Any]:
        """What a blueprint of ours says of the whole pipeline."""
        return self.blueprint.eoloom if isinstance(self.blueprint.eoloom, dict) else {}

    def name_nodes(self) -> None:
        """Sort the nodes of the blueprint, and give containers names that nodes may have."""
        seen: set[str] = set()
        taken = {ORCHESTRATOR}
        for node in self.blueprint.nodes:
            key = node.container_name.lower()
            if key in seen:
                words = f"blueprint.json: {node.container_name} is there twice"
                raise SolutionError(words)
            seen.add(key)
            if node.type is NodeType.SHARED_FOLDER:
                self.shared[key] = node
            elif node.type is NodeType.PROBE:
                words = f"Probe {node.container_name}: runs can be watched without one"
                self.warnings.append(f"{words}; it is left out")
            elif node.type in MAPPERS and not self.contracts.has_own_file(node):
                if not is_mapper(node):
                    words = f"{node.node_type} {node.container_name}: it does not say what it maps"
                    self.warnings.append(f"{words}; it is left out")
            elif not is_mapper(node) and key != ORCHESTRATOR:
                self.containers[key] = node
                self.names[key] = _free(as_dns_label(node.container_name), taken)
                taken.add(self.names[key])
        if any(probe.value.lower() == "true" for probe in self.blueprint.probe_indicator):
            self.warnings.append("probeIndicator: runs can be watched without a probe")

    def find_components(self) -> None:
        """Find or onboard the component of every container. Raises MissingContractsError."""
        for key, node in self.containers.items():
            name = node.container_name
            if self.names[key] != key:
                self.warnings.append(f"container {name}: its node is called {self.names[key]}")
            if node.type is None:
                words = f"container {name}: {node.node_type!r} is no type of node that is known"
                self.warnings.append(f"{words}; it is taken for an {NodeType.MODEL}")
            if node.data_broker_map:
                words = f"container {name}: its data_broker_map is left out"
                self.warnings.append(f"{words}; a component reads data by its own means")
            options = self.finder.options_of(node)
            component = self.finder.find(node, options)
            if component is not None:
                self.components[key] = component
            self.options[key] = options
        if self.finder.missing:
            missing = [node.container_name for node in self.finder.missing]
            raise MissingContractsError(missing, self.contracts.unreadable)
        for name, reason in self.contracts.unreadable.items():
            self.warnings.append(f"{name} is no contract that can be read: {reason}")

    def mount(self, shared_folders: Mapping[str, str]) -> None:
        """Give the shared folder to the nodes that SharedFolder nodes are linked to."""
        for node in self.shared.values():
            path = node.container_name if node.container_name.startswith("/") else ""
            for operation in node.operation_signature_list:
                for connection in operation.connected_to:
                    key = connection.container_name.lower()
                    self._mount(key, path or DEFAULT_SHARED_FOLDER)
        for key, path in shared_folders.items():
            # Of our own solutions the blueprint says more.
            if key in self.containers and self.containers[key].eoloom is None:
                self._mount(key, path)

    def _mount(self, key: str, path: str) -> None:
        if key in self.options:
            self.options[key].setdefault("shared_folder", path)

    def give_values(self, literals: Iterable[Literal]) -> None:
        """Turn the literals of mappers into those of nodes."""
        for literal in literals:
            component = self.components.get(literal.target)
            operation = component and component.contract.operations.get(literal.operation)
            known = operation.input.numbered(literal.position) if operation else None
            if known is None:
                words = f"a literal for field {literal.position} of {literal.target}"
                self.warnings.append(f"{words}.{literal.operation}: there is no such field")
                continue
            values = self.options[literal.target].setdefault("values", {})
            values.setdefault(literal.operation, {})[known.name] = literal.value

    def link(self, edge: Edge) -> str | None:
        """Return the text of a link, or None for one that joins no operations."""
        if edge.source in self.shared:
            return None
        ends = [(edge.source, edge.operation), (edge.target, edge.target_operation)]
        for key, operation in ends:
            if key not in self.components:
                known = {n.container_name.lower() for n in self.blueprint.nodes}
                if key not in known:
                    self.warnings.append(f"a link names the container {key!r}, which there is not")
                return None
            if operation not in self.components[key].contract.operations:
                words = f"container {self.containers[key].container_name}"
                self.warnings.append(
                    f"{words}: its contract has no operation {operation!r}; its links are left out"
                )
                return None
        sent = self.components[edge.source].contract.operations[edge.operation].output
        taken = self.components[edge.target].contract.operations[edge.target_operation].input
        source = self._end(edge.source, edge.operation, sent, edge.source_position)
        target = self._end(edge.target, edge.target_operation, taken, edge.target_position)
        return f"{source} -> {target}" if source and target else None

    def _end(self, key: str, operation: str, message: Message, position: int | None) -> str | None:
        end = f"{self.names[key]}.{operation}"
        if position is None:
            return end
        known = message.numbered(position)
        if known is None:
            words = f"{message.name} of {end} has no field {position}"
            self.warnings.append(f"{words}; its link is left out")
            return None
        return f"{end}.{known.name}"

    def note_rest(self, links: Iterable[str]) -> None:
        """Warn of operations that the original calls again and again, linked or not."""
        sources = (Link.parse(link).source for link in links)
        linked = {str(source.whole) for source in sources}
        for key, node in self.containers.items():
            contract = self.components[key].contract
            for line in node.operation_signature_list:
                name = line.operation_signature.operation_name
                operation = contract.operations.get(name)
                end = f"{self.names[key]}.{name}"
                is_source = operation is not None and not operation.input.fields
                if is_source and len(contract.operations) > 1 and end not in linked:
                    words = f"container {node.container_name}: nothing is linked to {name}"
                    self.warnings.append(f"{words}, so it is not called")

    def pipeline(self, links: list[str]) -> Pipeline:
        """Return the pipeline. Raises SolutionError if it is out of bounds."""
        kept: dict[str, Any] = {
            key: self.own[key] for key in ("title", "description", "positions") if key in self.own
        }
        nodes = {self.names[key]: self.options[key] for key in self.containers}
        values = {
            "name": as_dns_label(self.blueprint.name or "imported"),
            "nodes": nodes,
            "links": links,
        }
        attempts: list[dict[str, Any]] = [{**values, **kept}, values]
        for attempt in attempts:
            try:
                return Pipeline.model_validate(attempt)
            except ValidationError as error:
                findings = "; ".join(map(str, explain(error, Pipeline, attempt)[:5]))
        raise SolutionError(f"blueprint.json: {findings}")


def _free(name: str, taken: set[str]) -> str:
    """Return a name that is not taken: with a number at its end if need be."""
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name[:58]}-{number}"
    return free
