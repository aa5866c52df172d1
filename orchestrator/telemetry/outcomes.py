"""Which ends of calls are failures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc

from orchestrator.engine.calls import END_OF_DATA

if TYPE_CHECKING:
    from orchestrator.engine.plan import Step


def is_failure(step: Step, code: grpc.StatusCode) -> bool:
    """Whether a call of a step has failed: it was not cancelled, and it was no end of data."""
    if code in {grpc.StatusCode.OK, grpc.StatusCode.CANCELLED}:
        return False
    return not (step.source and not step.server_streaming and code in END_OF_DATA)
