"""Settings of the orchestrator, from the environment."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from orchestrator.images.reference import DEFAULT_IMAGE_REGISTRY

# The journal in the runs folder, unless `database_url` says otherwise.
JOURNAL_FILE: Final = "journal.sqlite"

_WEB_ADDRESS: Final = re.compile(r"https?://[^\s/]\S*")


def _web_address(text: str) -> str:
    if text and not _WEB_ADDRESS.fullmatch(text):
        raise ValueError("not the URL of a receiver, such as http://marquez.example:5000")
    return text


class OrchestratorSettings(BaseSettings):
    """One per process; every name is read from the environment with the prefix `EOLOOM_`."""

    model_config = SettingsConfigDict(env_prefix="EOLOOM_", frozen=True)

    runs_folder: Path = Field(
        default=Path("runs"), description="Where runs, their results and the journal are kept."
    )
    database_url: str = Field(
        default="",
        description="SQLAlchemy URL of the journal; a SQLite file in the runs folder by default.",
    )
    cache: bool = Field(
        default=True,
        description="Whether deterministic operations are not repeated for equal input and "
        "parameters: answers of earlier runs are given instead.",
    )
    cache_bytes: int = Field(
        default=512 * 1024 * 1024,
        ge=0,
        description="Bytes of answers that are kept for later runs; what has not been used for "
        "longest goes first. Files count where they lie, in the folders of runs.",
    )
    image_registry: str = Field(
        default=DEFAULT_IMAGE_REGISTRY,
        description="Image registry with project, such as registry.example/project, of components "
        "whose manifest names no image.",
    )
    backend: Literal["local", "docker", "addresses"] = Field(
        default="local", description="Where components run, where the command does not say it."
    )
    addresses: dict[str, str] = Field(
        default_factory=dict,
        description="gRPC target of each node, as JSON, for the backend `addresses`: components "
        'that run already, such as {"scenes": "dns:///scenes:8061"}.',
    )
    docker_publish: str = Field(
        default="",
        description="Address at which a Docker engine on another machine publishes the ports of "
        "components, and at which they are called; loopback for an engine of this machine.",
    )
    component_tls: bool | None = Field(
        default=None,
        description="Call components by TLS, except behind Unix sockets. By default where a file "
        "below is given, and in containers that the run gives certificates of its own. Without "
        "component_ca_file the authorities of the system are believed.",
    )
    component_plaintext: frozenset[str] = Field(
        default=frozenset(),
        description="Nodes at given addresses, as JSON, that speak no TLS although the others do: "
        'images of others, such as ["viewer"].',
    )
    component_ca_file: Path | None = Field(
        default=None, description="PEM authority of the certificates of components."
    )
    component_certificate_file: Path | None = Field(
        default=None, description="PEM certificate chain to show to components that ask for one."
    )
    component_key_file: Path | None = Field(
        default=None, description="PEM key of that certificate."
    )
    component_server_name: str = Field(
        default="",
        description="Name in the certificates of components, where it is not that of their host.",
    )
    queue_messages: int = Field(
        default=64, ge=1, description="Messages that may wait in one link before its sender waits."
    )
    queue_bytes: int = Field(
        default=32 * 1024 * 1024, ge=1, description="Bytes that may wait in one link, likewise."
    )
    max_message_bytes: int = Field(
        default=256 * 1024 * 1024, description="Largest message that is moved."
    )
    start_timeout_s: float = Field(
        default=120.0, gt=0, description="Seconds a component has to become healthy."
    )
    call_timeout_s: float = Field(
        default=3600.0,
        gt=0,
        description="Seconds a call may take, or a stream stay silent while it has work, where "
        "neither the pipeline nor the manifest says otherwise.",
    )
    attempts: int = Field(
        default=3, ge=1, description="Times an idempotent call is tried when a fault may pass."
    )
    backoff_s: float = Field(
        default=0.5, ge=0, description="Pause before the second attempt; doubles each time."
    )
    restarts: int = Field(
        default=2,
        ge=0,
        description="Times a component that has died is started again in one run, which then goes "
        "on; in a live run, within an hour. 0 lets the run fail.",
    )
    stop_grace_s: float = Field(
        default=8.0, ge=0, description="Seconds a component has to end before it is killed."
    )
    cycle_quiet_s: float = Field(
        default=2.0,
        gt=0,
        description="Seconds of silence after which a cycle with streams in it counts as done.",
    )
    live_pause_s: float = Field(
        default=1.0, ge=0, description="Pause before a live run calls a source without data again."
    )
    counts_interval_s: float = Field(
        default=0.25, gt=0, description="Least time between two reports of message counts."
    )
    metrics_port: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        description="Where Prometheus finds the metrics of this process, if at all.",
    )
    metrics_host: str = Field(
        default="127.0.0.1",
        description="Address of the metrics, which have no authentication: loopback by default.",
    )
    openlineage_url: Annotated[str, AfterValidator(_web_address)] = Field(
        default="",
        description="Receiver of OpenLineage events, sent while a run goes; beside it, "
        "OpenLineage's own variables such as OPENLINEAGE_URL count.",
    )
    openlineage_namespace: str = Field(
        default="eoloom", min_length=1, description="Namespace of the jobs in those events."
    )
