"""Files that somebody has dropped on the page, as a pipeline. Knows no Streamlit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import yaml

from composer.errors import ComposerError, MissingContractsError, PipelineError
from composer.pipeline_file import parse_pipeline
from ui.errors import UiError
from ui.solutions import UPLOAD_TYPES, import_uploads, is_solution

if TYPE_CHECKING:
    from collections.abc import Sequence

    from composer.component import Component
    from composer.registry import Registry

MAX_UPLOAD_BYTES: Final = 16 << 20
FILE_TYPES: Final = ("yaml", "yml", *UPLOAD_TYPES)
"""What a name may end in."""


@dataclass(frozen=True)
class Uploaded:
    """What there is to open. onboarded: components that have to be kept for it."""

    document: dict[str, Any]
    warnings: tuple[str, ...] = ()
    onboarded: Sequence[Component] = ()

    @property
    def name(self) -> str:
        """Name of the pipeline."""
        return str(self.document["name"])


class UploadError(UiError):
    """Files that are no pipeline. details: what is wrong with them, one by one."""

    def __init__(self, message: str, details: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.details = tuple(details)


def read_uploads(uploads: Sequence[tuple[str, bytes]], registry: Registry) -> Uploaded:
    """Return the pipeline of files, given by name and content; nothing is kept.

    One pipeline file; or one solution.zip; or a blueprint with the contracts of its components.
    Raises UploadError.
    """
    names = ", ".join(name for name, _ in uploads)
    if sum(len(content) for _, content in uploads) > MAX_UPLOAD_BYTES:
        raise UploadError(f"{names}: larger than {MAX_UPLOAD_BYTES >> 20} MiB")
    files = [(name, content) for name, content in uploads if not is_solution(name)]
    if files and uploads[1:]:
        raise UploadError(
            f"{files[0][0]} is a whole pipeline; take the other files away, or this one"
        )
    try:
        return _pipeline_file(*files[0]) if files else _solution(uploads, registry)
    except PipelineError as error:
        details = [str(fault) for fault in error.faults]
        raise UploadError(f"{names} cannot be read", details) from error
    except MissingContractsError as error:
        raise UploadError(f"{error}; add them here") from error
    except (ComposerError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise UploadError(f"{names} cannot be read: {error}") from error


def _pipeline_file(name: str, content: bytes) -> Uploaded:
    file = parse_pipeline(content.decode(), source=name)
    if file.faults and not file.pipeline.nodes:
        raise PipelineError(file.faults)  # nothing in it could be mended on the canvas
    return Uploaded(file.pipeline.plain(), tuple(str(fault) for fault in file.faults))


def _solution(uploads: Sequence[tuple[str, bytes]], registry: Registry) -> Uploaded:
    imported = import_uploads(uploads, registry)
    return Uploaded(imported.pipeline.plain(), imported.warnings, imported.onboarded)
