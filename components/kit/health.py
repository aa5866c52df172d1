"""Ask the component of this container whether it serves: the probe of its image.

    python -m components.kit.health

Ends with status 0 if the gRPC health service says SERVING. A component that speaks TLS is asked at
EOLOOM_HEALTH_ADDRESS; without that only for a connection, because the probe has no certificate that
it would have to show.
"""

from __future__ import annotations

import socket
import sys
from typing import Final

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from pydantic import ValidationError

from components.kit.settings import ComponentSettings

_TIMEOUT_S: Final = 4.0
_ANYWHERE: Final = ("0.0.0.0", "[::]", "*")  # noqa: S104 - compared with, never listened on


def fault(settings: ComponentSettings) -> str:
    """Return why the component does not serve, or "" if it does."""
    asked = settings.health_address or settings.address
    host, _, port = asked.rpartition(":")
    speaks_tls = settings.tls_certificate_file is not None and not settings.health_address
    if speaks_tls and not asked.startswith("unix"):
        return _connection_fault("127.0.0.1" if host in _ANYWHERE else host.strip("[]"), int(port))
    address = f"127.0.0.1:{port}" if host in _ANYWHERE else asked
    with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(), timeout=_TIMEOUT_S
            )
        except grpc.RpcError as error:
            return f"{asked}: {error.code().name}: {error.details()}"
    status = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
    return "" if answer.status == health_pb2.HealthCheckResponse.SERVING else status


def _connection_fault(host: str, port: int) -> str:
    try:
        socket.create_connection((host, port), timeout=_TIMEOUT_S).close()
    except OSError as error:
        return f"{host}:{port}: {error}"
    return ""


def main() -> None:
    """End the process with what `fault` says."""
    try:
        sys.exit(fault(ComponentSettings()) or 0)
    except ValidationError as error:
        sys.exit(f"wrong settings: {error}")


if __name__ == "__main__":
    main()
