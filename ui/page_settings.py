"""Settings of the web interface, from the environment."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class PageSettings(BaseSettings):
    """One per process; every name is read from the environment with the prefix `EOLOOM_`."""

    model_config = SettingsConfigDict(env_prefix="EOLOOM_", frozen=True)

    workspace: Path = Field(
        default=Path("pipelines"), description="Where pipelines and drafts are kept."
    )
    components_path: str = Field(
        default="", description="Folders of further components, separated by ':'."
    )
    page_behind_proxy: bool = Field(
        default=False,
        description="A proxy before the page signs people in, and tells who they are in "
        "X-Forwarded-User or X-Auth-Request-User.",
    )
    server_contact: str = Field(
        default="",
        max_length=300,
        description="Who gives out tokens for the orchestrator at EOLOOM_SERVER, such as a mail "
        "address; shown where people sign in.",
    )
    basemap_url: str = Field(
        default="",
        pattern=r"^(https?://\S+)?$",
        description="Tiles below the maps, with {z}, {x} and {y}; the browsers fetch them. None by "
        "default: maps then have a grid of coordinates only.",
    )
    basemap_attribution: str = Field(
        default="", max_length=300, description="Whose those tiles are, as their owner asks for."
    )

    @property
    def components_folders(self) -> list[Path]:
        """The folders of `components_path`."""
        return [Path(folder) for folder in self.components_path.split(os.pathsep) if folder]
