"""A pipeline of ours becomes a blueprint of AI4EU Experiments.

What its own tools know they get in their own words; links of single fields become Collators and
Splitters. The rest of each node stands under `eoloom`, where they do not look, so that an export
can be imported again as it was. What the original orchestrator will not do is a warning.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from composer.blueprint import ORCHESTRATOR, PORT
from composer.carried_components import carry
from composer.flatten import FlatContract, flatten_all
from composer.manifest import NodeType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from composer.contract import Message
    from composer.fields import FieldEnd, FieldLink
    from composer.graph import Graph
    from composer.pipeline import Link
    from composer.plan import PlannedNode, PlannedOperation

IMAGE_PREFIX: Final = "eoloom/"
"""Before `name:version`: what the images of components without one of their own are called."""
COLLATE: Final = "collate"
SPLIT: Final = "split"


@dataclass(frozen=True)
class ExportedBlueprint:
    """The texts of a solution."""

    blueprint: str
    dockerinfo: str
    protofiles: Mapping[str, str]
    """Text of each contract, by `<container_name>.proto`."""
    images: Mapping[str, str]
    """By node."""
    warnings: tuple[str, ...]


def export_blueprint(graph: Graph, *, image_prefix: str = IMAGE_PREFIX) -> ExportedBlueprint:
    """Return a pipeline in the words of AI4EU. Raises ContractError where its words clash."""
    nodes = list(graph.nodes.values())
    flat = dict(zip(graph.nodes, flatten_all([node.component for node in nodes]), strict=True))
    work = _Export(graph, flat, {node.name: _image(node, image_prefix) for node in nodes})
    containers = [work.node(node) for node in nodes]
    mappers = [*work.collators(), *work.splitters()]
    pipeline = graph.pipeline
    own: dict[str, Any] = {
        "title": pipeline.title,
        "description": pipeline.description,
        "positions": pipeline.positions,
        "components": {
            node.component.reference: carry(node.component, flat[node.name]) for node in nodes
        },
    }
    blueprint: dict[str, Any] = {
        "name": pipeline.name,
        "version": "1.0.0",
        "input_ports": [],
        "nodes": [*containers, *mappers],
        "probeIndicator": [{"value": "false"}],
        "eoloom": {key: value for key, value in own.items() if value},
    }
    entries = [
        {"container_name": name, "ip_address": name, "port": PORT}
        for name in (*graph.nodes, ORCHESTRATOR)
    ]
    return ExportedBlueprint(
        blueprint=_text(blueprint),
        dockerinfo=_text({"docker_info_list": entries}),
        protofiles={f"{name}.proto": contract.text for name, contract in flat.items()},
        images=work.images,
        warnings=tuple(_warnings(graph)),
    )


@dataclass(frozen=True)
class _Export:
    graph: Graph
    flat: Mapping[str, FlatContract]
    images: Mapping[str, str]

    def node(self, node: PlannedNode) -> dict[str, Any]:
        manifest = node.component.manifest
        name, version = manifest.name, manifest.version
        return {
            "container_name": node.name,
            "node_type": manifest.node_type.value,
            "image": self.images[node.name],
            "proto_uri": f"{name}/{version}/{name}-{version}.proto",
            "operation_signature_list": [
                self._operation(planned) for planned in self.graph.operations_of(node.name)
            ],
            "eoloom": node.options.model_dump(mode="json", exclude_defaults=True),
        }

    def _operation(self, planned: PlannedOperation) -> dict[str, Any]:
        rpc, names = planned.operation, self.flat[planned.node.name].names
        targets = dict.fromkeys(map(self._target, planned.outgoing))
        return {
            "operation_signature": {
                "operation_name": rpc.name,
                "input_message_name": names[rpc.input.name],
                "input_message_stream": rpc.input_stream,
                "output_message_name": names[rpc.output.name],
                "output_message_stream": rpc.output_stream,
            },
            "connected_to": [_connection(*target) for target in targets],
        }

    def _target(self, link: Link) -> tuple[str, str]:
        """Return the container and operation that a link leads to, perhaps a mapper's."""
        if link.target.field is not None:
            return _mapper_name(link.target.node, link.target.operation, "collator"), COLLATE
        if link.source.field is not None:
            return _mapper_name(link.source.node, link.source.operation, "splitter"), SPLIT
        return link.target.node, link.target.operation

    def collators(self) -> list[dict[str, Any]]:
        """Return one for each operation into whose fields links lead."""
        found = []
        for planned in self.graph.operations:
            lines = [link for link in planned.field_links if link.target is not None]
            if not lines:
                continue
            node, rpc = planned.node.name, planned.operation
            signature = self._signature(node, rpc.input)
            collator: dict[str, Any] = _mapper(
                _mapper_name(node, rpc.name, "collator"),
                NodeType.COLLATOR,
                (COLLATE, self.flat[node].names[rpc.input.name]),
                [(node, rpc.name)],
            )
            collator["collator_map"] = {
                "collator_type": "Parameter-based",
                "output_message_signature": signature,
                "map_inputs": [{"input_field": self._collated(link)} for link in lines],
                "map_outputs": [
                    {"output_field": _parameter(link.target)} for link in lines if link.target
                ],
            }
            found.append(collator)
        return found

    def _collated(self, link: FieldLink) -> dict[str, Any]:
        source = link.link.source
        sent = self.graph.nodes[source.node].component.contract.operations[source.operation].output
        return {
            "source_name": source.node,
            "operation_name": source.operation,
            "message_signature": self._signature(source.node, sent),
            **_parameter(link.source),
            "mapped_to_field": str(link.target.number) if link.target else "",
            "error_indicator": "False",
        }

    def splitters(self) -> list[dict[str, Any]]:
        """Return one for each operation out of whose fields links lead to whole messages."""
        splitters: dict[str, dict[str, Any]] = {}
        for planned in self.graph.operations:
            for link in planned.field_links:
                if link.source is not None and link.target is None:
                    self._split(planned, link.link, link.source, splitters)
        return list(splitters.values())

    def _split(
        self,
        planned: PlannedOperation,
        link: Link,
        taken: FieldEnd,
        splitters: dict[str, dict[str, Any]],
    ) -> None:
        """Add one line to the Splitter of the link's source."""
        source, target = link.source, link.target
        contract = self.graph.nodes[source.node].component.contract
        sent = contract.operations[source.operation].output
        name = _mapper_name(source.node, source.operation, "splitter")
        message = self.flat[source.node].names[sent.name]
        splitter = splitters.setdefault(
            name, _mapper(name, NodeType.SPLITTER, (SPLIT, message), [])
        )
        lines = splitter.setdefault(
            "splitter_map",
            {
                "splitter_type": "Parameter-based",
                "input_message_signature": self._signature(source.node, sent),
                "map_inputs": [],
                "map_outputs": [],
            },
        )
        connection = _connection(target.node, target.operation)
        connected = splitter["operation_signature_list"][0]["connected_to"]
        if connection not in connected:
            connected.append(connection)
        output = {
            "target_name": target.node,
            "operation_name": target.operation,
            "message_signature": self._signature(target.node, planned.operation.input),
            **_parameter(None),
            "mapped_to_field": str(taken.number),
            "error_indicator": "False",
        }
        lines["map_inputs"].append({"input_field": _parameter(taken)})
        lines["map_outputs"].append({"output_field": output})

    def _signature(self, node: str, message: Message) -> str:
        """Return a message as the mappers of Acumos describe it: JSON text."""
        arguments = [
            {
                "role": "repeated" if field.role == "repeated" else "",
                "name": field.name,
                "tag": str(field.number),
                "type": field.message or field.type,
            }
            for field in message.fields
        ]
        name = self.flat[node].names[message.name]
        return json.dumps({"messageName": name, "messageargumentList": arguments})


