"""What can go wrong with an orchestrator service, seen by its client.

OrchestratorError
├── PermanentError
│   └── ServiceClientError
│       ├── SignInNeededError       no token, or one that the service does not take
│       ├── PipelineRefusedError    a pipeline has faults; the service names all of them
│       ├── ServiceRefusedError     it refuses a request for another reason
│       └── ServiceAnswerError      what it says cannot be believed, or is out of bounds
└── TemporaryError
    └── ServiceUnreachableError     nobody answers, or not in time
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.errors import PermanentError, TemporaryError

if TYPE_CHECKING:
    import grpc


class ServiceClientError(PermanentError):
    """Base of what trying again does not help against; the text names the address."""


class SignInNeededError(ServiceClientError):
    """The service wants a token: none was given, or it does not take the one that was."""


class PipelineRefusedError(ServiceClientError):
    """The service does not take a pipeline; the text has all of its faults."""


class ServiceRefusedError(ServiceClientError):
    """The service refuses a request, such as one for a run that it does not have.

    reason: in its words.
    """

    def __init__(self, address: str, reason: str, code: grpc.StatusCode) -> None:
        super().__init__(f"the service at {address} refuses: {reason} [{code.name}]")
        self.reason = reason
        self.code = code


class ServiceAnswerError(ServiceClientError):
    """An answer that no service of ours gives: a path out of the run, a size that is not so."""


class ServiceUnreachableError(TemporaryError):
    """Nobody answers at the address, or not in time."""
