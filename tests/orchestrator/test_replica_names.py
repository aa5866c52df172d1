"""The run begins when a name stands for all replicas."""

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from orchestrator import replica_names
from orchestrator.replica_names import wait_for_replicas


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replica_names, "_INTERVAL_S", 0.001)


def answer_with(monkeypatch: pytest.MonkeyPatch, counts: Iterator[int]) -> list[str]:
    """Let names have so many addresses, one count for each look; return what is looked up."""
    asked: list[str] = []

    async def getaddrinfo(_: Any, host: str, port: int) -> list[Any]:
        asked.append(host)
        count = next(counts)
        if not count:
            raise OSError("no such name")
        # Each address comes once for every kind of socket.
        return [(0, kind, 0, "", (f"10.0.0.{n}", port)) for n in range(count) for kind in (1, 2)]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", getaddrinfo)
    return asked


async def test_it_waits_for_all_replicas(monkeypatch: pytest.MonkeyPatch):
    asked = answer_with(monkeypatch, iter([0, 1, 3, 4]))
    await wait_for_replicas({"clean": "dns:///forest--clean.eo.svc:8061"}, {"clean": 4}, 30)
    assert asked == ["forest--clean.eo.svc"] * 4


async def test_it_goes_on_with_fewer_and_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    answer_with(monkeypatch, iter(lambda: 2, None))
    with caplog.at_level(logging.WARNING):
        await wait_for_replicas({"clean": "dns:///clean:8061"}, {"clean": 4}, 0.05)
    assert "node clean: 2 of 4 replicas are ready" in caplog.text


async def test_nobody_waits_for_one_replica_or_for_an_address(monkeypatch: pytest.MonkeyPatch):
    asked = answer_with(monkeypatch, iter([]))
    targets = {"one": "dns:///one:8061", "fixed": "10.0.0.7:8061", "local": "unix:/x.sock"}
    await wait_for_replicas(targets, {"one": 1, "fixed": 3, "local": 3}, 30)
    assert asked == []
