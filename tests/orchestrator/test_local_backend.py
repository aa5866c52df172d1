"""What the processes of components are given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.backends.local import LocalBackend
from orchestrator.settings import OrchestratorSettings
from tests.orchestrator.conftest import make_plan, step
from tests.orchestrator.test_faults import scripted_processes

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


async def test_tokens_and_passwords_of_the_orchestrator_are_not_given_to_components(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = OrchestratorSettings()
    monkeypatch.setenv("EOLOOM_SERVER_TOKEN", "secret-word")
    monkeypatch.setenv("EOLOOM_SERVICE_INTROSPECTION_SECRET", "secret-word")
    monkeypatch.setenv("EOLOOM_DATABASE_URL", "postgresql://eoloom:secret-word@db.example/eoloom")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of the data")
    (node,) = make_plan([step("source", "produce", count=1)], []).nodes
    backend = LocalBackend(tmp_path, settings, lambda *_: None)
    try:
        await backend.start(node)
        (process,) = scripted_processes()
        given = process.environ()
        assert not [name for name, value in given.items() if "secret-word" in value]
        assert given["AWS_ACCESS_KEY_ID"] == "of the data"
    finally:
        await backend.stop()
