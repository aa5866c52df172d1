"""What the exporters of all formats share, and how an export is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ui.errors import EnvironmentFaultError
from ui.output_path import refuse_existing, write_whole

if TYPE_CHECKING:
    from pathlib import Path

    from composer.graph import Graph
    from orchestrator.settings import OrchestratorSettings


@dataclass(frozen=True)
class ExportOptions:
    """What an exporter may be told beside the pipeline.

    profiles: names or paths of profiles of Kubernetes sites; profile_values: `FIELD=VALUE` for
    each of them. namespace: in a cluster. pin: name images by their digests, which their registries
    tell; require_digests: fail where one does not.
    """

    settings: OrchestratorSettings
    profiles: tuple[str, ...] = ()
    profile_values: tuple[str, ...] = ()
    namespace: str = ""
    pin: bool = False
    require_digests: bool = False


@dataclass(frozen=True)
class Exported:
    """What an exporter made: the bytes of one file, or of a folder's files by relative path.

    warnings: one sentence each for what has no counterpart in the format.
    """

    content: bytes | Mapping[str, bytes]
    warnings: tuple[str, ...] = ()


Exporter = Callable[["Graph", ExportOptions], Exported]


def write_export(exported: Exported, output: Path, *, force: bool = False) -> None:
    """Write the file, or the files of a folder.

    force: also where there is a file already, or a folder that is not empty, of which other files
    stay.

    Raises EnvironmentFaultError where that is not possible.
    """
    refuse_existing(output, force=force)
    try:
        if isinstance(exported.content, bytes):
            write_whole(output, exported.content)
            return
        for name, content in exported.content.items():
            path = output / name
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, content)
    except OSError as error:
        raise EnvironmentFaultError(f"cannot write {output}: {error.strerror}") from error
