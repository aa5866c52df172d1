"""The four forms of rpc over real gRPC."""

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from pydantic import BaseModel

from components.kit import Call
from protos.common.v1.item_pb2 import Item
from protos.s2_change.v1 import s2_change_pb2
from protos.s2_preprocess.v1 import s2_preprocess_pb2
from protos.sample_scenes.v1 import sample_scenes_pb2
from tests.components.kit.sums import SERVICE, Client, Number, Sums, serving

CHANGE = s2_change_pb2.DESCRIPTOR.services_by_name["S2Change"]
PREPROCESS = s2_preprocess_pb2.DESCRIPTOR.services_by_name["S2Preprocess"]
SCENES = sample_scenes_pb2.DESCRIPTOR.services_by_name["SampleScenes"]


async def numbers(*values: int) -> AsyncIterator[Any]:
    for value in values:
        yield Number(value=value)


@pytest.fixture(params=["tcp", "unix"])
def address(request: pytest.FixtureRequest) -> Iterator[str]:
    # Not tmp_path: a socket's path has at most 107 characters.
    with tempfile.TemporaryDirectory() as folder:
        yield "127.0.0.1:0" if request.param == "tcp" else f"unix:{folder}/socket"


@pytest.mark.parametrize("name", ["eoloom.test_sums.v1.Sums", "Sums"])
async def test_every_form_under_both_names(tmp_path: Path, address: str, name: str) -> None:
    async with serving(Sums(), tmp_path, address=address) as channel:
        client = Client(channel, SERVICE, name)
        assert (await client.double(Number(value=21))).value == 42
        assert [n.value async for n in client.count(Number(value=3))] == [1, 2, 3]
        assert (await client.total(numbers(1, 2, 3))).value == 6
        assert [n.value async for n in client.running(numbers(1, 2, 3))] == [1, 3, 6]


async def test_streams_without_messages(tmp_path: Path) -> None:
    async with serving(Sums(), tmp_path) as channel:
        client = Client(channel)
        assert [n async for n in client.count(Number(value=0))] == []
        assert (await client.total(numbers())).value == 0
        assert [n async for n in client.running(numbers())] == []


async def test_a_stream_is_answered_while_it_is_open(tmp_path: Path) -> None:
    async with serving(Sums(), tmp_path) as channel:
        call = Client(channel).running()
        for value, expected in [(5, 5), (-2, 3), (10, 13)]:
            await call.write(Number(value=value))
            assert (await call.read()).value == expected
        await call.done_writing()
        assert await call.read() is grpc.aio.EOF


async def test_twenty_calls_at_once(tmp_path: Path) -> None:
    async with serving(Sums(), tmp_path) as channel:
        client = Client(channel)

        async def run(number: int) -> list[int]:
            values = range(number, number + 5)
            return [n.value async for n in client.running(numbers(*values))]

        results = await asyncio.gather(*(run(number) for number in range(20)))
    for number, result in enumerate(results):
        assert result == [sum(range(number, number + k)) for k in range(1, 6)]


async def test_more_calls_than_threads_wait_their_turn(tmp_path: Path) -> None:
    async with serving(Sums(), tmp_path, threads=2) as channel:
        client = Client(channel)
        results = await asyncio.gather(*(client.total(numbers(n, n)) for n in range(10)))
    assert [result.value for result in results] == [2 * n for n in range(10)]


class Nothing(BaseModel):
    """No parameters."""


class Change:
    def detect(self, scenes: Iterator[Item], call: Call[Nothing]) -> Iterator[Item]:
        before = None
        for scene in scenes:
            if before is not None:
                yield Item(id=f"{before.id}-{scene.id}", derived_from=[before.id, scene.id])
            before = scene


class Preprocess:
    def prepare(self, scene: Item, call: Call[Nothing]) -> Item:
        return Item(id=scene.id, collection="prepared")

    def align(self, scenes: Iterator[Item], call: Call[Nothing]) -> Iterator[Item]:
        return scenes


class Scenes:
    def generate(self, request: Any, call: Call[Nothing]) -> list[Item]:
        return [Item(id=name) for name in "abc"]


async def items(*names: str) -> AsyncIterator[Item]:
    for name in names:
        yield Item(id=name)


async def test_pairs_of_a_series(tmp_path: Path) -> None:
    async with serving(Change(), tmp_path, service=CHANGE, params=Nothing) as channel:
        for prefix in ("eoloom.s2_change.v1.S2Change", "S2Change"):
            client = Client(channel, CHANGE, prefix)
            assert [i.id async for i in client.detect(items("a", "b", "c"))] == ["a-b", "b-c"]


async def test_one_scene_and_a_series(tmp_path: Path) -> None:
    async with serving(Preprocess(), tmp_path, service=PREPROCESS, params=Nothing) as channel:
        client = Client(channel, PREPROCESS)
        assert (await client.prepare(Item(id="a"))).collection == "prepared"
        assert [i.id async for i in client.align(items("a", "b"))] == ["a", "b"]


async def test_a_source_may_give_any_iterable(tmp_path: Path) -> None:
    async with serving(Scenes(), tmp_path, service=SCENES, params=Nothing) as channel:
        client = Client(channel, SCENES)
        request = sample_scenes_pb2.GenerateRequest()
        assert [i.id async for i in client.generate(request)] == ["a", "b", "c"]


class Warner(Sums):
    """Warns of every number."""

    def double(self, number: Any, call: Call[Any]) -> Any:
        call.warn(f"{number.value} is odd")
        return super().double(number, call)

    def running(self, requests: Iterator[Any], call: Call[Any]) -> Iterator[Any]:
        for number in requests:
            call.warn(f"{number.value} is odd")
            yield number


async def test_a_call_ends_with_its_warnings(tmp_path: Path) -> None:
    async with serving(Warner(), tmp_path) as channel:
        client = Client(channel)
        unary = client.double(Number(value=3))
        await unary
        stream = client.running(numbers(1, 3))
        assert [answer.value async for answer in stream] == [1, 3]
        quiet = client.total(numbers(1))
        await quiet
        ends = [dict(list(await call.trailing_metadata())) for call in (unary, stream, quiet)]
    told = [json.loads(end.get("eoloom-notices-bin", "null")) for end in ends]
    assert told == [["3 is odd"], ["1 is odd", "3 is odd"], None]
