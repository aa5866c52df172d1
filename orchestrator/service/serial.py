"""The `start_orchestrator` service of AI4EU Experiments' serial orchestrator.

Its one call runs a pipeline and returns at the end of the run; a caller that goes away stops it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from composer.errors import ComposerError
from orchestrator.engine.run import State
from orchestrator.errors import OrchestratorError, TemporaryError
from orchestrator.service.authentication import Authentication
from orchestrator.service.remote import run_remote
from orchestrator.service.runs import RunRegistry, ServiceRun
from orchestrator.service.solutions import Solution, read_serial_solution
from orchestrator.service.texts import shortened
from orchestrator.settings import OrchestratorSettings
from protos.orchestrator.serial.orchestrator_pb2 import PipelineConfig, PipelineStatus
from protos.orchestrator.serial.orchestrator_pb2_grpc import start_orchestratorServicer

if TYPE_CHECKING:
    from composer.registry import Registry

logger = logging.getLogger(__name__)

SUCCEEDED: Final = 200
REFUSED: Final = 400
"""The pipeline is wrong, or its run has failed: the serial orchestrator knows no difference."""
FAULT: Final = 500
TRY_LATER: Final = 503
MAX_TEXT: Final = 8000


class SerialService(start_orchestratorServicer):
    """Answers executePipeline.

    registry_of: the components that a user may use.
    """

    def __init__(
        self,
        runs: RunRegistry,
        registry_of: Callable[[str | None], Registry],
        authentication: Authentication,
        orchestrator: OrchestratorSettings,
    ) -> None:
        self._runs = runs
        self._registry_of = registry_of
        self._authentication = authentication
        self._orchestrator = orchestrator
        # A solution takes up to a minute to compile; callers wait for each other's.
        self._reading = asyncio.Lock()

    async def executePipeline(self, request: PipelineConfig, context: Any) -> PipelineStatus:  # noqa: N802
        """Run a pipeline to its end. Whatever is wrong is answered, never raised."""
        user = await self._authentication.user(context)
        try:
            async with self._reading:
                solution = await asyncio.to_thread(self._read, request, user)
            run = await self._run(solution, user)
        except TemporaryError as error:
            return _status(TRY_LATER, str(error))
        except (ComposerError, OrchestratorError) as error:
            return _status(REFUSED, str(error))
        except Exception as error:
            logger.exception("a fault in executePipeline")
            return _status(FAULT, f"a fault in the orchestrator: {type(error).__name__}")
        if run.state is State.SUCCEEDED:
            return _status(SUCCEEDED, "; ".join(["success", *solution.warnings]))
        return _status(REFUSED, f"{run.state.value}: {run.message}")

    def _read(self, request: PipelineConfig, user: str | None) -> Solution:
        return read_serial_solution(
            request.blueprint, request.dockerinfo, request.protoszip, self._registry_of(user)
        )

    async def _run(self, solution: Solution, user: str | None) -> ServiceRun:
        settings = self._orchestrator.model_copy(update={"queue_messages": solution.queue_messages})
        run = ServiceRun(user, operations=len(solution.plan.steps))
        await self._runs.start(
            run, lambda observer: run_remote(solution.plan, solution.addresses, settings, observer)
        )
        try:
            await self._runs.ended(run)
        except asyncio.CancelledError:
            await self._runs.cancel(run)
            raise
        return run


def _status(code: int, text: str) -> PipelineStatus:
    return PipelineStatus(statusCode=code, statusText=shortened(text, MAX_TEXT))
