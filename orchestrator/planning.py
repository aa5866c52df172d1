"""From a composed pipeline to what the engine has to know of it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from composer.contract import Kind, Role
from orchestrator.engine.plan import NodePlan, OnError, Plan, PlanLink, Step
from orchestrator.images.reference import DEFAULT_IMAGE_REGISTRY, image_reference

if TYPE_CHECKING:
    from collections.abc import Iterator

    from composer.fields import FieldLink
    from composer.graph import Graph
    from composer.plan import PlannedNode, PlannedOperation


def make_plan(graph: Graph, image_registry: str = DEFAULT_IMAGE_REGISTRY) -> Plan:
    """Return the plan of a composed pipeline.

    image_registry: where the images of components lie that name none themselves.
    """
    return Plan(
        name=graph.pipeline.name,
        digest=graph.pinned().digest,
        nodes=tuple(_node(node, image_registry) for node in graph.nodes.values()),
        steps=tuple(_step(operation) for operation in graph.operations),
        links=tuple(link for operation in graph.operations for link in _links(operation)),
    )


def _node(node: PlannedNode, image_registry: str) -> NodePlan:
    manifest = node.component.manifest
    resources = node.options.resources or manifest.resources
    return NodePlan(
        name=node.name,
        component=manifest.name,
        version=manifest.version,
        command=manifest.command,
        folder="" if node.component.is_built_in else os.fspath(node.component.folder.resolve()),
        title=manifest.title,
        licence=manifest.licence,
        image=manifest.image or image_reference(image_registry, manifest.name, manifest.version),
        replicas=node.options.replicas,
        cpu=resources.cpu,
        memory_bytes=resources.memory_bytes,
        gpus=resources.gpu,
        shared_folder=node.options.shared_folder or "",
        local_paths=node.component.schema.local_paths(node.params),
    )


def _links(operation: PlannedOperation) -> Iterator[PlanLink]:
    """Yield the links that end in an operation."""
    fields = {field.link: field for field in operation.field_links}
    for number, link in enumerate(operation.incoming):
        source, target = str(link.source.whole), str(link.target.whole)
        if link in fields:
            group = _group(fields[link], number)
            yield PlanLink(source, target, fields[link].parts, group)
        else:
            yield PlanLink(source, target)


def _group(link: FieldLink, number: int) -> str:
    """Return what a link takes turns with: those into the same message or single field."""
    if link.target is None:
        return ""
    field = str(link.target.number)
    return field if link.target.role is Role.SINGLE else f"{field}, link {number}"


def _step(planned: PlannedOperation) -> Step:
    node, operation = planned.node, planned.operation
    declared = planned.manifest
    return Step(
        node=node.name,
        operation=operation.name,
        service=operation.service,
        client_streaming=operation.input_stream,
        server_streaming=operation.output_stream,
        source=planned.kind is Kind.SOURCE,
        sink=not operation.output.fields,
        input_message=operation.input.name,
        output_message=operation.output.name,
        params=dict(node.params),
        timeout_s=planned.timeout_s,
        concurrency=node.options.concurrency,
        ordered=declared.ordered,
        idempotent=declared.idempotent,
        deterministic=declared.deterministic,
        on_error=OnError(node.options.on_error),
        iterations=1 if planned.is_called_once else None,
        literals=planned.literals,
    )
