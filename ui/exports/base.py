"""What the exporters of all formats share, and how an export is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ui.errors import EnvironmentFaultError

if TYPE_CHECKING:
    from pathlib import Path

    from composer.graph import Graph
    from orchestrator.settings import OrchestratorSettings


@dataclass(frozen=True)
class ExportOptions:
    """What an exporter may be told beside the pipeline.

    profiles: names or paths of profiles of Kubernetes sites; profile_values: `FIELD=VALUE` for
    each of them. namespace: in a cluster.
    """

    settings: OrchestratorSettings
    profiles: tuple[str, ...] = ()
    profile_values: tuple[str, ...] = ()
    namespace: str = ""


@dataclass(frozen=True)
class Exported:
    """What an exporter made: the bytes of one file, or of a folder's files by relative path.

    warnings: one sentence each for what has no counterpart in the format.
    """

    content: bytes | Mapping[str, bytes]
    warnings: tuple[str, ...] = ()


Exporter = Callable[["Graph", ExportOptions], Exported]


def write_export(exported: Exported, output: Path) -> None:
    """Write the file, or the folder, which must be new or empty.

    Raises EnvironmentFaultError where that is not possible.
    """
    try:
        if isinstance(exported.content, bytes):
            output.write_bytes(exported.content)
            return
        if output.is_dir() and any(output.iterdir()):
            raise EnvironmentFaultError(f"{output} is not empty; name a new folder")
        for name, content in exported.content.items():
            path = output / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    except OSError as error:
        raise EnvironmentFaultError(f"cannot write {output}: {error.strerror}") from error
