"""The server: all services, health and reflection on one port, and an orderly end."""

from __future__ import annotations

import asyncio
import logging
import signal
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from composer.registry import Registry
from composer.store import own_user, stored_components
from orchestrator.errors import SettingsError
from orchestrator.service.ai4eu import Ai4euService
from orchestrator.service.authentication import Authentication
from orchestrator.service.listening import check_free, reason_of
from orchestrator.service.runs import RunRegistry
from orchestrator.service.serial import SerialService
from orchestrator.service.settings import PREFIX, ServiceSettings
from orchestrator.service.v1 import RunService
from orchestrator.settings import OrchestratorSettings
from protos.orchestrator.ai4eu import orchestrator_pb2 as ai4eu_pb2
from protos.orchestrator.ai4eu import orchestrator_pb2_grpc as ai4eu_grpc
from protos.orchestrator.serial import orchestrator_pb2 as serial_pb2
from protos.orchestrator.serial import orchestrator_pb2_grpc as serial_grpc
from protos.orchestrator.v1 import orchestrator_pb2 as v1_pb2
from protos.orchestrator.v1 import orchestrator_pb2_grpc as v1_grpc

if TYPE_CHECKING:
    pass

logger = logging.getLogger(__name__)

RegistryOf = Callable[[str | None], Registry]

# A caller that has gone without a word is noticed after both.
_KEEPALIVE_MS: Final = 30_000
_KEEPALIVE_TIMEOUT_MS: Final = 10_000
_CALLS_PER_CONNECTION: Final = 100
_MAX_METADATA_BYTES: Final = 32 * 1024
# What calls in progress get once all runs have ended and nobody is told more.
_LAST_CALLS_S: Final = 2.0


def serve(
    settings: ServiceSettings,
    orchestrator: OrchestratorSettings | None = None,
    *,
    registry_of: RegistryOf | None = None,
    listening: Callable[[str], None] = lambda _: None,
) -> None:
    """Serve until SIGTERM or SIGINT, then stop all runs in order; they can be resumed.

    orchestrator: of its runs, by default from the environment. registry_of: the components that a
    user may use. listening: told the address as soon as the service answers. Raises SettingsError
    where it cannot listen, or cannot use what its settings name.
    """
    chosen = orchestrator or OrchestratorSettings()
    asyncio.run(_serve(settings, chosen, registry_of, listening))


async def _serve(
    settings: ServiceSettings,
    orchestrator: OrchestratorSettings,
    registry_of: RegistryOf | None,
    listening: Callable[[str], None],
) -> None:
    server = OrchestratorServer(settings, orchestrator, registry_of)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    address = await server.start()
    logger.info("the orchestrator listens on %s", address)
    listening(address)
    await stopped.wait()
    logger.info("the orchestrator stops its runs")
    await server.stop()


class OrchestratorServer:
    """All services, health and reflection. Made inside an event loop.

    Raises SettingsError where its settings name something that cannot be used.
    """

    def __init__(
        self,
        settings: ServiceSettings,
        orchestrator: OrchestratorSettings,
        registry_of: RegistryOf | None = None,
    ) -> None:
        self._settings = settings
        self._runs = RunRegistry(settings, orchestrator)
        self._authentication = Authentication.from_settings(settings)
        components = registry_of or ComponentsOfUsers()
        common = (self._runs, components, self._authentication)
        self._ai4eu = Ai4euService(*common, settings, orchestrator)
        self._server = grpc.aio.server(
            interceptors=[self._authentication],
            maximum_concurrent_rpcs=settings.max_calls,
            options=[
                ("grpc.max_receive_message_length", settings.max_request_bytes),
                ("grpc.max_metadata_size", _MAX_METADATA_BYTES),
                ("grpc.max_concurrent_streams", _CALLS_PER_CONNECTION),
                ("grpc.keepalive_time_ms", _KEEPALIVE_MS),
                ("grpc.keepalive_timeout_ms", _KEEPALIVE_TIMEOUT_MS),
                ("grpc.keepalive_permit_without_calls", 1),
                # The original's clients may ping every second.
                ("grpc.http2.min_ping_interval_without_data_ms", 1000),
                ("grpc.so_reuseport", 0),
            ],
        )
        ai4eu_grpc.add_OrchestratorServicer_to_server(self._ai4eu, self._server)
        serial_grpc.add_start_orchestratorServicer_to_server(
            SerialService(*common, orchestrator), self._server
        )
        v1_grpc.add_RunsServicer_to_server(RunService(*common, orchestrator), self._server)
        self._health = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        self._names = (
            ai4eu_pb2.DESCRIPTOR.services_by_name["Orchestrator"].full_name,
            serial_pb2.DESCRIPTOR.services_by_name["start_orchestrator"].full_name,
            v1_pb2.DESCRIPTOR.services_by_name["Runs"].full_name,
        )
        reflection.enable_server_reflection(
            (*self._names, health.SERVICE_NAME, reflection.SERVICE_NAME), self._server
        )

    async def start(self) -> str:
        """Listen, and return the address with the port that the system chose for port 0.

        Raises SettingsError.
        """
        address = self._settings.address
        try:
            check_free(address)
            port = self._bind(address)
        except SettingsError:
            await self.stop()
            raise
        except (OSError, RuntimeError) as error:
            await self.stop()
            reason = reason_of(error)
            raise SettingsError(f"cannot listen on {address}: {reason}") from error
        for name in self._names:
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        await self._server.start()
        return address if address.startswith("unix:") else f"{address.rpartition(':')[0]}:{port}"

    async def stop(self) -> None:
        """Take no more calls, stop the runs, tell observers of their end, then end all calls."""
        await self._health.enter_graceful_shutdown()
        try:
            await self._runs.close(self._settings.stop_grace_s)
        finally:
            self._ai4eu.close()
            await self._server.stop(_LAST_CALLS_S)
            await self._authentication.close()

    def _bind(self, address: str) -> int:
        settings = self._settings
        if settings.tls_certificate_file is None or settings.tls_key_file is None:
            return self._server.add_insecure_port(address)
        authority = settings.tls_client_ca_file
        key, certificate = settings.tls_key_file, settings.tls_certificate_file
        pair = (key.read_bytes(), certificate.read_bytes())
        _check_certificate(certificate, key)
        credentials = grpc.ssl_server_credentials(
            [pair],
            root_certificates=authority.read_bytes() if authority else None,
            require_client_auth=authority is not None,
        )
        return self._server.add_secure_port(address, credentials)


def _check_certificate(certificate: Path, key: Path) -> None:
    """Raise SettingsError for files that are none: gRPC would only say that it cannot listen."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
    except ssl.SSLError as error:
        raise SettingsError(
            f"{PREFIX}TLS_CERTIFICATE_FILE={certificate} and {PREFIX}TLS_KEY_FILE={key} are no PEM "
            "certificate and its key"
        ) from error


class ComponentsOfUsers:
    """The components that a user may use: built in, in folders, and in the registry database.

    Where callers do not say who they are, it is what the user of this process may use.
    """

    def __init__(self, folders: Sequence[Path] = ()) -> None:
        self._folders = tuple(folders)

    def __call__(self, user: str | None) -> Registry:
        """Return them as they are now. Raises ComposerError."""
        return Registry.discover(self._folders, stored=stored_components(user or own_user()))
