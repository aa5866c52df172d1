"""Parameters, names and storage that a call gets from its metadata."""

import json
from pathlib import Path
from typing import Any

import grpc
import pytest

from components.kit.call import parse_params
from components.kit.errors import InputError
from tests.components.kit.sums import Client, Number, Parameters, Sums, serving


async def call_double(folder: Path, service: Sums, **metadata: str) -> Any:
    async with serving(service, folder) as channel:
        pairs = tuple((f"eoloom-{key}", value) for key, value in metadata.items())
        return await Client(channel).double(Number(value=5), metadata=pairs)


async def fail_double(folder: Path, **metadata: str) -> tuple[grpc.StatusCode, str]:
    service = Sums()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call_double(folder, service, **metadata)
    assert not service.calls
    return caught.value.code(), caught.value.details() or ""


async def test_defaults_without_metadata(tmp_path: Path) -> None:
    service = Sums()
    assert (await call_double(tmp_path, service)).value == 10
    call = service.calls[0]
    assert (call.run, call.node, call.operation) == ("default", "test-sums", "double")
    assert call.storage.output == tmp_path / "test-sums"


async def test_parameters_and_names(tmp_path: Path) -> None:
    service = Sums()
    answer = await call_double(tmp_path, service, params='{"factor": 3}', run="r-1", node="twice")
    assert answer.value == 15
    call = service.calls[0]
    assert (call.run, call.node) == ("r-1", "twice")
    assert call.storage.output == tmp_path / "twice"


async def test_parameters_of_200_kb(tmp_path: Path) -> None:
    service = Sums()
    names = [f"name-{number:05d}" for number in range(15_000)]
    text = json.dumps({"names": names})
    assert len(text) > 200_000
    await call_double(tmp_path, service, params=text)
    assert service.calls[0].params.names == tuple(names)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"factor": 11}', ["factor", "less than or equal to 10", "11"]),
        ('{"factor": "many"}', ["factor", "many"]),
        ('{"faktor": 3}', ["faktor", "not permitted"]),
        ('{"factor": 0, "names": 7}', ["factor", "names"]),
        ("{factor: 3}", ["not JSON"]),
        ("[1, 2]", ["object", "list"]),
        ('{"factor": NaN}', ["NaN"]),
    ],
)
async def test_wrong_parameters_are_named(tmp_path: Path, text: str, words: list[str]) -> None:
    code, details = await fail_double(tmp_path, params=text)
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert all(word in details for word in words), details


def test_deeply_nested_parameters_are_refused() -> None:
    with pytest.raises(InputError, match="not JSON"):
        parse_params(Parameters, "[" * 200_000)


@pytest.mark.parametrize(
    "name", ["../x", "..", ".", "a/b", "/etc", "", "-rf", ".hidden", "a b", "x" * 129, "a%2Fb"]
)
@pytest.mark.parametrize("key", ["node", "run"])
async def test_hostile_names_are_refused(tmp_path: Path, key: str, name: str) -> None:
    code, details = await fail_double(tmp_path, **{key: name})
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert key in details
    assert repr(name) in details
    assert list(tmp_path.iterdir()) == []


async def test_names_of_pipelines_are_accepted(tmp_path: Path) -> None:
    for name in ("scenes", "s2-change", "Node_7", "2023-08-13.a", "x" * 128):
        service = Sums()
        await call_double(tmp_path, service, node=name)
        assert service.calls[0].node == name