def _mapper(
    name: str, type_: NodeType, signature: tuple[str, str], targets: list[tuple[str, str]]
) -> dict[str, Any]:
    operation, message = signature
    return {
        "container_name": name,
        "node_type": type_.value,
        "image": "",
        "proto_uri": "",
        "operation_signature_list": [
            {
                "operation_signature": {
                    "operation_name": operation,
                    "input_message_name": message,
                    "input_message_stream": False,
                    "output_message_name": message,
                    "output_message_stream": False,
                },
                "connected_to": [_connection(*target) for target in targets],
            }
        ],
    }


def _connection(node: str, operation: str) -> dict[str, Any]:
    return {"container_name": node, "operation_signature": {"operation_name": operation}}


def _parameter(end: FieldEnd | None) -> dict[str, str]:
    """Return a field as the mappers of Acumos describe it; without a tag the whole message."""
    return {
        "parameter_tag": str(end.number) if end else "",
        "parameter_name": end.name if end else "",
        "parameter_type": end.type if end else "",
        "parameter_role": "repeated" if end and end.role == "repeated" else "",
    }


def _mapper_name(node: str, operation: str, kind: str) -> str:
    """Return the name of the mapper at an operation. No node has it: it is no DNS label."""
    return f"{node}_{operation}_{kind}"


def _image(node: PlannedNode, prefix: str) -> str:
    manifest = node.component.manifest
    return manifest.image or f"{prefix}{manifest.name}:{manifest.version}"


def _warnings(graph: Graph) -> list[str]:
    """Return what the original orchestrator will do otherwise."""
    found = []
    for node in graph.nodes.values():
        options, contract = node.options, node.component.contract
        place = f"node {node.name}"
        if options.params:
            words = "AI4EU has no parameters: its orchestrator runs the component with its defaults"
            found.append(f"{place}: {words}")
        if options.values:
            found.append(f"{place}: AI4EU has no literals: its orchestrator leaves them out")
        if "." in contract.service and node.component.is_onboarded:
            short = contract.service.rpartition(".")[2]
            found.append(
                f"{place}: the AI4EU orchestrator calls the service as {short}, without its "
                f"package; the image must answer to that as well"
            )
    if any(operation.field_links for operation in graph.operations):
        found.append(
            "links of single fields became Splitters and Collators, which the AI4EU "
            "orchestrator does not run"
        )
    return found


def _text(values: Mapping[str, Any]) -> str:
    return json.dumps(values, indent=2, ensure_ascii=False) + "\n"
