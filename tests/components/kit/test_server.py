"""Health, reflection, TLS, and what a server refuses to start with."""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from pydantic import ValidationError

from components.kit.health import fault
from components.kit.server import ComponentServer
from components.kit.settings import ComponentSettings
from protos.s2_preprocess.v1 import s2_preprocess_pb2
from tests.components.kit.sums import (
    SERVICE,
    Client,
    Number,
    Parameters,
    Sums,
    listening,
    serving,
)

SERVING = health_pb2.HealthCheckResponse.SERVING
PREPROCESS = s2_preprocess_pb2.DESCRIPTOR.services_by_name["S2Preprocess"]


@pytest.mark.parametrize("name", ["", "eoloom.test_sums.v1.Sums", "Sums"])
async def test_health_of_both_names(tmp_path: Path, name: str) -> None:
    async with serving(Sums(), tmp_path) as channel:
        check = health_pb2_grpc.HealthStub(channel).Check
        answer = await check(health_pb2.HealthCheckRequest(service=name))
    assert answer.status == SERVING


async def test_health_of_an_unknown_name(tmp_path: Path) -> None:
    async with serving(Sums(), tmp_path) as channel:
        check = health_pb2_grpc.HealthStub(channel).Check
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await check(health_pb2.HealthCheckRequest(service="Products"))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


async def test_an_unknown_method(tmp_path: Path) -> None:
    async with serving(Sums(), tmp_path) as channel:
        call: Any = channel.unary_unary("/Sums/multiply")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(b"")
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


class Preprocess:
    def prepare(self) -> None: ...
    def align(self) -> None: ...


async def reflect(channel: grpc.aio.Channel, **question: str) -> Any:
    async def questions() -> AsyncIterator[Any]:
        yield reflection_pb2.ServerReflectionRequest(**question)

    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    return await stub.ServerReflectionInfo(questions()).read()


async def test_reflection_gives_the_contract(tmp_path: Path) -> None:
    async with serving(Preprocess(), tmp_path, service=PREPROCESS, params=Parameters) as channel:
        answer = await reflect(channel, list_services="")
        names = {service.name for service in answer.list_services_response.service}
        assert "eoloom.s2_preprocess.v1.S2Preprocess" in names
        answer = await reflect(
            channel, file_containing_symbol="eoloom.s2_preprocess.v1.S2Preprocess"
        )
    files = [
        FileDescriptorProto.FromString(content)
        for content in answer.file_descriptor_response.file_descriptor_proto
    ]
    (service,) = [service for file in files for service in file.service]
    assert [method.name for method in service.method] == ["prepare", "align"]


async def test_a_missing_method_is_named() -> None:
    class Half:
        def prepare(self) -> None: ...

    with pytest.raises(TypeError, match="Half has no method align"):
        ComponentServer(PREPROCESS, Half(), Parameters, ComponentSettings())


async def test_the_system_chooses_port_0(tmp_path: Path) -> None:
    async with listening(Sums(), tmp_path) as first, listening(Sums(), tmp_path) as second:
        assert first != second
        assert not first.endswith(":0")


async def test_a_taken_port_is_refused(tmp_path: Path) -> None:
    async with listening(Sums(), tmp_path) as address:
        settings = ComponentSettings(address=address)
        with pytest.raises(RuntimeError, match="bind"):
            await ComponentServer(SERVICE, Sums(), Parameters, settings).start()


@dataclass(frozen=True)
class Keys:
    """An authority, and a certificate that it gave to localhost."""

    authority: Path
    certificate: Path
    key: Path

    def settings(self) -> dict[str, Any]:
        return {"tls_certificate_file": self.certificate, "tls_key_file": self.key}


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    if not shutil.which("openssl"):
        pytest.skip("there is no openssl command to make certificates with")
    folder = tmp_path_factory.mktemp("keys")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
    openssl("req", "-x509", *curve, "-subj", "/CN=test", "-keyout", "ca.key", "-out", "ca.pem")
    openssl("req", *curve[:-2], "-subj", "/CN=localhost", "-keyout", "key.pem", "-out", "csr.pem")
    (folder / "names").write_text("subjectAltName=DNS:localhost")
    signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2")
    openssl("x509", "-req", "-in", "csr.pem", *signed, "-extfile", "names", "-out", "cert.pem")
    return Keys(folder / "ca.pem", folder / "cert.pem", folder / "key.pem")


