"""What a cluster can answer, as errors.

ClusterAccessError     no way in: kubeconfig, network, credentials, permissions (SettingsError)
ClusterError           the cluster refuses what it is asked for
FieldConflictError   somebody else keeps a field that we would set
DeploymentNotFoundError  no deployment of that name
QuotaExceededError   the namespace's quota has no room for the deployment
WatchExpiredError      a watch has to start again from a list (TemporaryError)
"""

from __future__ import annotations

from orchestrator.errors import PermanentError, SettingsError, TemporaryError


class ClusterAccessError(SettingsError):
    """The cluster cannot be reached, or does not let us in."""


class ClusterError(PermanentError):
    """The cluster refuses. status: the HTTP status; reason: as Kubernetes names it."""

    def __init__(self, message: str, status: int = 0, reason: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


class FieldConflictError(ClusterError):
    """Fields that others have set. fields: the manager of each, by the field's path."""

    def __init__(self, message: str, fields: dict[str, str]) -> None:
        super().__init__(message, 409, "Conflict")
        self.fields = fields


class DeploymentNotFoundError(ClusterError):
    """There is no deployment of that name in the namespace."""


class QuotaExceededError(ClusterError):
    """The namespace's ResourceQuota has no room for what would be deployed."""


class WatchExpiredError(TemporaryError):
    """The cluster no longer knows the resource version that a watch would start from."""
