"""Channels to components: their options, TLS, and waiting until a component serves.

A Unix socket is open to its user alone, so it is never encrypted. For other targets the settings
`EOLOOM_COMPONENT_*` say whether the channel speaks TLS, whom it believes and who it is itself.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from orchestrator.errors import ChannelError, SettingsError

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.settings import OrchestratorSettings

logger = logging.getLogger(__name__)

_PAUSE_S: Final = 0.05
_ANSWER_S: Final = 5.0
_WINDOW_BYTES: Final = 4 * 1024 * 1024

# Statuses with which calls end when their component dies or is told to end. Of calls that nobody
# here has cancelled: CANCELLED is what gRPC says of one that had arrived and not begun by then.
OF_DEATH: Final = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED})

# What gRPC says of a peer with which no secure connection is possible, however often one tries.
_REFUSED: Final = ("OPENSSL_internal", "Peer name")
# What it says where the other side hangs up: one that wants (other) TLS, but also a proxy, such as
# Docker's, in front of a component that has not come up yet.
_HUNG_UP: Final = ("Socket closed", "Connection reset", "recvmsg")


@dataclass(frozen=True)
class ChannelSecurity:
    """TLS of a channel, everything as PEM.

    authority: whom to believe, or None for the authorities of the system. certificate, key: who
    the orchestrator is, for components that ask. server_name: the name that certificates of
    components have, where it is not the host of the target.
    """

    authority: bytes | None = field(default=None, repr=False)
    certificate: bytes | None = field(default=None, repr=False)
    key: bytes | None = field(default=None, repr=False)
    server_name: str = ""

    def credentials(self) -> grpc.ChannelCredentials:
        """Return the same for gRPC."""
        return grpc.ssl_channel_credentials(self.authority, self.key, self.certificate)


def channel_security(settings: OrchestratorSettings) -> ChannelSecurity | None:
    """Return the TLS that the settings ask for, or None for plaintext.

    Raises SettingsError naming the setting and the file that cannot be used.
    """
    authority, certificate = settings.component_ca_file, settings.component_certificate_file
    if (certificate is None) != (settings.component_key_file is None):
        raise SettingsError(
            "EOLOOM_COMPONENT_CERTIFICATE_FILE and EOLOOM_COMPONENT_KEY_FILE belong together; "
            "give both"
        )
    if settings.component_tls is False or not (settings.component_tls or authority or certificate):
        return None
    return ChannelSecurity(
        authority=_read(authority, "CA_FILE", b"-----BEGIN CERTIFICATE-----"),
        certificate=_read(certificate, "CERTIFICATE_FILE", b"-----BEGIN CERTIFICATE-----"),
        key=_read(settings.component_key_file, "KEY_FILE", b"PRIVATE KEY-----"),
        server_name=settings.component_server_name,
    )


def open_channel(
    target: str, max_message_bytes: int, security: ChannelSecurity | None = None
) -> grpc.aio.Channel:
    """Return a channel that finds a component which starts late within a tenth of a second."""
    _keep_grpc_running()
    options: list[tuple[str, Any]] = [
        ("grpc.max_receive_message_length", max_message_bytes),
        ("grpc.max_send_message_length", max_message_bytes),
        ("grpc.max_metadata_size", 1024 * 1024),
        ("grpc.initial_reconnect_backoff_ms", 50),
        ("grpc.min_reconnect_backoff_ms", 50),
        ("grpc.max_reconnect_backoff_ms", 500),
        ("grpc.enable_http_proxy", 0),
        # Channels to one address share a connection otherwise, and then its flow control.
        ("grpc.use_local_subchannel_pool", 1),
        # What lies in gRPC of a stream that is held back. It would else grow by what it measures,
        # without a bound where the machine is busy and answers come late.
        ("grpc.http2.bdp_probe", 0),
        ("grpc.http2.lookahead_bytes", _WINDOW_BYTES),
    ]
    if target.startswith("dns:"):
        # A headless service has an address per replica; the default would call one of them only.
        options.append(("grpc.lb_policy_name", "round_robin"))
        # A replica in place of one that has died is looked up after 30 s otherwise.
        options.append(("grpc.dns_min_time_between_resolutions_ms", 2000))
    if security is None or target.startswith("unix:"):
        return grpc.aio.insecure_channel(target, options=options)
    if security.server_name:
        options.append(("grpc.ssl_target_name_override", security.server_name))
    return grpc.aio.secure_channel(target, security.credentials(), options=options)


@functools.cache
def _keep_grpc_running() -> None:
    """Let gRPC go on between runs, until the process ends.

    It would stop its threads with the last channel of a run, and may wait for ever there: its
    poller writes into a full pipe that nobody reads any more, while the event loop waits for the
    poller (https://github.com/grpc/grpc/pull/40989).
    """
    grpc.aio.init_grpc_aio()


async def wait_until_ready(channel: grpc.aio.Channel, timeout_s: float) -> None:
    """Return when the component serves; components without health count when they answer.

    Raises ChannelError where there is one, but it cannot be talked to as the settings say, and
    TimeoutError with the last reason.
    """
    health = health_pb2_grpc.HealthStub(channel)
    loop = asyncio.get_running_loop()
    end, reason, hint = loop.time() + timeout_s, "", ""
    while (left := end - loop.time()) > 0:
        try:
            answer = await health.Check(health_pb2.HealthCheckRequest(), timeout=left)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                return
            details = error.details() or error.code().name
            logger.debug("health: %s", details)
            reason = _without_prefix(details)
            # Of a host with several addresses another one may be told of the next time.
            hint = _explain(details) or hint
            if any(text in details for text in _REFUSED):
                raise ChannelError(f"{hint} [{reason}]" if hint else reason) from error
        else:
            if answer.status == health_pb2.HealthCheckResponse.SERVING:
                return
            reason, hint = "it says that it does not serve yet", ""
        await asyncio.sleep(_PAUSE_S)
    raise TimeoutError(f"{hint} [{reason}]" if hint else reason)


async def takes_calls(channel: grpc.aio.Channel, *, ask: bool) -> bool:
    """Whether a component that has answered still does.

    ask: it, whatever its connection says. Else it is asked only where that has gone: a gRPC server
    that is being stopped gives up its connections first, mostly before its streams have ended.
    """
    if not ask and channel.get_state() is grpc.ChannelConnectivity.READY:
        return True
    try:
        await health_pb2_grpc.HealthStub(channel).Check(
            health_pb2.HealthCheckRequest(), timeout=_ANSWER_S
        )
    except grpc.aio.AioRpcError as error:
        # Any other status is an answer, and one that is late may be busy.
        return error.code() not in OF_DEATH
    return True


def _explain(details: str) -> str:
    """Return what is wrong with a connection and its settings, if that can be told."""
    if "WRONG_VERSION_NUMBER" in details:
        return "it does not speak TLS: set EOLOOM_COMPONENT_TLS=false, or give it a certificate"
    if "CERTIFICATE_VERIFY_FAILED" in details or "Peer name" in details:
        return (
            "its certificate is of no authority in EOLOOM_COMPONENT_CA_FILE, has expired, or is "
            "for another name (EOLOOM_COMPONENT_SERVER_NAME)"
        )
    if any(text in details for text in _HUNG_UP):
        return (
            "it closes every connection; it may want TLS (EOLOOM_COMPONENT_TLS) or another "
            "certificate of ours (EOLOOM_COMPONENT_CERTIFICATE_FILE)"
        )
    return ""


def _without_prefix(details: str) -> str:
    """Return the part of gRPC's words that says something."""
    return details.splitlines()[0].rpartition("last error: ")[2][:300]


def _read(path: Path | None, setting: str, mark: bytes) -> bytes | None:
    if path is None:
        return None
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SettingsError(f"EOLOOM_COMPONENT_{setting}={path}: {error.strerror}") from error
    if mark not in content:
        raise SettingsError(f"EOLOOM_COMPONENT_{setting}={path}: not a PEM file of that kind")
    return content
