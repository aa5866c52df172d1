"""Serve one component: its service under both names, health, reflection, orderly stop.

Containers that keep the AI4EU specification are called by a package-less service name, so the
service answers as `/eoloom.s2_change.v1.S2Change/detect` and as `/S2Change/detect`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import grpc
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from pydantic import BaseModel, ValidationError

from components.kit.handlers import Operation
from components.kit.logs import configure_logging
from components.kit.settings import ComponentSettings
from components.kit.tracing import open_tracing

logger = logging.getLogger(__name__)

# Parameters travel in metadata, whose default limit of 8 KiB a large GeoJSON would exceed.
_MAX_METADATA_BYTES: Final = 1024 * 1024

# Calls and streams under way go on when a connection is replaced: gRPC's word for no limit.
_UNLIMITED_MS: Final = 2**31 - 1

# What cancelled calls get to remove their temporary files; a computation that does not look
# whether its caller has gone is not waited for.
_UNWIND_S: Final = 1.0

# What a receiver of traces gets to take the last of them.
_FLUSH_S: Final = 2.0


def serve(service: ServiceDescriptor, implementation: object, params: type[BaseModel]) -> None:
    """Serve until SIGTERM or SIGINT; the entry point of a component's process.

    service: the descriptor of its contract. implementation: an object with one method per rpc.
    params: the pydantic model of its parameters. Raises TypeError where the implementation lacks
    a method; ends the process with status 1 where settings are wrong or the port is taken.
    """
    try:
        settings = ComponentSettings()
    except ValidationError as error:
        sys.exit(f"wrong settings: {_explain(error)}")
    configure_logging(settings.log_format, settings.log_level)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(service, implementation, params, settings))


async def _serve(
    service: ServiceDescriptor,
    implementation: object,
    params: type[BaseModel],
    settings: ComponentSettings,
) -> None:
    server = ComponentServer(service, implementation, params, settings)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    if settings.exit_with_stdin:
        threading.Thread(target=_watch_stdin, args=(loop, stopped, settings), daemon=True).start()
    try:
        address = await server.start()
    except (RuntimeError, OSError) as error:
        logger.critical("cannot listen on %s: %s", settings.address, error)
        sys.exit(1)
    logger.info("%s listens on %s", service.full_name, address)
    await stopped.wait()
    await server.stop()
    logging.shutdown()
    # Not sys.exit: that would wait for worker threads inside a long computation.
    os._exit(0)


class ComponentServer:
    """A component's service, health and reflection on one port. Made inside an event loop.

    With the setting `health_address`, health alone on another one.

    Raises TypeError where the implementation lacks a method of the contract.
    """

    def __init__(
        self,
        service: ServiceDescriptor,
        implementation: object,
        params: type[BaseModel],
        settings: ComponentSettings,
    ) -> None:
        self._settings = settings
        self._executor = ThreadPoolExecutor(settings.threads, thread_name_prefix="call")
        self._tracing = open_tracing(_component_name(service))
        handlers = {
            rpc.name: _rpc_handler(
                rpc,
                Operation(
                    name=rpc.name,
                    method=_find_method(implementation, rpc.name),
                    request=GetMessageClass(rpc.input_type),
                    response=GetMessageClass(rpc.output_type),
                    component=_component_name(service),
                    params=params,
                    shared_folder=settings.shared_folder,
                    executor=self._executor,
                    max_message_bytes=settings.max_message_bytes,
                    service=service.full_name,
                    tracing=self._tracing,
                ),
            )
            for rpc in service.methods
        }
        self._names = (service.full_name, service.name)
        self._server = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", settings.max_message_bytes),
                ("grpc.max_send_message_length", settings.max_message_bytes),
                ("grpc.max_metadata_size", _MAX_METADATA_BYTES),
                ("grpc.absolute_max_metadata_size", _MAX_METADATA_BYTES),
                ("grpc.so_reuseport", 0),
                *_ageing(settings),
            ]
        )
        self._server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler(name, handlers) for name in self._names]
        )
        self._health = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflection.enable_server_reflection(
            (service.full_name, health.SERVICE_NAME, reflection.SERVICE_NAME), self._server
        )
        self._probed: grpc.aio.Server | None = None

    async def start(self) -> str:
        """Listen, and return the address with the port that the system chose for port 0.

        Raises RuntimeError or OSError where that is not possible.
        """
        port = _bind(self._server, self._settings)
        if self._settings.health_address:
            self._probed = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
            health_pb2_grpc.add_HealthServicer_to_server(self._health, self._probed)
            self._probed.add_insecure_port(self._settings.health_address)
        for name in self._names:
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        await self._server.start()
        if self._probed is not None:
            await self._probed.start()
        address = self._settings.address
        return address if address.startswith("unix") else f"{address.rpartition(':')[0]}:{port}"

    async def stop(self) -> None:
        """Take no more calls, give those in progress the grace of the settings, then cancel."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(self._settings.stop_grace_s)
        if self._probed is not None:
            await self._probed.stop(None)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(
                asyncio.to_thread(self._executor.shutdown, cancel_futures=True), _UNWIND_S
            )
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.to_thread(self._tracing.flush), _FLUSH_S)


