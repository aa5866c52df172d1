"""Connections are replaced while calls and streams go on."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import psutil

from tests.components.kit.sums import Client, Number, Sums, listening

AGE_S = 0.3
ROUNDS = 8


def connections(port: int) -> int:
    """How many connections this process has made to a port."""
    return sum(
        bool(found.raddr) and found.raddr.port == port and found.status == psutil.CONN_ESTABLISHED
        for found in psutil.Process().net_connections("tcp")
    )


async def test_calls_and_streams_survive_the_age_of_their_connection(tmp_path: Path) -> None:
    ended = asyncio.Event()
    seen, doubled = 0, 0

    async def numbers() -> AsyncIterator[Any]:
        for value in range(ROUNDS):
            yield Number(value=value)
            await asyncio.sleep(AGE_S)

    async def double(client: Client) -> None:
        nonlocal doubled
        while not ended.is_set():
            assert (await client.double(Number(value=4), timeout=10)).value == 8
            doubled += 1

    async with (
        listening(Sums(), tmp_path, connection_age_s=AGE_S) as address,
        grpc.aio.insecure_channel(address) as channel,
    ):
        client = Client(channel)
        port = int(address.rpartition(":")[2])
        callers = [asyncio.create_task(double(client)) for _ in range(4)]
        sums = []
        async for sum_so_far in client.running(numbers()):
            sums.append(sum_so_far.value)
            seen = max(seen, connections(port))
        ended.set()
        await asyncio.gather(*callers)
    assert sums == [0, 1, 3, 6, 10, 15, 21, 28]
    assert doubled > 4 * ROUNDS
    assert seen > 1  # that of the stream, and one that is newer
