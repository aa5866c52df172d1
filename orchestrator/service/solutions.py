"""A solution of AI4EU Experiments, as its clients send it, becomes a plan that can be run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from composer.blueprint_import import import_blueprint
from composer.graph import compose
from orchestrator.engine.plan import OnError, Plan, Step
from orchestrator.planning import make_plan
from orchestrator.service.errors import RequestError

if TYPE_CHECKING:
    from composer.registry import Registry

UNLIMITED: Final = 2**31 - 1
"""Messages in a link where a client wants no limit; the limit in bytes remains."""

MAX_PROTOFILES: Final = 1000


@dataclass(frozen=True)
class Solution:
    """What runs of an initialized pipeline are made of.

    addresses: gRPC target by node. queue_messages: that may wait in a link. warnings: what has no
    counterpart here and was left out.
    """

    plan: Plan
    addresses: Mapping[str, str]
    queue_messages: int
    warnings: tuple[str, ...] = ()


def read_solution(
    blueprint: str,
    dockerinfo: str,
    protofiles: Mapping[str, str],
    registry: Registry,
    *,
    queuesize: int,
    iterations: int,
) -> Solution:
    """Read the texts of a solution. Raises ComposerError, OrchestratorError or RequestError.

    registry: components that containers may turn out to be; the others are taken as they come. A
    message that fails is set aside and the operation goes on. Without a positive number of
    iterations sources are called for ever.
    """
    if queuesize < 0:
        raise RequestError(f"queuesize is {queuesize}; give 0 for any number, or a positive one")
    if len(protofiles) > MAX_PROTOFILES:
        raise RequestError(f"there are {len(protofiles)} protofiles; at most {MAX_PROTOFILES}")
    imported = import_blueprint(blueprint, dockerinfo, protofiles, registry)
    addresses = {node: str(address) for node, address in imported.addresses.items()}
    lost = [node for node in imported.pipeline.nodes if node not in addresses]
    if lost:
        raise RequestError(f"dockerinfo.json has no address of {', '.join(sorted(lost)[:10])}")
    plan = make_plan(compose(imported.pipeline, imported.registry, cycles=True))
    endless = iterations <= 0
    steps = tuple(_step(step, None if endless else iterations) for step in plan.steps)
    warnings = [*imported.warnings]
    if iterations > 1:
        streams = [step.key for step in plan.steps if step.source and step.server_streaming]
        warnings += [f"{key} gives a stream: it is called once in a run" for key in streams]
    plan = replace(plan, steps=steps, live=endless)
    return Solution(plan, addresses, queuesize or UNLIMITED, tuple(warnings))


def _step(step: Step, iterations: int | None) -> Step:
    """Return a step as AI4EU's runs have it; what only has literals is called once as before."""
    if step.source and step.iterations is None:
        step = replace(step, iterations=iterations)
    return replace(step, on_error=OnError.SKIP)