async def call_over_tls(address: str, **credentials: bytes) -> int:
    target = address.replace("127.0.0.1", "localhost")
    given = grpc.ssl_channel_credentials(**credentials)
    async with grpc.aio.secure_channel(target, given) as channel:
        answer = await Client(channel).double(Number(value=4), timeout=10)
        return int(answer.value)


async def test_tls(tmp_path: Path, keys: Keys) -> None:
    authority = keys.authority.read_bytes()
    async with listening(Sums(), tmp_path, **keys.settings()) as address:
        assert await call_over_tls(address, root_certificates=authority) == 8
        with pytest.raises(grpc.aio.AioRpcError):
            await call_over_tls(address)  # the authority is not among the system's
        async with grpc.aio.insecure_channel(address) as channel:
            with pytest.raises(grpc.aio.AioRpcError):
                await Client(channel).double(Number(value=4), timeout=10)


async def test_mutual_tls(tmp_path: Path, keys: Keys) -> None:
    authority = keys.authority.read_bytes()
    settings = keys.settings() | {"tls_client_ca_file": keys.authority}
    async with listening(Sums(), tmp_path, **settings) as address:
        with pytest.raises(grpc.aio.AioRpcError):
            await call_over_tls(address, root_certificates=authority)
        own = {
            "private_key": keys.key.read_bytes(),
            "certificate_chain": keys.certificate.read_bytes(),
        }
        assert await call_over_tls(address, root_certificates=authority, **own) == 8


async def test_health_is_answered_beside_tls_for_probes_that_speak_none(
    tmp_path: Path, keys: Keys
) -> None:
    probed = f"unix:{tmp_path}/health.sock"
    settings = keys.settings() | {"tls_client_ca_file": keys.authority, "health_address": probed}
    async with (
        listening(Sums(), tmp_path, **settings),
        grpc.aio.insecure_channel(probed) as channel,
    ):
        check = health_pb2_grpc.HealthStub(channel).Check
        assert (await check(health_pb2.HealthCheckRequest(), timeout=10)).status == SERVING
        # Nothing else: whoever has no certificate must not be able to call the component.
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await Client(channel).double(Number(value=4), timeout=10)
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
        given = ComponentSettings(**settings)
        assert await asyncio.to_thread(fault, given) == ""
    assert "UNAVAILABLE" in await asyncio.to_thread(fault, given)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"tls_key_file": Path("k")}, "EOLOOM_TLS_CERTIFICATE_FILE"),
        ({"tls_certificate_file": Path("c")}, "EOLOOM_TLS_KEY_FILE"),
        ({"tls_client_ca_file": Path("a")}, "EOLOOM_TLS_CERTIFICATE_FILE"),
    ],
)
def test_half_a_tls_configuration_is_refused(given: dict[str, Any], name: str) -> None:
    with pytest.raises(ValidationError, match=name):
        ComponentSettings(**given)


async def test_certificates_that_are_not_there(tmp_path: Path) -> None:
    settings = ComponentSettings(
        address="127.0.0.1:0",
        tls_certificate_file=tmp_path / "cert.pem",
        tls_key_file=tmp_path / "missing-key",
    )
    with pytest.raises(FileNotFoundError, match="missing-key"):
        await ComponentServer(SERVICE, Sums(), Parameters, settings).start()


class Bare:
    """Keeps the names of the nodes that called."""

    def __init__(self) -> None:
        self.nodes: list[str] = []

    def ping(self, message: Any, call: Any) -> Any:
        self.nodes.append(call.node)
        return message


async def test_a_contract_without_a_package_gives_its_node_its_own_name(tmp_path: Path) -> None:
    file = FileDescriptorProto(name="tests/bare.proto", syntax="proto3")
    file.message_type.add(name="Empty")
    file.service.add(name="Bare").method.add(name="ping", input_type=".Empty", output_type=".Empty")
    pool = DescriptorPool()
    pool.Add(file)
    descriptor = pool.FindServiceByName("Bare")
    bare = Bare()
    async with serving(bare, tmp_path, service=descriptor) as channel:
        empty = GetMessageClass(descriptor.methods[0].input_type)
        await Client(channel, descriptor).ping(empty())
    assert bare.nodes == ["Bare"]
