"""Who may call, over what, and what each caller sees."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from aiohttp import web
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2_grpc

from composer.onboarding import onboard
from composer.registry import Registry
from composer.store import ComponentStore, Visibility
from orchestrator.errors import SettingsError
from orchestrator.service.server import ComponentsOfUsers
from orchestrator.service.tokens import TokenFile
from protos.orchestrator.v1 import orchestrator_pb2 as v1
from protos.orchestrator.v1.orchestrator_pb2_grpc import RunsStub
from tests.orchestrator.service.ai4eu_client import Client
from tests.orchestrator.service.certificates import Authority, make_authority
from tests.orchestrator.service.conftest import Serve, Service
from tests.orchestrator.service.containers import RELAY, relay, serving, sink, solution, source
from tests.orchestrator.service.scripted import CHAIN, make_registry
from tests.orchestrator.service.v1_client import content, ended, refused

ALICE, BOB = "alice's token, which is long", "bob's token, which is long"
LINKS = ["source.next -> relay.double", "relay.double -> sink.keep"]


def bearer(token: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {token}"),)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    return make_registry(tmp_path_factory.mktemp("components"))


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def tokens_file(tmp_path: Path) -> Path:
    path = tmp_path / "tokens.yaml"
    path.write_text(json.dumps({ALICE: "alice", BOB: "bob"}))
    return path


@pytest.mark.parametrize(
    "metadata",
    [
        (),
        bearer(""),
        bearer("nobody's token"),
        bearer(ALICE[:-1]),
        (("authorization", f"Basic {ALICE}"),),
        (("authorization", ALICE),),
        bearer("x" * 20_000),
    ],
)
async def test_without_a_valid_token_only_health_is_answered(
    serve: Serve, tokens_file: Path, metadata: Any
) -> None:
    async with serve(tokens_file=tokens_file) as service:
        channel = service.channel
        check = health_pb2_grpc.HealthStub(channel).Check
        answer = await check(health_pb2.HealthCheckRequest(), metadata=metadata)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        runs, client = RunsStub(channel), Client(channel, metadata)

        # Without a question: a write as the call ends would hide its status (grpc/grpc#36066).
        reflection = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo
        unknown: Any = channel.unary_unary("/Nothing/here")
        for call in (
            runs.submit(v1.SubmitRequest(pipeline=CHAIN), metadata=metadata),
            runs.list(v1.ListRequest(), metadata=metadata),
            runs.watch(v1.WatchRequest(run="x"), metadata=metadata).read(),
            client.get_status(),
            client.run(),
            client.observe().read(),
            reflection(metadata=metadata).read(),
            unknown(b"", metadata=metadata),
        ):
            code, details = await refused(call)
            assert code is grpc.StatusCode.UNAUTHENTICATED, details
            assert ALICE not in details


async def test_runs_of_others_do_not_exist(
    serve: Serve, tokens_file: Path, registry: Registry
) -> None:
    async with serve(registry, tokens_file=tokens_file) as service:
        runs = RunsStub(service.channel)
        alice, bob = ({"metadata": bearer(token)} for token in (ALICE, BOB))
        run = await runs.submit(v1.SubmitRequest(pipeline=CHAIN), **alice)
        async for _ in runs.watch(v1.WatchRequest(run=run.id), **alice):
            pass
        assert [r.id for r in (await runs.list(v1.ListRequest(), **alice)).runs] == [run.id]
        assert not (await runs.list(v1.ListRequest(), **bob)).runs
        for call in (
            runs.get(v1.GetRequest(run=run.id), **bob),
            runs.cancel(v1.CancelRequest(run=run.id), **bob),
            runs.resume(v1.ResumeRequest(run=run.id), **bob),
            runs.watch(v1.WatchRequest(run=run.id), **bob).read(),
            runs.results(v1.ResultsRequest(run=run.id), **bob).read(),
            runs.download(v1.DownloadRequest(run=run.id, path="catalog.json"), **bob).read(),
        ):
            assert (await refused(call))[0] is grpc.StatusCode.NOT_FOUND


async def test_owners_are_known_after_a_restart(
    serve: Serve, tokens_file: Path, registry: Registry
) -> None:
    alice, bob = ({"metadata": bearer(token)} for token in (ALICE, BOB))
    async with serve(registry, tokens_file=tokens_file) as service:
        runs = RunsStub(service.channel)
        run = await runs.submit(v1.SubmitRequest(pipeline=CHAIN), **alice)
        async for _ in runs.watch(v1.WatchRequest(run=run.id), **alice):
            pass
    async with serve(registry, tokens_file=tokens_file) as service:
        runs = RunsStub(service.channel)
        found = await runs.get(v1.GetRequest(run=run.id), **alice)
        assert found.state == v1.STATE_SUCCEEDED
        code, _ = await refused(runs.get(v1.GetRequest(run=run.id), **bob))
        assert code is grpc.StatusCode.NOT_FOUND
    # Without users everybody sees everything.
    async with serve(registry) as service:
        assert (await RunsStub(service.channel).get(v1.GetRequest(run=run.id))).id == run.id


async def test_pipelines_and_events_of_ai4eu_clients_are_their_own(
    serve: Serve, tokens_file: Path
) -> None:
    async with serve(tokens_file=tokens_file) as service:
        alice, bob = (Client(service.channel, bearer(token)) for token in (ALICE, BOB))
        events = bob.observe()
        await events.initial_metadata()
        parts = [source(2), relay(), sink([])]
        async with serving(*parts):
            await alice.initialize(solution("hers", parts, LINKS), iterations=9)
            assert (await bob.run()).message == "not initialized"
            await alice.run("label")
            assert (await alice.end("label")).success
            assert (await bob.get_status("label")).message == "there is no run 'label'"
        event = await events.read()
        events.cancel()
        # The first that he is told is what he did himself.
        assert (event.name, event.detail["method"]) == ("exception", "run")


def test_users_may_use_their_own_components_and_public_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EOLOOM_DATABASE_URL", f"sqlite:///{tmp_path}/registry.sqlite")
    store = ComponentStore()
    for name, visibility in (("hers", Visibility.PRIVATE), ("all", Visibility.PUBLIC)):
        component = onboard("registry.example/relay:1", RELAY, name=name)
        store.add(component, owner="alice", visibility=visibility)
    store.close()
    components = ComponentsOfUsers()
    for user, others in (("alice", {"hers", "all"}), ("bob", {"all"}), (None, {"all"})):
        names = {component.manifest.name for component in components(user).components}
        assert names & {"hers", "all"} == others
        assert "s2-preprocess" in names


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must map each token"),
        ("[]", "must map each token"),
        ("secret-of-no-one-at-all:", "cannot be the name of a user"),
        ('secret-of-no-one-at-all: "a\\nb"', "cannot be the name of a user"),
        ("short: alice", "too short"),
        ("a: [", "tokens file"),
    ],
)
def test_a_tokens_file_that_is_wrong_is_named_without_its_tokens(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "tokens.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=message) as caught:
        TokenFile(path)
    assert str(path) in str(caught.value)
    assert "secret" not in str(caught.value)


class Provider:
    """An identity provider on this machine that answers as it is told."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.asked: list[str] = []
        self.clients: list[str] = []
        self.status = 200

    async def introspect(self, request: web.Request) -> web.Response:
        form = await request.post()
        token = str(form["token"])
        self.asked.append(token)
        self.clients.append(request.headers.get("Authorization", ""))
        answer = self.answers.get(token, {"active": False})
        return web.json_response(answer, status=self.status)


