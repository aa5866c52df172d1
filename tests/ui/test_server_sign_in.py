"""Signing in at an orchestrator service, and what is said where that fails."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from orchestrator.service_client.settings import ServerSettings
from tests.ports import free_port
from tests.serving import Serving
from tests.ui.conftest import Invoke
from ui import server_sign_in
from ui.errors import EnvironmentFaultError
from ui.launching import launch
from ui.running import ShownRun
from ui.server_settings import load_server_settings
from ui.server_sign_in import SignIn, Standing, token_of_proxy
from ui.settings import load_settings, open_journal

TOKEN = "the-token-of-ada-0123456789"  # noqa: S105 - of this test's service only
WRONG_TOKEN = TOKEN[::-1]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, fake_components: Path) -> Iterator[Serving]:
    serving = Serving(tmp_path_factory.mktemp("service"), fake_components, {TOKEN: "ada"})
    serving.start()
    yield serving
    serving.stop()


@pytest.fixture
def sign_in(service: Serving, workplace: Path) -> SignIn:
    return SignIn(ServerSettings(server=service.address), "the help desk")


def test_without_a_token_one_is_asked_for_and_the_right_one_is_taken(sign_in: SignIn) -> None:
    asked = sign_in.answer()
    assert asked.standing is Standing.TOKEN_NEEDED
    assert asked.needs_token
    assert "the help desk" in sign_in.advice
    sign_in.take(WRONG_TOKEN)
    refused = sign_in.answer()
    assert refused.standing is Standing.TOKEN_REFUSED
    assert WRONG_TOKEN not in repr(refused)
    sign_in.take(f" {TOKEN}\n")
    assert sign_in.answer().can_run
    assert sign_in.has_token
    sign_in.forget()
    assert not sign_in.has_token
    assert sign_in.answer().standing is Standing.TOKEN_NEEDED


@pytest.mark.parametrize("token", ["two words of it", "ümlaut-0123456789", "x" * 10_000])
def test_what_cannot_be_a_token_is_not_sent(sign_in: SignIn, token: str) -> None:
    sign_in.take(token)
    answer = sign_in.answer()
    assert answer.standing is Standing.TOKEN_REFUSED
    assert "That is no token" in answer.message
    assert token not in repr(answer)


def test_nobody_answers(workplace: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    answer = SignIn(ServerSettings(server=address)).answer()
    assert answer.standing is Standing.UNREACHABLE
    assert f"{address} cannot be reached" in answer.message
    assert not answer.needs_token


def test_an_answer_that_does_not_come_is_not_waited_for(
    workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_sign_in, "ANSWER_S", 0.5)
    with socket.create_server(("127.0.0.1", free_port())) as silent:
        answer = SignIn(ServerSettings(server=f"127.0.0.1:{silent.getsockname()[1]}")).answer()
    assert answer.standing is Standing.UNREACHABLE
    assert "has not answered within 0.5 s" in answer.message


def test_a_proxy_gives_the_token_and_only_where_there_is_one(sign_in: SignIn) -> None:
    headers = {"x-forwarded-access-token": WRONG_TOKEN}
    assert token_of_proxy(headers, behind_proxy=False) == ""
    sign_in.take(token_of_proxy(headers, behind_proxy=True), by_proxy=True)
    assert not sign_in.has_token  # it cannot be forgotten here
    assert "Reload this page" in sign_in.answer().message


def test_a_persons_token_takes_the_place_of_that_of_the_page(
    sign_in: SignIn, service: Serving, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EOLOOM_SERVER_TOKEN_FILE", str(tmp_path / "token"))
    assert sign_in.environment()["EOLOOM_SERVER_TOKEN_FILE"]
    sign_in.take(TOKEN)
    environment = sign_in.environment()
    assert environment["EOLOOM_SERVER"] == service.address
    assert environment["EOLOOM_SERVER_TOKEN"] == TOKEN
    assert "EOLOOM_SERVER_TOKEN_FILE" not in environment


def test_a_run_that_a_page_starts_is_made_there(sign_in: SignIn, service: Serving) -> None:
    sign_in.take(TOKEN)
    settings = load_settings()
    launched = launch(["run", "pipeline.yaml"], settings, environment=sign_in.environment())
    assert TOKEN not in str(launched.process.args)
    assert launched.process.wait(60) == 0
    journal = open_journal(settings)
    assert journal is not None
    with closing(journal):
        run = ShownRun(launched).launch.find_run(journal)
        assert journal.run(run).state == "succeeded"
    assert list((service.folder / "runs").rglob(run))
    written = (path for path in settings.runs_folder.rglob("*") if path.is_file())
    assert not [path for path in written if TOKEN.encode() in path.read_bytes()]


def test_without_the_setting_runs_are_made_here(workplace: Path) -> None:
    assert load_server_settings() is None


def test_an_address_that_is_none_is_named(
    workplace: Path, eoloom: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EOLOOM_SERVER", "nowhere")
    with pytest.raises(EnvironmentFaultError, match="EOLOOM_SERVER=nowhere"):
        load_server_settings()
    result = eoloom("ui", "--no-browser", "--port", "0")
    assert result.exit_code == 3
    assert "EOLOOM_SERVER=nowhere" in result.output


@pytest.mark.parametrize("variable", ["EOLOOM_SERVER_TOKEN", "EOLOOM_SERVER_TOKEN_FILE"])
def test_behind_a_proxy_there_is_no_token_for_all(
    eoloom: Invoke, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv("EOLOOM_SERVER", "orchestrator.example:8061")
    monkeypatch.setenv("EOLOOM_PAGE_BEHIND_PROXY", "true")
    monkeypatch.setenv(variable, TOKEN)
    result = eoloom("ui", "--no-browser", "--port", "0")
    assert result.exit_code == 3
    assert "everybody signs in at the orchestrator for themselves" in result.output
    assert TOKEN not in result.output
