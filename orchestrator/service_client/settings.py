"""Where the orchestrator service is and how to sign in there, from the environment."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from orchestrator.errors import SettingsError
from orchestrator.loopback import is_loopback
from orchestrator.service.tokens import MAX_TOKEN

PREFIX: Final = "EOLOOM_"

_ADDRESS: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:/\s]+):(\d{1,5})")
_TOKEN: Final = re.compile(r"[\x21-\x7e]+")


def _address(text: str) -> str:
    match = _ADDRESS.fullmatch(text)
    if text and (match is None or not 0 < int(match[2]) < 65536):
        raise ValueError("not an address such as orchestrator.example:8061")
    return text


class ServerSettings(BaseSettings):
    """One per process; every name is read from the environment with the prefix `EOLOOM_`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    server: Annotated[str, AfterValidator(_address)] = Field(
        default="",
        description="Where the service answers, as host:port; empty where runs are made here.",
    )
    server_token: SecretStr = Field(
        default=SecretStr(""), description="Bearer token to sign in with, if the service asks."
    )
    server_token_file: Path | None = Field(
        default=None, description="File that holds the token instead; read at every call."
    )
    server_ca_file: Path | None = Field(
        default=None,
        description="PEM authority of the service's certificate; with it the service is called by "
        "TLS on this machine too. Else the authorities of the system are believed.",
    )
    server_plaintext: bool = Field(
        default=False,
        description="Call without TLS also what is not on this machine, as in a network where "
        "something else encrypts.",
    )
    server_timeout_s: float = Field(
        default=30.0, gt=0, description="Seconds that the service has for an answer."
    )
    server_patience_s: float = Field(
        default=600.0,
        ge=0,
        description="Seconds for which a service that has gone is called again, while a run is "
        "followed there.",
    )
    server_max_file_bytes: int = Field(
        default=16 * 1024**3, ge=0, description="Largest file that is copied from a run there."
    )
    server_max_run_bytes: int = Field(
        default=128 * 1024**3, ge=0, description="Bytes that are copied of one run, all together."
    )

    @property
    def is_local(self) -> bool:
        """Whether the service is on this machine."""
        return is_loopback(self.server.rpartition(":")[0].strip("[]"))

    @property
    def is_plaintext(self) -> bool:
        """Whether the service is called without TLS."""
        return self.server_plaintext or (self.is_local and self.server_ca_file is None)

    def read_token(self) -> str:
        """Return the token, empty if there is none.

        Raises SettingsError, which never shows it, where its file or it itself cannot be used.
        """
        place, token = f"{PREFIX}SERVER_TOKEN", self.server_token.get_secret_value()
        if self.server_token_file is not None:
            place = f"{PREFIX}SERVER_TOKEN_FILE={self.server_token_file}"
            try:
                with self.server_token_file.open("rb") as file:
                    token = file.read(MAX_TOKEN + 2).decode("ascii", errors="replace").strip()
            except OSError as error:
                raise SettingsError(f"{place}: cannot read it: {error.strerror}") from error
            if not token:
                raise SettingsError(f"{place}: the file is empty; it must hold the token")
        if token and (len(token) > MAX_TOKEN or not _TOKEN.fullmatch(token)):
            raise SettingsError(
                f"{place}: no token, which is one word of at most {MAX_TOKEN} characters of ASCII"
            )
        return token

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.server_token_file is not None and self.server_token.get_secret_value():
            raise ValueError(f"give {PREFIX}SERVER_TOKEN or {PREFIX}SERVER_TOKEN_FILE, not both")
        if self.server_plaintext and self.server_ca_file is not None:
            raise ValueError(
                f"{PREFIX}SERVER_CA_FILE is for TLS, which {PREFIX}SERVER_PLAINTEXT=true turns off"
            )
        return self
