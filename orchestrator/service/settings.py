"""Settings of the service, from the environment."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from orchestrator.loopback import is_loopback

PREFIX = "EOLOOM_SERVICE_"
DEFAULT_ADDRESS = "127.0.0.1:8061"


class ServiceSettings(BaseSettings):
    """One per process; every name is read from the environment with the prefix `EOLOOM_SERVICE_`.

    Raises ValidationError where the service would be open to others than the users of this
    machine without TLS and authentication, unless `allow_insecure` says that this is wanted.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    address: str = Field(
        default=DEFAULT_ADDRESS,
        pattern=r"^(unix:.+|(\[[0-9A-Fa-f:.]+\]|[^\[\]:/]+):\d{1,5})$",
        description="Where to listen: host:port or unix:path. 8061 is AI4EU's port.",
    )
    allow_insecure: bool = Field(
        default=False,
        description="Listen for other machines even without TLS or authentication.",
    )
    tls_certificate_file: Path | None = Field(
        default=None, description="PEM certificate chain; with it the port speaks TLS."
    )
    tls_key_file: Path | None = Field(default=None, description="PEM key of the certificate.")
    tls_client_ca_file: Path | None = Field(
        default=None,
        description="PEM authority; with it callers must show a certificate. Its common name is "
        "the user where there are no tokens.",
    )
    tokens_file: Path | None = Field(
        default=None, description="YAML or JSON file of bearer tokens, each with its user."
    )
    introspection_url: str = Field(
        default="",
        pattern=r"^(https?://\S+)?$",
        description="Where bearer tokens are introspected (RFC 7662), such as an OIDC provider's.",
    )
    introspection_client: str = Field(default="", description="Client id for introspection.")
    introspection_secret: SecretStr = Field(
        default=SecretStr(""), description="Client secret for introspection."
    )
    introspection_audience: str = Field(
        default="", description="What `aud` of a token must be or hold, if given."
    )
    introspection_user_claim: str = Field(
        default="sub", min_length=1, description="Which claim names the user."
    )
    introspection_timeout_s: float = Field(
        default=5.0, gt=0, description="Seconds that introspection may take."
    )
    introspection_cache_s: float = Field(
        default=60.0,
        ge=0,
        description="Seconds for which an answer is believed; a token may be revoked meanwhile.",
    )
    max_request_bytes: int = Field(
        default=16 * 1024 * 1024, ge=1, description="Largest request: a blueprint with its protos."
    )
    max_calls: int = Field(default=1000, ge=1, description="Calls answered at once, of all users.")
    max_runs: int = Field(default=100, ge=1, description="Runs at once, of all users.")
    max_runs_per_user: int = Field(default=50, ge=1, description="Runs at once, of one user.")
    max_observers_per_user: int = Field(
        default=32, ge=1, description="Streams of events at once, of one user."
    )
    observer_queue_events: int = Field(
        default=1000,
        ge=1,
        description="Events that may wait for a slow observer; the oldest ones are dropped.",
    )
    stop_grace_s: float = Field(
        default=20.0, ge=0, description="Seconds that runs get to end after SIGTERM."
    )

    @property
    def authenticates(self) -> bool:
        """Whether callers have to say who they are."""
        return bool(self.tokens_file or self.introspection_url or self.tls_client_ca_file)

    @property
    def is_local(self) -> bool:
        """Whether only users of this machine can reach the address."""
        if self.address.startswith("unix:"):
            return True
        return is_loopback(self.address.rpartition(":")[0].strip("[]"))

    @model_validator(mode="after")
    def _check_tls(self) -> Self:
        # Half a TLS configuration must not become an open port.
        if (self.tls_certificate_file is None) != (self.tls_key_file is None):
            raise ValueError(
                f"{PREFIX}TLS_CERTIFICATE_FILE and {PREFIX}TLS_KEY_FILE belong together; give both"
            )
        if self.tls_client_ca_file is not None and self.tls_certificate_file is None:
            raise ValueError(f"{PREFIX}TLS_CLIENT_CA_FILE needs {PREFIX}TLS_CERTIFICATE_FILE")
        if self.tokens_file is not None and self.introspection_url:
            raise ValueError(f"give {PREFIX}TOKENS_FILE or {PREFIX}INTROSPECTION_URL, not both")
        return self

    @model_validator(mode="after")
    def _check_openness(self) -> Self:
        if self.is_local or self.allow_insecure:
            return self
        missing = []
        if self.tls_certificate_file is None:
            missing.append(f"TLS ({PREFIX}TLS_CERTIFICATE_FILE and {PREFIX}TLS_KEY_FILE)")
        if not self.authenticates:
            missing.append(
                f"authentication ({PREFIX}TOKENS_FILE, {PREFIX}INTROSPECTION_URL or "
                f"{PREFIX}TLS_CLIENT_CA_FILE)"
            )
        if missing:
            raise ValueError(
                f"{self.address} can be reached from other machines, so it needs "
                f"{' and '.join(missing)}; listen on 127.0.0.1, or set "
                f"{PREFIX}ALLOW_INSECURE=true if everybody there may use it"
            )
        return self
