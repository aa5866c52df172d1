"""Settings of the orchestrator, from the environment."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from orchestrator.images.reference import DEFAULT_IMAGE_REGISTRY

# The journal in the runs folder, unless `database_url` says otherwise.
JOURNAL_FILE: Final = "journal.sqlite"


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
    image_registry: str = Field(
        default=DEFAULT_IMAGE_REGISTRY,
        description="Image registry with project, such as registry.example/project, of components "
        "whose manifest names no image.",
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
