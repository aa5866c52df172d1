"""The service with its runs, their owners and its components in PostgreSQL."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import grpc
import pytest

from composer.errors import StoreUnavailableError
from composer.onboarding import onboard
from composer.store import ComponentStore, Visibility
from orchestrator.service.errors import status_of
from orchestrator.service.server import ComponentsOfUsers
from protos.orchestrator.v1 import orchestrator_pb2 as v1
from protos.orchestrator.v1.orchestrator_pb2_grpc import RunsStub
from tests.orchestrator.service.conftest import Serve
from tests.orchestrator.service.scripted import CHAIN, HANGING, RESULT, make_registry
from tests.orchestrator.service.v1_client import content, ended, refused
from tests.postgresql import Server

PROTO = 'syntax = "proto3"; message M { int32 v = 1; } service S { rpc f(M) returns (M); }'


async def test_runs_in_postgresql(serve: Serve, tmp_path: Path, postgresql_server: Server) -> None:
    registry = make_registry(tmp_path / "components")
    url = postgresql_server.new_database()
    async with serve(registry, database_url=url) as service:
        stub = RunsStub(service.channel)
        run = await stub.submit(v1.SubmitRequest(pipeline=CHAIN))
        watched = [event.kind async for event in stub.watch(v1.WatchRequest(run=run.id))]
        assert (watched[0], watched[-1]) == ("run-started", "run-closed")
        assert (await ended(stub, run)).state == v1.STATE_SUCCEEDED
        for name in ("\0", "none", run.id[:5]):
            code, _ = await refused(stub.get(v1.GetRequest(run=name)))
            assert code is grpc.StatusCode.NOT_FOUND
        hanging = await stub.submit(v1.SubmitRequest(pipeline=HANGING))
    # Another service, as after a restart, with the same database.
    async with serve(registry, database_url=url) as service:
        stub = RunsStub(service.channel)
        listed = (await stub.list(v1.ListRequest())).runs
        assert [(entry.id, entry.state) for entry in listed] == [
            (hanging.id, v1.STATE_CANCELLED),
            (run.id, v1.STATE_SUCCEEDED),
        ]
        (result,) = [r async for r in stub.results(v1.ResultsRequest(run=run.id))]
        assert await content(stub, run.id, result.path) == RESULT
    assert not (tmp_path / "runs" / "journal.sqlite").exists()


async def test_a_long_history_is_told_page_by_page(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole and in its order, also where pages are small and the run goes on meanwhile."""
    monkeypatch.setattr("orchestrator.service.v1.PAGE_EVENTS", 2)
    registry = make_registry(tmp_path / "components")
    async with serve(registry) as service:
        stub = RunsStub(service.channel)
        run = await stub.submit(v1.SubmitRequest(pipeline=CHAIN))
        await asyncio.sleep(0.3)  # part of it has happened by now
        live = [event async for event in stub.watch(v1.WatchRequest(run=run.id))]
        past = [event async for event in stub.watch(v1.WatchRequest(run=run.id))]
    kept = [(e.kind, e.node, e.operation) for e in live if e.kind not in {"counts", "progress"}]
    assert [(e.kind, e.node, e.operation) for e in past] == kept
    assert kept[0][0] == "run-started"
    assert kept[-1][0] == "run-closed"


def test_every_user_has_components_of_their_own(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EOLOOM_DATABASE_URL", database_url)
    monkeypatch.setenv("EOLOOM_USER", "service")
    make_registry(tmp_path / "components")
    components = ComponentsOfUsers([tmp_path / "components"])
    assert components("ada").versions("scripted")
    with contextlib.closing(ComponentStore()) as store:
        for owner in ("ada", "bob", "service"):
            one = onboard("registry.example/x:1", PROTO, name=f"of-{owner}")
            visibility = Visibility.PUBLIC if owner == "bob" else Visibility.PRIVATE
            store.add(one, owner=owner, visibility=visibility)

    def names(user: str | None) -> set[str]:
        found = {component.manifest.name for component in components(user).components}
        return {name for name in found if name.startswith("of-")}

    assert names("ada") == {"of-ada", "of-bob"}
    assert names("eve") == {"of-bob"}
    assert names(None) == {"of-service", "of-bob"}, "without users, those of this process"


def test_a_registry_database_that_does_not_answer_may_do_so_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EOLOOM_DATABASE_URL", f"postgresql://ada@/none?host={tmp_path}")
    with pytest.raises(StoreUnavailableError) as caught:
        ComponentsOfUsers()("ada")
    assert status_of(caught.value) is grpc.StatusCode.UNAVAILABLE