def _rpc_handler(
    rpc: MethodDescriptor, operation: Operation[Any]
) -> grpc.RpcMethodHandler[Any, Any]:
    """Return the handler in gRPC's terms. It takes and gives bytes: see `Operation`."""
    makers = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }
    form = {"client_streaming": rpc.client_streaming, "server_streaming": rpc.server_streaming}
    return makers[rpc.client_streaming, rpc.server_streaming](operation.handler(**form))


def _find_method(implementation: object, name: str) -> Any:
    method = getattr(implementation, name, None)
    if not callable(method):
        raise TypeError(f"{type(implementation).__name__} has no method {name}")
    return method


def _component_name(service: ServiceDescriptor) -> str:
    """Return "s2-change" for the package eoloom.s2_change.v1."""
    words = [word for word in service.file.package.split(".") if not re.fullmatch(r"v\d\w*", word)]
    return ("".join(words[-1:]) or service.name).replace("_", "-")


def _bind(server: grpc.aio.Server, settings: ComponentSettings) -> int:
    if settings.tls_certificate_file is None or settings.tls_key_file is None:
        return server.add_insecure_port(settings.address)
    authority = settings.tls_client_ca_file
    credentials = grpc.ssl_server_credentials(
        [(settings.tls_key_file.read_bytes(), settings.tls_certificate_file.read_bytes())],
        root_certificates=authority.read_bytes() if authority else None,
        require_client_auth=authority is not None,
    )
    return server.add_secure_port(settings.address, credentials)


def _ageing(settings: ComponentSettings) -> list[tuple[str, int]]:
    """Return the options by which callers learn of replicas that have come after they connected.

    Source: https://github.com/grpc/proposal/blob/master/A9-server-side-conn-mgt.md.
    """
    if settings.connection_age_s == 0 or settings.address.startswith("unix"):
        return []
    return [
        ("grpc.max_connection_age_ms", max(1, round(settings.connection_age_s * 1000))),
        ("grpc.max_connection_age_grace_ms", _UNLIMITED_MS),
    ]


def _watch_stdin(
    loop: asyncio.AbstractEventLoop, stopped: asyncio.Event, settings: ComponentSettings
) -> None:
    """End the process when the starter has gone, even if the event loop hangs."""
    with contextlib.suppress(OSError):
        while os.read(0, 1024):
            pass
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(stopped.set)
    threading.Event().wait(settings.stop_grace_s + 2 * _UNWIND_S)
    os._exit(1)


def _explain(error: ValidationError) -> str:
    """Return what is wrong with each variable of the environment."""
    faults = []
    for fault in error.errors():
        name = "_".join(map(str, fault["loc"])).upper()
        variable = name if name in ("", "SHARED_FOLDER_PATH") else f"EOLOOM_{name}"
        faults.append(f"{variable}: {fault['msg']}" if variable else fault["msg"])
    return "; ".join(faults)
