"""Where the service is, and what may be sent there."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from orchestrator.errors import SettingsError
from orchestrator.service_client.settings import ServerSettings


@pytest.mark.parametrize(
    ("address", "is_plaintext"),
    [
        ("127.0.0.1:8061", True),
        ("[::1]:8061", True),
        ("localhost:8061", True),
        ("localhost.example:8061", False),
        ("10.0.0.1:8061", False),
        ("orchestrator.example:8061", False),
    ],
)
def test_only_this_machine_is_called_without_tls(address: str, is_plaintext: bool) -> None:
    assert ServerSettings(server=address).is_plaintext is is_plaintext
    assert ServerSettings(server=address, server_plaintext=True).is_plaintext
    assert not ServerSettings(server=address, server_ca_file="ca.pem").is_plaintext


@pytest.mark.parametrize(
    "address", ["host", "host:0", "host:65536", "http://host:1", "host:1/x", "a b:1", ":1", "::1:1"]
)
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(ValidationError, match=r"not an address such as"):
        ServerSettings(server=address)


@pytest.mark.parametrize("token", ["two words", "line\nline", "ü-umlaut", "x" * 9000])
def test_what_is_no_token_is_not_shown(token: str, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(token)
    for settings in (ServerSettings(server_token=token), ServerSettings(server_token_file=file)):
        with pytest.raises(SettingsError, match="EOLOOM_SERVER_TOKEN") as caught:
            settings.read_token()
        assert token not in str(caught.value)
        assert token not in repr(settings)


def test_a_token_file_is_read_at_every_call(tmp_path: Path) -> None:
    file = tmp_path / "token"
    settings = ServerSettings(server_token_file=file)
    with pytest.raises(SettingsError, match="cannot read it"):
        settings.read_token()
    for token in ("first-token", "second-token"):
        file.write_text(f"{token}\n")
        assert settings.read_token() == token


def test_settings_that_contradict_each_other() -> None:
    with pytest.raises(ValidationError, match="not both"):
        ServerSettings(server_token="a", server_token_file="b")  # noqa: S106
    with pytest.raises(ValidationError, match="turns off"):
        ServerSettings(server_plaintext=True, server_ca_file="ca.pem")