@pytest.fixture
async def provider() -> AsyncIterator[tuple[Provider, str]]:
    """The provider, and where it introspects."""
    answering = Provider()
    application = web.Application()
    application.router.add_post("/introspect", answering.introspect)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    yield answering, f"http://{host}:{port}/introspect"
    await runner.cleanup()


async def status_with(service: Service, token: str) -> Any:
    return await Client(service.channel, bearer(token)).get_status()


async def test_tokens_are_introspected_once_in_a_while(
    serve: Serve, provider: tuple[Provider, str]
) -> None:
    answering, url = provider
    answering.answers["good"] = {"active": True, "sub": "alice"}
    client = {"introspection_client": "eoloom", "introspection_secret": "hidden"}
    async with serve(introspection_url=url, **client) as service:
        for _ in range(3):
            assert (await status_with(service, "good")).message == "not initialized"
            code, _ = await refused(status_with(service, "bad"))
            assert code is grpc.StatusCode.UNAUTHENTICATED
    assert answering.asked == ["good", "bad"]
    assert set(answering.clients) == {"Basic ZW9sb29tOmhpZGRlbg=="}


@pytest.mark.parametrize(
    "answer",
    [
        {"active": "true", "sub": "alice"},
        {"active": True},
        {"active": True, "sub": ""},
        {"active": True, "sub": 7},
        {"active": True, "sub": "alice", "exp": 1},
        {"active": True, "sub": "alice", "aud": "other"},
        {"active": True, "sub": "alice", "aud": ["other"]},
    ],
)
async def test_what_makes_a_token_invalid(
    serve: Serve, provider: tuple[Provider, str], answer: dict[str, Any]
) -> None:
    answering, url = provider
    answering.answers["token"] = {"aud": "eoloom"} | answer
    async with serve(introspection_url=url, introspection_audience="eoloom") as service:
        code, _ = await refused(status_with(service, "token"))
        assert code is grpc.StatusCode.UNAUTHENTICATED


