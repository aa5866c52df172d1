"""What an image says of itself: OCI's standard labels, and whose image it is.

https://github.com/opencontainers/image-spec/blob/main/annotations.md
"""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

COMPONENT: Final = "org.eoloom.component"
"""Name of the component; on images that `eoloom images build` has made."""

_OCI: Final = "org.opencontainers.image"
_GIT_TIMEOUT_S: Final = 10


def image_labels(
    name: str, version: str, *, title: str, description: str, licence: str, folder: Path
) -> dict[str, str]:
    """Return the labels of an image whose sources lie in `folder`.

    Revision and time are those of the commit (SOURCE_DATE_EPOCH counts before it), never of the
    build, so that equal sources make an equal image. Without git there is none of either.
    """
    labels = {
        COMPONENT: name,
        f"{_OCI}.title": title,
        f"{_OCI}.description": description,
        f"{_OCI}.version": version,
        f"{_OCI}.licenses": licence,
    }
    revision, created, source = _git(folder)
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    if epoch.isdigit():
        created = datetime.fromtimestamp(int(epoch), UTC).isoformat()
    for key, value in (("revision", revision), ("created", created), ("source", source)):
        if value:
            labels[f"{_OCI}.{key}"] = value
    return labels


def _git(folder: Path) -> tuple[str, str, str]:
    """Return revision, time and origin of a checkout; "" for what is not known."""
    last = _run_git(folder, "log", "-1", "--format=%H %cI", "--", ".")
    revision, _, created = last.partition(" ")
    if revision and _run_git(folder, "status", "--porcelain", "--", "."):
        revision += "-modified"
    origin = _run_git(folder, "config", "--get", "remote.origin.url") if revision else ""
    # A URL with a password in it must not be published.
    return revision, created, "" if "@" in origin.partition("//")[2] else origin


def _run_git(folder: Path, *arguments: str) -> str:
    try:
        answer = subprocess.run(  # noqa: S603 - fixed arguments, without a shell
            ["git", "-C", str(folder), *arguments],  # noqa: S607 - the user's own git
            capture_output=True,
            text=True,
            timeout=_GIT_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.strip() if answer.returncode == 0 else ""
