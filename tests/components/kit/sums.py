"""A service with all four forms of rpc, and what it takes to serve and call it in a test."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from pydantic import BaseModel, ConfigDict, Field

from components.kit import Call
from components.kit.server import ComponentServer
from components.kit.settings import ComponentSettings

_FORMS = {
    "double": (False, False),
    "count": (False, True),
    "total": (True, False),
    "running": (True, True),
}


def _describe_service() -> ServiceDescriptor:
    file = FileDescriptorProto(
        name="tests/sums.proto", package="eoloom.test_sums.v1", syntax="proto3"
    )
    message = file.message_type.add(name="Number")
    message.field.add(
        name="value",
        number=1,
        type=FieldDescriptorProto.TYPE_INT64,
        label=FieldDescriptorProto.LABEL_OPTIONAL,
    )
    message.field.add(
        name="padding",
        number=2,
        type=FieldDescriptorProto.TYPE_BYTES,
        label=FieldDescriptorProto.LABEL_OPTIONAL,
    )
    service = file.service.add(name="Sums")
    for name, (client_streaming, server_streaming) in _FORMS.items():
        service.method.add(
            name=name,
            input_type=".eoloom.test_sums.v1.Number",
            output_type=".eoloom.test_sums.v1.Number",
            client_streaming=client_streaming,
            server_streaming=server_streaming,
        )
    pool = DescriptorPool()
    pool.Add(file)
    return pool.FindServiceByName("eoloom.test_sums.v1.Sums")


SERVICE = _describe_service()
Number: Any = GetMessageClass(SERVICE.methods_by_name["double"].input_type)


class Parameters(BaseModel):
    """Parameters of the service."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    factor: int = Field(default=2, ge=1, le=10)
    names: tuple[str, ...] = ()


@dataclass
class Sums:
    """Arithmetic; keeps the calls that it was given, and counts what it began and closed."""

    calls: list[Call[Parameters]] = field(default_factory=list)
    closed: threading.Event = field(default_factory=threading.Event)
    release: threading.Event = field(default_factory=threading.Event)

    def double(self, number: Any, call: Call[Parameters]) -> Any:
        """Multiply by the factor."""
        self.calls.append(call)
        return Number(value=number.value * call.params.factor)

    def count(self, number: Any, call: Call[Parameters]) -> Iterator[Any]:
        """Count up to the number."""
        self.calls.append(call)
        try:
            for value in range(1, number.value + 1):
                yield Number(value=value)
        finally:
            self.closed.set()

    def total(self, numbers: Iterator[Any], call: Call[Parameters]) -> Any:
        """Add all numbers."""
        self.calls.append(call)
        try:
            return Number(value=sum(number.value for number in numbers))
        finally:
            self.closed.set()

    def running(self, numbers: Iterator[Any], call: Call[Parameters]) -> Iterator[Any]:
        """Give the sum so far after each number."""
        self.calls.append(call)
        total = 0
        try:
            for number in numbers:
                total += number.value
                yield Number(value=total)
        finally:
            self.closed.set()


@dataclass(frozen=True)
class Client:
    """Calls a service on a channel by the names of its methods."""

    channel: grpc.aio.Channel
    service: ServiceDescriptor = SERVICE
    prefix: str = ""

    def __getattr__(self, name: str) -> Any:
        rpc = self.service.methods_by_name[name]
        form = {
            (False, False): self.channel.unary_unary,
            (False, True): self.channel.unary_stream,
            (True, False): self.channel.stream_unary,
            (True, True): self.channel.stream_stream,
        }[rpc.client_streaming, rpc.server_streaming]
        return form(
            f"/{self.prefix or self.service.full_name}/{name}",
            request_serializer=GetMessageClass(rpc.input_type).SerializeToString,
            response_deserializer=GetMessageClass(rpc.output_type).FromString,
        )


@contextlib.asynccontextmanager
async def serving(
    implementation: object,
    folder: Path,
    *,
    service: ServiceDescriptor = SERVICE,
    params: type[BaseModel] = Parameters,
    **settings: Any,
) -> AsyncIterator[grpc.aio.Channel]:
    """Serve in this process until the end of the block, and give an open channel."""
    async with (
        listening(implementation, folder, service=service, params=params, **settings) as address,
        grpc.aio.insecure_channel(address) as channel,
    ):
        yield channel


@contextlib.asynccontextmanager
async def listening(
    implementation: object,
    folder: Path,
    *,
    service: ServiceDescriptor = SERVICE,
    params: type[BaseModel] = Parameters,
    **settings: Any,
) -> AsyncIterator[str]:
    """Serve in this process until the end of the block, and give the address."""
    given = {"address": "127.0.0.1:0", "shared_folder": folder, "stop_grace_s": 0.0, **settings}
    server = ComponentServer(service, implementation, params, ComponentSettings(**given))
    address = await server.start()
    try:
        yield address
    finally:
        if isinstance(implementation, Sums):
            implementation.release.set()
        await server.stop()


async def happens(event: threading.Event) -> bool:
    """Wait for a worker thread without holding up the event loop."""
    return await asyncio.to_thread(event.wait, 10)
