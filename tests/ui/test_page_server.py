"""Where the page may listen."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from starlette.responses import PlainTextResponse

from tests.ui.conftest import Invoke
from ui.page_server import _for_known_hosts


@pytest.mark.parametrize("host", ["::", "192.0.2.1", "example.org"])
def test_an_address_that_others_reach_is_refused(eoloom: Invoke, host: str) -> None:
    result = eoloom("ui", "--host", host, "--no-browser", "--port", "0")
    assert result.exit_code != 0
    assert f"{host} can be reached from other machines" in result.output
    assert "EOLOOM_PAGE_BEHIND_PROXY=true" in result.output


def test_a_port_that_is_taken_is_named(eoloom: Invoke) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = eoloom("ui", "--no-browser", "--port", str(port))
    assert result.exit_code != 0
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in result.output


def test_behind_a_proxy_there_is_no_journal_for_all(
    eoloom: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EOLOOM_PAGE_BEHIND_PROXY", "true")
    monkeypatch.setenv("EOLOOM_DATABASE_URL", "sqlite:///all.sqlite")
    result = eoloom("ui", "--no-browser", "--port", "0")
    assert result.exit_code != 0
    assert "EOLOOM_DATABASE_URL: behind a proxy" in result.output


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("127.0.0.1:8501", 200),
        ("localhost:8501", 200),
        ("[::1]:8501", 200),
        ("evil.example", 400),
        ("127.0.0.1.evil.example:8501", 400),
    ],
)
async def test_only_names_of_this_machine_are_answered(name: str, status: int) -> None:
    """A page elsewhere may have its name resolve to 127.0.0.1."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "query_string": b"",
        "headers": [(b"host", name.encode())],
    }
    application = _for_known_hosts(PlainTextResponse("the page"), "127.0.0.1")
    await application(scope, receive, send)
    assert sent[0]["status"] == status
