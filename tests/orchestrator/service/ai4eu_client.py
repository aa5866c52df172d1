"""A client of AI4EU's Orchestrator service, written from the description of its contract alone.

It shares no code with the service: what it sends and understands are the numbers of the fields.
"""

from __future__ import annotations

import asyncio
from typing import Any

import grpc

from tests.orchestrator.service.containers import Solution
from tests.orchestrator.service.contracts import contract

CONTRACT = """
syntax = "proto3";
message Configuration {
  string blueprint = 1;
  string dockerinfo = 2;
  map<string, string> protofiles = 3;
  int32 queuesize = 4;
  int32 iterations = 5;
}
message Status { bool success = 1; int32 code = 2; string message = 3; int32 active_threads = 4; }
message Observation { string name_regex = 1; string component_regex = 2; }
message Event {
  string run = 1;
  string name = 2;
  string component = 3;
  map<string, string> detail = 4;
}
message Label { string label = 1; }
"""

ENDED = ("succeeded", "failed", "cancelled")


class Client:
    """Initialize, observe, run, get_status."""

    def __init__(self, channel: grpc.aio.Channel, metadata: Any = None) -> None:
        messages = contract(CONTRACT)
        self._message = messages.message
        self._metadata = metadata

        def call(kind: Any, name: str, answer: str) -> Any:
            return kind(
                f"/Orchestrator/{name}",
                request_serializer=lambda message: message.SerializeToString(),
                response_deserializer=messages.message(answer).FromString,
            )

        self._initialize = call(channel.unary_unary, "initialize", "Status")
        self._run = call(channel.unary_unary, "run", "Status")
        self._get_status = call(channel.unary_unary, "get_status", "Status")
        self._observe = call(channel.unary_stream, "observe", "Event")

    async def initialize(self, given: Solution, queuesize: int = 0, iterations: int = 0) -> Any:
        """Send a solution."""
        configuration = self._message("Configuration")(
            blueprint=given.blueprint,
            dockerinfo=given.dockerinfo,
            protofiles=given.protofiles,
            queuesize=queuesize,
            iterations=iterations,
        )
        return await self._initialize(configuration, metadata=self._metadata)

    async def run(self, label: str = "") -> Any:
        """Start a run."""
        return await self._run(self._message("Label")(label=label), metadata=self._metadata)

    async def get_status(self, label: str = "") -> Any:
        """Ask how a run stands."""
        return await self._get_status(self._message("Label")(label=label), metadata=self._metadata)

    def observe(self, name_regex: str = ".*", component_regex: str = ".*") -> Any:
        """Open a stream of events."""
        observation = self._message("Observation")(
            name_regex=name_regex, component_regex=component_regex
        )
        return self._observe(observation, metadata=self._metadata)

    async def end(self, label: str = "", timeout_s: float = 30) -> Any:
        """Poll until a run has ended; return its last status."""
        async with asyncio.timeout(timeout_s):
            while not (status := await self.get_status(label)).message.startswith(ENDED):
                await asyncio.sleep(0.02)
        return status
