"""A replica that comes while a channel is open gets calls: a real DNS server, two servers."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.engine.channels import open_channel
from tests.components.kit.sums import Client, Number, Sums, listening

FIRST, SECOND = "127.0.0.1", "127.0.0.2"
TYPE_A = 1


class NameServer:
    """Answers every question for an IPv4 address by `addresses` (RFC 1035)."""

    def __init__(self) -> None:
        self.addresses = [FIRST]
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((FIRST, 0))
        self.port = int(self._socket.getsockname()[1])
        self._thread = threading.Thread(target=self._answer, daemon=True)
        self._thread.start()

    def close(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"", (FIRST, self.port))
        self._thread.join()
        self._socket.close()

    def _answer(self) -> None:
        while True:
            query, sender = self._socket.recvfrom(4096)
            if not query:
                return
            end = query.index(b"\0", 12) + 5
            (kind,) = struct.unpack(">H", query[end - 4 : end - 2])
            addresses = self.addresses if kind == TYPE_A else []
            records = b"".join(
                struct.pack(">HHHIH", 0xC00C, TYPE_A, 1, 0, 4) + socket.inet_aton(address)
                for address in addresses
            )
            header = query[:2] + struct.pack(">HHHHH", 0x8400, 1, len(addresses), 0, 0)
            self._socket.sendto(header + query[12:end] + records, sender)


@pytest.fixture
def name_server() -> Iterator[NameServer]:
    server = NameServer()
    yield server
    server.close()


async def test_a_new_replica_is_called_after_the_age_of_a_connection(
    name_server: NameServer, tmp_path: Path
) -> None:
    old, new = Sums(), Sums()
    async with (
        listening(old, tmp_path, connection_age_s=0.5) as address,
        listening(new, tmp_path, address=address.replace(FIRST, SECOND), connection_age_s=0.5),
    ):
        port = address.rpartition(":")[2]
        target = f"dns://{FIRST}:{name_server.port}/replicas.test:{port}"
        async with open_channel(target, 1024 * 1024) as channel:
            client = Client(channel)
            await client.double(Number(value=4), timeout=10)
            name_server.addresses.append(SECOND)
            async with asyncio.timeout(20):
                while len(new.calls) < 10:
                    assert (await client.double(Number(value=4), timeout=10)).value == 8
                    await asyncio.sleep(0.02)
            before = len(old.calls)
            await asyncio.gather(*(client.double(Number(value=4)) for _ in range(10)))
            assert 0 < len(old.calls) - before < 10
