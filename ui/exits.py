"""Exit codes, and which error ends in which."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from composer.errors import Fault, PipelineError


class ExitCode(IntEnum):
    """How the process ends."""

    SUCCESS = 0
    RUN_FAILED = 1
    INVALID = 2
    """Wrong usage, or input with faults."""
    ENVIRONMENT = 3
    """A folder that cannot be written, a database that cannot be opened, a wrong setting."""
    INTERRUPTED = 130
    """Ctrl-C or SIGTERM (128 + SIGINT, as shells report it)."""


HELP = (
    "[b]Exit codes[/b]: 0 success, 1 the run failed, 2 wrong usage or invalid input, "
    "3 the environment prevents it, 130 interrupted."
)


@dataclass(frozen=True)
class Failure:
    """An expected error: what to say, and how to exit."""

    code: ExitCode
    message: str
    faults: tuple[Fault, ...] = ()
    """Of a pipeline; a single one is the message already."""


def expected_failure(error: Exception) -> Failure | None:
    """Return what an error means to the user, or None if it is a fault of the program."""
    # Imported here because a command that succeeds needs none of them.
    from composer.errors import (
        ComposerError,
        PipelineError,
        StoreUnavailableError,
        UnknownComponentError,
    )
    from orchestrator.errors import ImageError, OrchestratorError, SettingsError
    from orchestrator.service_client.errors import ServiceUnreachableError, SignInNeededError
    from ui.errors import EnvironmentFaultError, UiError

    if isinstance(error, PipelineError):
        return Failure(ExitCode.INVALID, _sentence(error), error.faults)
    if isinstance(
        error,
        SettingsError
        | ImageError
        | EnvironmentFaultError
        | StoreUnavailableError
        | SignInNeededError
        | ServiceUnreachableError,
    ):
        return Failure(ExitCode.ENVIRONMENT, str(error))
    if isinstance(error, UnknownComponentError) and error.suggestion:
        return Failure(ExitCode.INVALID, f"{error}; did you mean {error.suggestion!r}?")
    if isinstance(error, ComposerError | OrchestratorError | UiError):
        return Failure(ExitCode.INVALID, str(error))
    if isinstance(error, PermissionError) and error.filename:
        return Failure(ExitCode.ENVIRONMENT, f"cannot use {error.filename}: {error.strerror}")
    return None


def _sentence(error: PipelineError) -> str:
    """Return the only fault of a pipeline, or how many it has."""
    from composer.errors import FaultCode

    if len(error.faults) != 1:
        return f"{error.source} has {len(error.faults)} faults"
    fault = error.faults[0]
    # That a file cannot be read names the file already.
    is_unreadable = fault.code is FaultCode.DOCUMENT and error.source in fault.message
    return fault.message if is_unreadable else str(error)
