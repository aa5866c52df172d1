"""What a run has left on disk, read back: also of a run that failed or was killed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

# An item document is small; more than this is not one of ours.
_DOCUMENT_LIMIT_BYTES: Final = 16 * 1024 * 1024

_NOT_ITEMS: Final = frozenset({"catalog.json", "collection.json"})


@dataclass(frozen=True)
class ResultAsset:
    """One file of a result. path: absolute, or a URL."""

    key: str
    path: str
    media_type: str = ""
    title: str = ""
    roles: tuple[str, ...] = ()


@dataclass(frozen=True)
class Result:
    """What one message left: a STAC item with its assets, or the bytes of another message.

    item: its id; empty for bytes. terminal: whether nobody took it, so that it is a result of the
    pipeline and not a step on the way.
    """

    node: str
    operation: str
    item: str
    path: Path
    terminal: bool
    assets: tuple[ResultAsset, ...] = ()
    properties: Mapping[str, Any] = field(default_factory=dict)


def read_results(folder: Path) -> tuple[Result, ...]:
    """Return the results in a run's folder, in the order of their nodes and names.

    Files that are not whole or not ours are passed over: a run may have been killed while writing.
    """
    root = folder.resolve() / "results"
    found = []
    for path in sorted(root.rglob("*")):
        if path.suffix == ".json" and path.name not in _NOT_ITEMS and path.name[0] != ".":
            result = read_result(path)
            if result is not None:
                found.append(result)
        elif path.suffix == ".binpb":
            operation = path.stem.rsplit("-", 1)[0]
            found.append(Result(path.parent.name, operation, "", path, terminal=True))
    return tuple(found)


def read_result(path: Path) -> Result | None:
    """Return the item in a document of a run, or None if it is not whole or not one of ours."""
    try:
        if path.stat().st_size > _DOCUMENT_LIMIT_BYTES:
            return None
        document = json.loads(path.read_bytes())
        properties = document["properties"]
        message = str(properties["eoloom:message"])
        return Result(
            node=properties["eoloom:node"],
            operation=message.partition(".")[2].partition("#")[0],
            item=document["id"],
            path=path,
            terminal=bool(properties.get("eoloom:terminal")),
            assets=tuple(
                ResultAsset(
                    key=key,
                    path=_absolute(asset["href"], path.parent),
                    media_type=asset.get("type", ""),
                    title=asset.get("title", ""),
                    roles=tuple(asset.get("roles", ())),
                )
                for key, asset in document["assets"].items()
            ),
            properties=properties,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _absolute(href: str, folder: Path) -> str:
    return href if urlsplit(href).scheme else str((folder / href).resolve())
