"""The pipelines of a person: saved with all their versions, and drafts that are being drawn.

<folder>/<name>.yaml                the newest version: a pipeline file like any other
<folder>/.versions/<name>/<n>.yaml  all versions, from 1
<folder>/.drafts/<id>.json          what is on a canvas, saved or not
"""

from __future__ import annotations

import difflib
import json
import os
import re
import secrets
import time
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from composer.errors import ComposerError
from composer.names import dns_label
from composer.pipeline import Pipeline

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MAX_DOCUMENT_BYTES: Final = 5 << 20
KEPT_DRAFTS: Final = 200
"""Drafts beyond these are removed, those first that nobody has touched for longest."""

_DRAFT: Final = re.compile(r"[0-9a-f]{12}")


class WorkspaceError(ComposerError):
    """A pipeline that cannot be read or saved."""


class NewerVersionError(WorkspaceError):
    """A pipeline was saved elsewhere since it was opened here."""

    def __init__(self, name: str, newest: int) -> None:
        super().__init__(f"version {newest} of {name} was saved elsewhere meanwhile")
        self.newest = newest


@dataclass(frozen=True)
class Version:
    """One saved version of a pipeline."""

    name: str
    number: int
    saved: datetime
    title: str = ""


@dataclass
class Draft:
    """What is on a canvas.

    base: the version that it began with; 0 for none. revision: counts its changes. document: a
    pipeline file as plain values; it may have faults.
    """

    id: str
    document: dict[str, Any] = field(default_factory=dict)
    base: int = 0
    revision: int = 0
    saved_revision: int = 0

    @property
    def name(self) -> str:
        """Name of the pipeline."""
        return str(self.document.get("name", ""))

    @property
    def is_saved(self) -> bool:
        """Whether the newest changes are in a version."""
        return self.base > 0 and self.revision == self.saved_revision


class Workspace:
    """A folder of pipelines. Raises WorkspaceError where it cannot be read or written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()

    def pipelines(self) -> list[Version]:
        """Return the newest version of every saved pipeline, the latest first."""
        names = self._versions.iterdir() if self._versions.is_dir() else ()
        newest = [self.versions(path.name)[:1] for path in names if path.is_dir()]
        return sorted((v for [v] in filter(None, newest)), key=lambda v: v.saved, reverse=True)

    def versions(self, name: str) -> list[Version]:
        """Return all versions of a pipeline, newest first; none if it was never saved."""
        folder = self._versions / _checked(name)
        found = [path for path in folder.glob("*.yaml") if path.stem.isdigit()]
        return [
            Version(name, int(path.stem), datetime.fromtimestamp(path.stat().st_mtime, UTC))
            for path in sorted(found, key=lambda path: int(path.stem), reverse=True)
        ]

    def text(self, name: str, number: int) -> str:
        """Return the pipeline file of a version."""
        path = self._versions / _checked(name) / f"{int(number)}.yaml"
        try:
            return path.read_text(encoding="utf-8")
        except OSError as error:
            raise WorkspaceError(f"there is no version {number} of {name}") from error

    def save(self, pipeline: Pipeline, base: int, *, newer: bool = False) -> Version:
        """Save a pipeline as its next version; nothing is saved where nothing has changed.

        base: the version that it began with. Raises NewerVersionError where another has been saved
        since; with `newer`, it becomes the version after that one.
        """
        name = _checked(pipeline.name)
        text = pipeline.to_yaml()
        before = self.versions(name)
        newest = before[0].number if before else 0
        if newest and self.text(name, newest) == text:
            return before[0]
        if newest != base and not newer:
            raise NewerVersionError(name, newest)
        number = newest + 1
        # Exclusively: of two tabs that save at once, one gets the next number.
        _write(self._versions / name / f"{number}.yaml", text, exclusive=True)
        _write(self.folder / f"{name}.yaml", text)
        return self.versions(name)[0]

    def difference(self, name: str, older: int, newer: int) -> str:
        """Return what has changed between two versions, as a unified diff."""
        before, after = (
            self.text(name, number).splitlines(keepends=True) for number in (older, newer)
        )
        old, new = (f"{name}, version {number}" for number in (older, newer))
        return "".join(difflib.unified_diff(before, after, old, new))

    def new_draft(self, document: Mapping[str, Any], base: int = 0) -> Draft:
        """Begin a draft with a document; base: the version that it is."""
        draft = Draft(secrets.token_hex(6), dict(document), base)
        self._keep(draft)
        self._remove_old_drafts()
        return draft

    def draft(self, identifier: str) -> Draft | None:
        """Return a draft; None if there is none, or if it cannot be read."""
        if not _DRAFT.fullmatch(identifier):
            return None
        try:
            values = json.loads((self._drafts / f"{identifier}.json").read_bytes())
            return Draft(**values)
        except (OSError, ValueError, TypeError):
            return None

    def drafts(self, limit: int = 20) -> list[Draft]:
        """Return the drafts that were changed last."""
        found = (self.draft(path.stem) for path in self._drafts_by_age()[:limit])
        return [draft for draft in found if draft is not None]

    def keep_draft(self, draft: Draft, revision: int, document: Mapping[str, Any]) -> None:
        """Keep a revision of a draft."""
        draft.document, draft.revision = dict(document), revision
        self._keep(draft)

    def save_draft(self, draft: Draft, *, newer: bool = False) -> Version:
        """Save a draft as the next version of its pipeline; see `save`.

        Raises WorkspaceError also where it is no pipeline yet.
        """
        try:
            pipeline = Pipeline.model_validate(draft.document)
        except ValueError as error:
            raise WorkspaceError("mend the faults of the file before saving it") from error
        version = self.save(pipeline, draft.base, newer=newer)
        draft.base, draft.saved_revision = version.number, draft.revision
        self._keep(draft)
        return version

    @property
    def _versions(self) -> Path:
        return self.folder / ".versions"

    @property
    def _drafts(self) -> Path:
        return self.folder / ".drafts"

    def _keep(self, draft: Draft) -> None:
        text = json.dumps(asdict(draft))
        if len(text) > MAX_DOCUMENT_BYTES:
            raise WorkspaceError(f"the pipeline is larger than {MAX_DOCUMENT_BYTES >> 20} MiB")
        _write(self._drafts / f"{draft.id}.json", text)

    def _drafts_by_age(self) -> list[Path]:
        def changed(path: Path) -> float:
            try:
                return path.stat().st_mtime
            except OSError:  # another tab has just removed it
                return 0.0

        return sorted(self._drafts.glob("*.json"), key=changed, reverse=True)

    def _remove_old_drafts(self) -> None:
        for path in self._drafts_by_age()[KEPT_DRAFTS:]:
            path.unlink(missing_ok=True)


def _checked(name: str) -> str:
    """Return a name that is safe as the name of a file."""
    try:
        return dns_label(name)
    except ValueError as error:
        raise WorkspaceError(f"the name {name!r} {error}") from error


def _write(path: Path, text: str, *, exclusive: bool = False) -> None:
    """Write a file: whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{time.monotonic_ns()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, encoding="utf-8")
        if exclusive:
            try:
                path.hardlink_to(temporary)
            finally:
                temporary.unlink()
        else:
            temporary.replace(path)
    except FileExistsError as error:
        raise NewerVersionError(path.parent.name, int(path.stem)) from error
    except OSError as error:
        raise WorkspaceError(f"cannot write {path}: {error.strerror}") from error
