"""What a crate is to hold, and what became of it; needs no package of the extra."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class CrateOptions:
    """What a crate is to hold beside the account.

    agent: name of who started the run; by default the owner of its folder. agent_uri: such as an
    ORCID. licence: SPDX identifier or URL of the licence of the results. picture: SVG of the
    pipeline. with_data: whether to take along what the components wrote.
    """

    agent: str = ""
    agent_uri: str = ""
    licence: str = ""
    picture: bytes = b""
    with_data: bool = True


@dataclass(frozen=True)
class WrittenCrate:
    """Where a crate was written. missing: files that the run had left and are gone."""

    path: Path
    missing: tuple[str, ...] = ()
