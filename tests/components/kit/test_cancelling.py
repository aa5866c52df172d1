"""Callers that go away, long computations, and what becomes of the worker threads."""

import asyncio
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from components.kit import Call
from tests.components.kit.sums import Client, Number, Parameters, Sums, happens, listening, serving


class Slow(Sums):
    """Waits for `release` where Sums would answer at once, or reports progress for ever."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = threading.Event()
        self.stopped = threading.Event()

    def double(self, number: Any, call: Call[Parameters]) -> Any:
        self.begun.set()
        self.release.wait(20)
        return super().double(number, call)

    def count(self, number: Any, call: Call[Parameters]) -> Iterator[Any]:
        self.begun.set()
        try:
            # The caller may be gone before this goes on.
            yield Number(value=1)
            while not self.release.wait(0.01):
                call.progress(1, 2)
        finally:
            self.stopped.set()
            self.closed.set()


async def answers(channel: grpc.aio.Channel) -> bool:
    """Whether a worker thread is free: the servers of these tests have only one."""
    call = Client(channel).total(iter([Number(value=1)]), timeout=10)
    return bool((await call).value == 1)


class Polite(Sums):
    """Returns as soon as it is told that the call is over, as if it had given everything."""

    def count(self, number: Any, call: Call[Parameters]) -> Iterator[Any]:
        while not call.cancelled.wait(0.002):
            yield Number(value=1)


async def forever() -> AsyncIterator[Any]:
    """Give one number, and let the stream open."""
    yield Number(value=1)
    await asyncio.Event().wait()


async def _read_all(call: Any) -> None:
    while await call.read() is not grpc.aio.EOF:
        pass


@pytest.mark.parametrize("grace_s", [0.0, 0.05])
async def test_a_component_that_stops_ends_no_stream_as_if_it_were_complete(
    tmp_path: Path, grace_s: float
) -> None:
    """Nor answers with the sum of half of its input: whoever calls would take it for all."""
    async with listening(Polite(), tmp_path, stop_grace_s=grace_s) as address:
        channel = grpc.aio.insecure_channel(address)
        counted = Client(channel).count(Number(value=1))
        running = Client(channel).running(forever())
        total = Client(channel).total(forever())
        assert (await counted.read()).value == 1
        assert (await running.read()).value == 1
    of_a_stop = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
    for call in (counted, running):
        with pytest.raises(grpc.aio.AioRpcError):  # the status stands behind all answers
            await asyncio.wait_for(_read_all(call), 10)
    for call in (counted, running, total):
        assert await asyncio.wait_for(call.code(), 10) in of_a_stop
    await channel.close()


async def test_a_long_computation_does_not_hold_up_health(tmp_path: Path) -> None:
    service = Slow()
    async with serving(service, tmp_path) as channel:
        call = Client(channel).double(Number(value=4))
        assert await happens(service.begun)
        check = health_pb2_grpc.HealthStub(channel).Check
        answer = await check(health_pb2.HealthCheckRequest(service="Sums"), timeout=10)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        assert not call.done()
        service.release.set()
        assert (await call).value == 8


async def test_progress_ends_the_work_of_a_caller_that_has_gone(tmp_path: Path) -> None:
    service = Slow()
    async with serving(service, tmp_path, threads=1) as channel:
        call = Client(channel).count(Number(value=9))
        assert (await call.read()).value == 1
        call.cancel()
        assert await happens(service.stopped)
        assert await answers(channel)


async def test_a_cancelled_stream_closes_the_generator(tmp_path: Path) -> None:
    service = Sums()
    async with serving(service, tmp_path, threads=1) as channel:
        call = Client(channel).count(Number(value=10**12))
        assert (await call.read()).value == 1
        assert not service.closed.is_set()
        call.cancel()
        assert await happens(service.closed)
        assert await answers(channel)


async def test_a_deadline_closes_the_generator(tmp_path: Path) -> None:
    service = Sums()
    async with serving(service, tmp_path, threads=1) as channel:
        call = Client(channel).running(open_stream(1), timeout=0.3)
        try:
            async for _ in call:
                pass
        except grpc.aio.AioRpcError as error:
            assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED  # noqa: PT017
        assert await happens(service.closed)
        assert await answers(channel)


async def open_stream(*values: int) -> AsyncIterator[Any]:
    for value in values:
        yield Number(value=value)
    await asyncio.Event().wait()


async def test_an_abandoned_request_stream_is_no_end_of_data(tmp_path: Path) -> None:
    """Else the sum of a part of the stream would pass for the sum of the whole."""

    class Careful(Sums):
        ended = threading.Event()

        def total(self, numbers: Iterator[Any], call: Call[Parameters]) -> Any:
            try:
                for _ in numbers:
                    pass
                self.ended.set()
            finally:
                self.closed.set()
            return Number()

    for _ in range(20):
        service = Careful()
        async with serving(service, tmp_path, threads=1) as channel:
            call = Client(channel).total()
            await call.write(Number(value=1))
            await asyncio.sleep(0.005)
            call.cancel()
            assert await happens(service.closed)
        assert not service.ended.is_set()


CALLER = """
import sys, time, grpc
call = grpc.insecure_channel(sys.argv[1]).stream_stream("/Sums/running")(iter(lambda: b"", None))
next(call)
print("called", flush=True)
time.sleep(60)
"""


async def test_a_caller_that_is_killed(tmp_path: Path) -> None:
    service = Sums()
    async with listening(service, tmp_path, threads=1) as address:
        caller = await asyncio.create_subprocess_exec(
            sys.executable, "-c", CALLER, address, stdout=asyncio.subprocess.PIPE
        )
        assert caller.stdout is not None
        assert await caller.stdout.readline() == b"called\n"
        caller.kill()
        await caller.wait()
        assert await happens(service.closed)
        async with grpc.aio.insecure_channel(address) as channel:
            assert await answers(channel)


async def test_a_call_that_waits_for_a_thread_can_be_cancelled(tmp_path: Path) -> None:
    service = Slow()
    async with serving(service, tmp_path, threads=1) as channel:
        client = Client(channel)
        first = client.double(Number(value=1))
        assert await happens(service.begun)
        waiting = client.double(Number(value=2))
        await asyncio.sleep(0.1)
        waiting.cancel()
        await asyncio.sleep(0.2)  # until the server knows
        service.release.set()
        assert (await first).value == 2
        assert await answers(channel)
        assert len(service.calls) == 2  # first and answers, not the one that was cancelled


async def test_a_method_may_leave_its_input_unread(tmp_path: Path) -> None:
    class First(Sums):
        def running(self, numbers: Iterator[Any], call: Call[Parameters]) -> Iterator[Any]:
            yield next(numbers)

    async with serving(First(), tmp_path, threads=1) as channel:
        client = Client(channel)
        assert [n.value async for n in client.running(open_stream(5, 6))] == [5]
        assert await answers(channel)


async def test_a_slow_caller_holds_back_the_component(tmp_path: Path) -> None:
    made = []

    class Large(Sums):
        def count(self, number: Any, call: Call[Parameters]) -> Iterator[Any]:
            for value in range(number.value):
                made.append(value)
                yield Number(value=value, padding=bytes(1024 * 1024))

    async with serving(Large(), tmp_path) as channel:
        call = Client(channel).count(Number(value=200))
        assert (await call.read()).value == 0
        await asyncio.sleep(0.5)
        assert len(made) < 100
        assert sum([1 async for _ in _rest(call)]) == 199


async def _rest(call: Any) -> AsyncIterator[Any]:
    while (message := await call.read()) is not grpc.aio.EOF:
        yield message


async def test_the_whole_of_a_call_stays_in_one_thread(tmp_path: Path) -> None:
    """rasterio keeps its environment per thread; a raster may stay open between results."""
    threads = set()

    class Watched(Sums):
        def running(self, numbers: Iterator[Any], call: Call[Parameters]) -> Iterator[Any]:
            try:
                for number in numbers:
                    threads.add(threading.get_ident())
                    yield number
            finally:
                threads.add(threading.get_ident())

    async with serving(Watched(), tmp_path, threads=8) as channel:
        client = Client(channel)
        numbers = [Number(value=value) for value in range(20)]
        await asyncio.gather(*(_drain(client.count(Number(value=50))) for _ in range(6)))
        assert len([n async for n in client.running(iter(numbers))]) == 20
    assert len(threads) == 1


async def _drain(call: Any) -> None:
    async for _ in call:
        pass
