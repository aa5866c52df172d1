"""Where the orchestrator service is, from options and the environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError

from orchestrator.errors import SettingsError
from orchestrator.service_client.settings import PREFIX, ServerSettings
from ui.errors import EnvironmentFaultError
from ui.settings import setting_faults

if TYPE_CHECKING:
    from orchestrator.journal import RunRecord


def load_server_settings(server: str | None = None) -> ServerSettings | None:
    """Return where the service is; None where runs are made on this machine.

    server: its address, before the environment. Raises EnvironmentFaultError naming each variable
    that cannot be used.
    """
    try:
        settings = ServerSettings() if server is None else ServerSettings(server=server)
    except ValidationError as error:
        raise EnvironmentFaultError(setting_faults(error, PREFIX)) from error
    return settings if settings.server else None


def settings_of_mirror(record: RunRecord, server: str | None = None) -> ServerSettings | None:
    """Return where the service of a mirrored run is; None for a run of this machine.

    server: as for `load_server_settings`. Raises SettingsError where there is a token, and only
    the run's folder says where it would go.
    """
    from orchestrator.backends.record import BackendRecord

    address = BackendRecord(record.folder).server
    if not address:
        return None
    given = load_server_settings(server)
    if given is not None:
        return given
    found = load_server_settings(address)
    if found is None or found.read_token():
        raise SettingsError(
            f"run {record.id} is at the service at {address}; give --server {address} or "
            f"{PREFIX}SERVER, so that your token goes where you want it to"
        )
    return found
