"""From a composed pipeline to what the engine has to know of it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from orchestrator.engine.plan import NodePlan, OnError, Plan, PlanLink, Step
from orchestrator.errors import PermanentError

if TYPE_CHECKING:
    from composer.graph import Graph
    from composer.plan import PlannedNode, PlannedOperation


def make_plan(graph: Graph) -> Plan:
    """Return the plan of a composed pipeline.

    Raises PermanentError for what the engine cannot do yet: links to or from single fields.
    """
    links = []
    for operation in graph.operations:
        for link in operation.outgoing:
            if link.source.field or link.target.field:
                raise PermanentError(f"link {link}: links of single fields cannot be run yet")
            links.append(PlanLink(str(link.source), str(link.target)))
    return Plan(
        name=graph.pipeline.name,
        digest=graph.pinned().digest,
        nodes=tuple(_node(node) for node in graph.nodes.values()),
        steps=tuple(_step(operation) for operation in graph.operations),
        links=tuple(links),
    )


def _node(node: PlannedNode) -> NodePlan:
    manifest = node.component.manifest
    return NodePlan(
        name=node.name,
        component=manifest.name,
        version=manifest.version,
        command=manifest.command,
        folder="" if node.component.is_built_in else os.fspath(node.component.folder.resolve()),
        title=manifest.title,
        licence=manifest.licence,
    )


def _step(planned: PlannedOperation) -> Step:
    node, operation = planned.node, planned.operation
    declared = node.component.manifest.operations[operation.name]
    return Step(
        node=node.name,
        operation=operation.name,
        service=node.component.contract.service,
        client_streaming=operation.input_stream,
        server_streaming=operation.output_stream,
        source=not operation.input.fields,
        sink=not operation.output.fields,
        output_message=operation.output.name,
        params=dict(node.params),
        timeout_s=node.options.timeout_s or declared.timeout_s,
        concurrency=node.options.concurrency,
        ordered=declared.ordered,
        idempotent=declared.idempotent,
        on_error=OnError(node.options.on_error),
    )
