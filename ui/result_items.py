"""Items of a run as documents, and where their files lie; for what pages show of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from orchestrator.result_files import read_result

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from orchestrator.result_files import Result

_LIMIT_BYTES: Final = 16 * 1024 * 1024
_MAX_PARENTS: Final = 24


@dataclass(frozen=True)
class ItemAsset:
    """A file of an item. path: in the run's folder, relative to it; None where it lies elsewhere.

    document: the asset as in the STAC item. size: bytes; None where it is not known.
    """

    key: str
    title: str
    media_type: str
    roles: tuple[str, ...]
    path: str | None
    href: str
    size: int | None
    document: Mapping[str, Any]

    @property
    def bands(self) -> Sequence[Mapping[str, Any]]:
        """The bands that the item describes."""
        bands = self.document.get("bands") or self.document.get("raster:bands") or []
        return [band if isinstance(band, dict) else {} for band in bands]


@dataclass(frozen=True)
class ItemView:
    """An item of a run with its document, and the items that it was made from."""

    result: Result
    document: Mapping[str, Any]
    assets: tuple[ItemAsset, ...]
    path: str
    """Of its document, relative to the run's folder."""

    @property
    def title(self) -> str:
        """Its title, or its id."""
        return str(self.result.properties.get("title") or self.result.item)

    @property
    def time(self) -> str:
        """The day of its data, or the first and the last."""
        properties = self.result.properties
        names = ("start_datetime", "end_datetime")
        days = [str(properties[name])[:10] for name in names if properties.get(name)]
        days = days or [str(properties.get("datetime") or "")[:10]]
        return " to ".join(dict.fromkeys(days))

    def asset(self, *roles: str, media_type: str = "") -> ItemAsset | None:
        """Return the first file in the run's folder with one of these roles, and of that type."""
        for asset in self.assets:
            fits = not roles or set(roles) & set(asset.roles)
            if asset.path and fits and asset.media_type.startswith(media_type):
                return asset
        return None


def read_item(folder: Path, result: Result) -> ItemView | None:
    """Return an item with its document; None for other results and where it cannot be read."""
    root = folder.resolve()
    if not result.item or not result.path.is_relative_to(root):
        return None
    try:
        if result.path.stat().st_size > _LIMIT_BYTES:
            return None
        document = json.loads(result.path.read_bytes())
    except (OSError, ValueError):
        return None
    assets = tuple(_assets(root, result, document))
    return ItemView(result, document, assets, str(result.path.relative_to(root)))


def read_parents(folder: Path, item: ItemView) -> tuple[ItemView, ...]:
    """Return the items of the run that an item was made from, in the order of their times."""
    root = folder.resolve()
    found: list[ItemView] = []
    for link in list(item.document.get("links") or [])[: 10 * _MAX_PARENTS]:
        if not isinstance(link, dict) or link.get("rel") != "derived_from":
            continue
        href = str(link.get("href", ""))
        if urlsplit(href).scheme or "\0" in href:
            continue
        path = (item.result.path.parent / href).resolve()
        if path.is_relative_to(root / "results") and len(found) < _MAX_PARENTS:
            result = read_result(path)
            parent = read_item(root, result) if result is not None else None
            if parent is not None:
                found.append(parent)
    return tuple(sorted(found, key=lambda parent: parent.time))


def _assets(root: Path, result: Result, document: Mapping[str, Any]) -> Iterator[ItemAsset]:
    described = document.get("assets")
    for asset in result.assets:
        own = described.get(asset.key) if isinstance(described, dict) else None
        path, size = None, None
        if not urlsplit(asset.path).scheme:
            place = Path(asset.path)
            try:
                if place.is_relative_to(root):
                    size = place.stat().st_size if place.is_file() else None
                    path = str(place.relative_to(root))
            except (OSError, ValueError):  # it has gone, or no file can have this name
                path = None
        yield ItemAsset(
            key=asset.key,
            title=str(asset.title or asset.key),
            media_type=str(asset.media_type),
            roles=tuple(map(str, asset.roles)),
            path=path,
            href=asset.path,
            size=size,
            document=own if isinstance(own, dict) else {},
        )
