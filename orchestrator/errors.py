"""What can go wrong in a run.

OrchestratorError
PermanentError          trying again cannot help
SettingsError         a setting, folder or journal cannot be used
ServiceClientError    an orchestrator elsewhere is not reached or refuses (`service_client`)
ProfileError          a profile of a site cannot be used, or leaves a question open
RenderError           a pipeline that cannot be put into Kubernetes objects
RunNotFoundError      no run of that name
NotStoppedError       a run that goes on although it was to be stopped
ImageError            an image cannot be built, pushed, pulled or found
RegistryError           its registry is not reached, refuses, or has no such image
OperationError        a call failed; names node, operation, status
ChannelError          a component answers, but not as the settings of TLS demand
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


class ProfileError(PermanentError):
    """A profile of a site is unusable, or does not say what a pipeline needs to know.

    questions: the fields that need an answer, such as `storage.storage_class`.
    """

    def __init__(self, message: str, questions: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.questions = questions


class RenderError(PermanentError):
    """A pipeline cannot be put into Kubernetes objects as it is."""


class ImageError(PermanentError):
    """An image cannot be built, pushed, pulled or found; says which, and why."""


class RegistryError(ImageError):
    """A registry is not reached from here, refuses, or has no such image."""


class RunNotFoundError(PermanentError):
    """There is no run of that name."""


class NotResumableError(PermanentError):
    """A run that cannot go on: it is running, has succeeded, or kept no messages."""


class NotStoppedError(PermanentError):
    """A run that goes on although it was to be stopped."""


class ChannelError(PermanentError):
    """A component answers, but not in a way that the settings of TLS allow."""


class NodeError(PermanentError):
    """Base of what one node did; `node` says which, `reason` what, without its name."""

    def __init__(self, node: str, message: str) -> None:
        super().__init__(f"node {node}: {message}")
        self.node = node
        self.reason = message


class OperationError(NodeError):
    """A call of an operation ended with a gRPC status other than OK."""

    def __init__(self, node: str, operation: str, code: grpc.StatusCode, details: str) -> None:
        super().__init__(node, f"{operation}: {details or 'no reason given'} [{code.name}]")
        self.operation = operation
        self.code = code
        self.details = details


class ComponentDiedError(NodeError):
    """The component's process or container ended although nobody stopped it.

    killed: whether by a signal, and not because it needed too much memory.
    """

    def __init__(self, node: str, message: str, *, killed: bool = False) -> None:
        super().__init__(node, message)
        self.killed = killed


class ComponentNotReadyError(NodeError):
    """The component did not answer in time after its start."""
