"""A solution of AI4EU Experiments, as its clients send it, becomes a plan that can be run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from composer.blueprint_import import import_blueprint
from composer.graph import compose
from composer.solution import read_contracts
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
    plan, addresses, found = _read(blueprint, dockerinfo, protofiles, registry)
    endless = iterations <= 0
    steps = tuple(_step(step, None if endless else iterations) for step in plan.steps)
    plan = replace(plan, steps=steps, live=endless)
    return Solution(plan, addresses, queuesize or UNLIMITED, found)


def read_serial_solution(
    blueprint: str, dockerinfo: str, protoszip: bytes, registry: Registry
) -> Solution:
    """Read what the serial orchestrator is sent, as `read_solution`.

    Sources are called until they have no more. An answer without content, which the serial
    orchestrator takes for the end, ends a source here too. A message that fails ends the run.
    """
    plan, addresses, warnings = _read(blueprint, dockerinfo, read_contracts(protoszip), registry)
    steps = tuple(replace(step, ends_when_empty=step.source) for step in plan.steps)
    return Solution(replace(plan, steps=steps), addresses, UNLIMITED, warnings)


def _read(
    blueprint: str, dockerinfo: str, protofiles: Mapping[str, str], registry: Registry
) -> tuple[Plan, dict[str, str], tuple[str, ...]]:
    """Return the plan, the addresses of its nodes, and warnings."""
    if len(protofiles) > MAX_PROTOFILES:
        raise RequestError(f"there are {len(protofiles)} protofiles; at most {MAX_PROTOFILES}")
    imported = import_blueprint(blueprint, dockerinfo, protofiles, registry)
    addresses = {node: str(address) for node, address in imported.addresses.items()}
    lost = [node for node in imported.pipeline.nodes if node not in addresses]
    if lost:
        raise RequestError(f"dockerinfo.json has no address of {', '.join(sorted(lost)[:10])}")
    plan = make_plan(compose(imported.pipeline, imported.registry, cycles=True))
    return plan, addresses, imported.warnings


def _step(step: Step, iterations: int | None) -> Step:
    """Return a step as AI4EU's runs have it; what only has literals is called once as before."""
    if step.source and step.iterations is None:
        step = replace(step, iterations=iterations)
    return replace(step, on_error=OnError.SKIP)
