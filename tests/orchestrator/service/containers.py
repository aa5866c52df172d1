"""AI4EU containers that somebody else has started: plain gRPC, no health, no parameters.

A container is a .proto file and one coroutine or asynchronous generator per operation, which takes
and gives messages. Containers and links make a solution: blueprint, dockerinfo and protofiles.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.message_factory import GetMessageClass

from tests.orchestrator.service.contracts import Contract, contract
from tests.ports import free_port

MESSAGES = """
message Empty {}
message Number { int64 value = 1; }
message Text { string text = 1; }
"""
SOURCE = f'syntax = "proto3";{MESSAGES}service Source {{ rpc next(Empty) returns (Number); }}'
STREAM = f'syntax = "proto3";{MESSAGES}service Stream {{ rpc all(Empty) returns (stream Number); }}'
RELAY = f'syntax = "proto3";{MESSAGES}service Relay {{ rpc double(Number) returns (Number); }}'
PAIRS = (
    f'syntax = "proto3";{MESSAGES}'
    "service Pairs { rpc add(stream Number) returns (stream Number); }"
)
SUM = f'syntax = "proto3";{MESSAGES}service Sum {{ rpc sum(stream Number) returns (Number); }}'
SINK = f'syntax = "proto3";{MESSAGES}service Sink {{ rpc keep(Number) returns (Empty); }}'

FORMS = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, False): grpc.stream_unary_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}


@dataclass
class Container:
    """A container; `operations` says what its operations do."""

    name: str
    proto: str
    service: str
    operations: dict[str, Callable[..., Any]]
    port: int = field(default_factory=free_port)
    _server: Any = None

    @property
    def contract(self) -> Contract:
        return contract(self.proto)

    async def start(self) -> None:
        handlers = {
            method.name: FORMS[method.client_streaming, method.server_streaming](
                self.operations[method.name],
                GetMessageClass(method.input_type).FromString,
                GetMessageClass(method.output_type).SerializeToString,
            )
            for method in self.contract.service(self.service).methods
        }
        self._server = grpc.aio.server(options=[("grpc.max_receive_message_length", -1)])
        self._server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler(self.service, handlers)]
        )
        self._server.add_insecure_port(f"127.0.0.1:{self.port}")
        await self._server.start()

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.stop(0)


@contextlib.asynccontextmanager
async def serving(*containers: Container) -> AsyncIterator[None]:
    """Containers that serve within a `with` statement."""
    try:
        for container in containers:
            await container.start()
        yield
    finally:
        for container in containers:
            await container.stop()


@dataclass
class Solution:
    """What a client sends: texts."""

    blueprint: str
    dockerinfo: str
    protofiles: dict[str, str]


def solution(name: str, containers: Iterable[Container], links: Iterable[str]) -> Solution:
    """A solution of containers; `links` are texts `a.operation -> b.operation`."""
    ends = [tuple(tuple(end.split(".")) for end in link.split(" -> ")) for link in links]
    nodes = []
    for container in containers:
        signatures = [
            {
                "operation_signature": {
                    "operation_name": method.name,
                    "input_message_name": method.input_type.name,
                    "input_message_stream": method.client_streaming,
                    "output_message_name": method.output_type.name,
                    "output_message_stream": method.server_streaming,
                },
                "connected_to": [
                    {"container_name": node, "operation_signature": {"operation_name": operation}}
                    for source, (node, operation) in ends
                    if source == (container.name, method.name)
                ],
            }
            for method in container.contract.service(container.service).methods
        ]
        nodes.append(
            {
                "container_name": container.name,
                "node_type": "MLModel",
                "image": f"registry.example/{container.name.lower()}:1.0",
                "proto_uri": f"org/{container.name}.proto",
                "operation_signature_list": signatures,
            }
        )
    blueprint = {
        "name": name,
        "version": "1",
        "input_ports": [],
        "nodes": nodes,
        "probeIndicator": [{"value": "false"}],
    }
    places = [
        {"container_name": c.name, "ip_address": "127.0.0.1", "port": c.port} for c in containers
    ]
    places.append({"container_name": "orchestrator", "ip_address": "127.0.0.1", "port": 8061})
    return Solution(
        json.dumps(blueprint),
        json.dumps({"docker_info_list": places}),
        {f"{c.name}.proto": c.proto for c in containers},
    )


def number(value: int, proto: str = SOURCE) -> Any:
    """A message Number of a contract."""
    return contract(proto).message("Number")(value=value)


def source(count: int | None = None, name: str = "source", text: str = SOURCE) -> Container:
    """A unary source: 1, 2, 3, ... and the end of data after `count`, then from the start again."""
    state = {"value": 0}

    async def following(_: Any, context: Any) -> Any:
        if count is not None and state["value"] >= count:
            state["value"] = 0
            await context.abort(grpc.StatusCode.NOT_FOUND, "no more")
        state["value"] += 1
        return number(state["value"], text)

    return Container(name, text, "Source", {"next": following})


def relay(
    double: Callable[[int, Any], Any] | None = None, name: str = "relay", text: str = RELAY
) -> Container:
    """Doubles numbers, or does what `double` does; it may be a coroutine function."""

    async def handle(request: Any, context: Any) -> Any:
        value = request.value * 2 if double is None else await double(request.value, context)
        return number(value, text)

    return Container(name, text, "Relay", {"double": handle})


def sink(kept: list[int], name: str = "sink") -> Container:
    """Keeps numbers in a list."""

    async def keep(request: Any, _: Any) -> Any:
        kept.append(request.value)
        return contract(SINK).message("Empty")()

    return Container(name, SINK, "Sink", {"keep": keep})
