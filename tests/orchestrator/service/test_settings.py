"""Where the service may listen, and what settings contradict each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from orchestrator.service.settings import ServiceSettings

TLS: dict[str, Any] = {"tls_certificate_file": Path("c"), "tls_key_file": Path("k")}
TOKENS: dict[str, Any] = {"tokens_file": Path("t")}


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ServiceSettings.model_fields:
        monkeypatch.delenv(f"EOLOOM_SERVICE_{name.upper()}", raising=False)


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1:8061", "127.1.2.3:0", "[::1]:8061", "localhost:8061", "unix:/run/eoloom.sock"],
)
def test_this_machine_needs_no_protection(address: str) -> None:
    settings = ServiceSettings(address=address)
    assert settings.is_local
    assert not settings.authenticates


@pytest.mark.parametrize(
    "address", ["0.0.0.0:8061", "[::]:8061", "10.0.0.7:8061", "localhost.example:8061", "host:1"]
)
@pytest.mark.parametrize(
    ("given", "missing"),
    [({}, "TLS_CERTIFICATE_FILE"), (TLS, "TOKENS_FILE"), (TOKENS, "TLS_CERTIFICATE_FILE")],
)
def test_other_machines_need_tls_and_authentication(
    address: str, given: dict[str, Any], missing: str
) -> None:
    with pytest.raises(ValidationError, match=f"so it needs .*EOLOOM_SERVICE_{missing}"):
        ServiceSettings(address=address, **given)
    assert ServiceSettings(address=address, allow_insecure=True, **given).address == address


@pytest.mark.parametrize(
    "authentication",
    [
        TOKENS,
        {"introspection_url": "https://id.example/introspect"},
        {"tls_client_ca_file": Path("a")},
    ],
)
def test_other_machines_are_served_with_both(authentication: dict[str, Any]) -> None:
    assert not ServiceSettings(address="0.0.0.0:8061", **TLS, **authentication).is_local


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"tls_key_file": Path("k")}, "TLS_CERTIFICATE_FILE"),
        ({"tls_certificate_file": Path("c")}, "TLS_KEY_FILE"),
        ({"tls_client_ca_file": Path("a")}, "needs EOLOOM_SERVICE_TLS_CERTIFICATE_FILE"),
        (TOKENS | {"introspection_url": "https://id.example/"}, "not both"),
        ({"introspection_url": "file:///etc/passwd"}, "introspection_url"),
        ({"address": "8061"}, "address"),
        ({"address": "::1:8061"}, "address"),
    ],
)
def test_what_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ServiceSettings(**given)


def test_everything_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EOLOOM_SERVICE_ADDRESS", "127.0.0.1:9000")
    monkeypatch.setenv("EOLOOM_SERVICE_INTROSPECTION_SECRET", "hidden")
    settings = ServiceSettings()
    assert settings.address == "127.0.0.1:9000"
    assert "hidden" not in repr(settings)