async def test_a_token_is_believed_until_it_expires_at_most(
    serve: Serve, provider: tuple[Provider, str]
) -> None:
    answering, url = provider
    answering.answers["token"] = {"active": True, "sub": "alice", "exp": time.time() + 0.5}
    async with serve(introspection_url=url) as service:
        await status_with(service, "token")
        while answering.asked == ["token"]:
            answering.answers["token"] = {"active": False}
            try:
                await status_with(service, "token")
            except grpc.aio.AioRpcError as error:
                assert error.code() is grpc.StatusCode.UNAUTHENTICATED  # noqa: PT017 - a loop
    assert answering.asked == ["token", "token"]


@pytest.mark.parametrize(("status", "answer"), [(500, {}), (401, {}), (200, [])])
async def test_a_provider_that_fails_is_no_proof_against_a_caller(
    serve: Serve, provider: tuple[Provider, str], status: int, answer: Any
) -> None:
    answering, url = provider
    answering.status, answering.answers["token"] = status, answer
    async with serve(introspection_url=url) as service:
        code, details = await refused(status_with(service, "token"))
        assert code is grpc.StatusCode.UNAVAILABLE
        assert "identity provider" in details


async def test_tls(serve: Serve, authority: Authority, tokens_file: Path) -> None:
    certificate, key = authority.give("server", "/CN=localhost")
    files = {"tls_certificate_file": certificate, "tls_key_file": key}
    async with serve(address="0.0.0.0:0", tokens_file=tokens_file, **files) as service:
        target = f"localhost:{service.address.rpartition(':')[2]}"
        trusted = grpc.ssl_channel_credentials(authority.certificate.read_bytes())
        async with grpc.aio.secure_channel(target, trusted) as channel:
            status = await Client(channel, bearer(ALICE)).get_status()
            assert status.message == "not initialized"
        async with grpc.aio.secure_channel(target, grpc.ssl_channel_credentials()) as channel:
            await refused(Client(channel, bearer(ALICE)).get_status())
        async with grpc.aio.insecure_channel(target) as channel:
            await refused(Client(channel, bearer(ALICE)).get_status())


async def test_mutual_tls_names_the_user(
    serve: Serve, authority: Authority, registry: Registry
) -> None:
    certificate, key = authority.give("server", "/CN=localhost")
    files = {
        "tls_certificate_file": certificate,
        "tls_key_file": key,
        "tls_client_ca_file": authority.certificate,
    }

    def credentials(name: str, subject: str) -> grpc.ChannelCredentials:
        own, own_key = authority.give(name, subject)
        root = authority.certificate.read_bytes()
        return grpc.ssl_channel_credentials(root, own_key.read_bytes(), own.read_bytes())

    async with serve(registry, **files) as service:
        target = service.address.replace("127.0.0.1", "localhost")
        async with grpc.aio.secure_channel(target, credentials("a", "/CN=alice")) as channel:
            runs = RunsStub(channel)
            run = await ended(runs, await runs.submit(v1.SubmitRequest(pipeline=CHAIN)))
            assert run.id.encode() in await content(runs, run.id, "catalog.json")
        async with grpc.aio.secure_channel(target, credentials("b", "/CN=bob")) as channel:
            code, _ = await refused(RunsStub(channel).get(v1.GetRequest(run=run.id)))
            assert code is grpc.StatusCode.NOT_FOUND
        async with grpc.aio.secure_channel(target, credentials("c", "/O=nobody")) as channel:
            code, _ = await refused(RunsStub(channel).get(v1.GetRequest(run=run.id)))
            assert code is grpc.StatusCode.UNAUTHENTICATED
        unknown = grpc.ssl_channel_credentials(authority.certificate.read_bytes())
        async with grpc.aio.secure_channel(target, unknown) as channel:
            await refused(RunsStub(channel).get(v1.GetRequest(run=run.id)))


async def test_what_cannot_be_listened_on_is_named(serve: Serve, tmp_path: Path) -> None:
    async with serve() as first:
        with pytest.raises(SettingsError, match=f"cannot listen on {first.address}"):
            async with serve(address=first.address):
                pass
    files = {"tls_certificate_file": tmp_path / "none", "tls_key_file": tmp_path / "none"}
    with pytest.raises(SettingsError, match=r"cannot listen.*none"):
        async with serve(**files):
            pass
    (tmp_path / "none").write_text("no certificate")
    with pytest.raises(SettingsError, match="no PEM certificate and its key"):
        async with serve(**files):
            pass
