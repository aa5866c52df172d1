"""Settings of a component process, from its environment."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class ComponentSettings(BaseSettings):
    """One per process; every name is read from the environment with the prefix `EOLOOM_`."""

    model_config = SettingsConfigDict(env_prefix="EOLOOM_", frozen=True, populate_by_name=True)

    address: str = Field(
        default="0.0.0.0:8061",
        description="Where to listen: host:port or unix:path. 8061 is AI4EU's port.",
    )
    shared_folder: Path = Field(
        default=Path("shared"),
        validation_alias="SHARED_FOLDER_PATH",
        description="The folder that the components of a run share (AI4EU's variable).",
    )
    max_message_bytes: int = Field(
        default=256 * 1024 * 1024,
        ge=1,
        description="Largest message taken or sent. Rasters never travel in messages.",
    )
    threads: int = Field(
        default=64,
        ge=1,
        description="Calls in progress at once; a stream that waits for input keeps one.",
    )
    stop_grace_s: float = Field(
        default=5.0, ge=0, description="Seconds that calls in progress get after SIGTERM."
    )
    connection_age_s: float = Field(
        default=60.0,
        ge=0,
        description="Seconds after which a caller by TCP is asked to connect anew, and so to look "
        "up the addresses of all replicas again; calls under way go on. 0: never.",
    )
    exit_with_stdin: bool = Field(
        default=False,
        description="End when standard input closes: the starter has died, however it died.",
    )
    log_format: Literal["text", "json"] = Field(
        default="text", description="json in containers and under an orchestrator."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    tls_certificate_file: Path | None = Field(
        default=None, description="PEM certificate chain; with it the port speaks TLS."
    )
    tls_key_file: Path | None = Field(default=None, description="PEM key of the certificate.")
    tls_client_ca_file: Path | None = Field(
        default=None, description="PEM authority; with it callers must show a certificate."
    )

    health_address: str = Field(
        default="",
        description="Where health is answered too, without TLS, and nothing else: host:port or "
        "unix:path. For probes that speak no TLS, such as those of Kubernetes.",
    )

    @model_validator(mode="after")
    def _check_tls(self) -> Self:
        # Half a TLS configuration must not become an open port.
        if (self.tls_certificate_file is None) != (self.tls_key_file is None):
            raise ValueError(
                "EOLOOM_TLS_CERTIFICATE_FILE and EOLOOM_TLS_KEY_FILE belong together; give both"
            )
        if self.tls_client_ca_file is not None and self.tls_certificate_file is None:
            raise ValueError("EOLOOM_TLS_CLIENT_CA_FILE needs EOLOOM_TLS_CERTIFICATE_FILE")
        return self
