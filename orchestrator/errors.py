"""What can go wrong in a run.

OrchestratorError
PermanentError          trying again cannot help
SettingsError         a setting, folder or journal cannot be used
RunNotFoundError      no run of that name
OperationError        a call failed; names node, operation, status
ComponentDiedError    a component's process or container ended by itself
ComponentNotReadyError  it never became healthy
TemporaryError          may pass; retried where the operation is idempotent
"""

from __future__ import annotations

import grpc


class OrchestratorError(Exception):
    """Base; the text is one message for the user."""


class PermanentError(OrchestratorError):
    """Trying again cannot help."""


class TemporaryError(OrchestratorError):
    """May pass by itself."""


class SettingsError(PermanentError):
    """A setting, a folder or the journal cannot be used."""


class RunNotFoundError(PermanentError):
    """There is no run of that name."""


class NotResumableError(PermanentError):
    """A run that cannot go on: it is running, has succeeded, or kept no messages."""


class NodeError(PermanentError):
    """Base of what one node did; `node` says which."""

    def __init__(self, node: str, message: str) -> None:
        super().__init__(f"node {node}: {message}")
        self.node = node


class OperationError(NodeError):
    """A call of an operation ended with a gRPC status other than OK."""

    def __init__(self, node: str, operation: str, code: grpc.StatusCode, details: str) -> None:
        super().__init__(node, f"{operation}: {details or 'no reason given'} [{code.name}]")
        self.operation = operation
        self.code = code
        self.details = details


class ComponentDiedError(NodeError):
    """The component's process or container ended although nobody stopped it."""


class ComponentNotReadyError(NodeError):
    """The component did not answer in time after its start."""
