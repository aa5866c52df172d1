"""Bringing the files of chosen items within reach: into the run's folder, or left as URLs."""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from components.kit import InputError
from components.kit.storage import REMOTE_SCHEMES, Storage
from components.stac_source.candidates import Candidate
from components.stac_source.documents import ElsewhereError, LocalDocuments
from components.stac_source.faults import Faults
from protos.common import stac
from protos.common.v1.item_pb2 import Item

_MISSING = "local assets are not there and were left out"
_UNREADABLE = "assets are on storage that cannot be read and were left out"
_EMPTY = "items have no asset that can be read and were passed over"
_BROKEN = "items are not valid STAC and were passed over"
_LACKING = "items lack an asset that was asked for"
# Assets that are folders; a link to any other one could mean the whole catalogue.
_FOLDERS = (".safe", ".zarr")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
_NAME_LENGTH = 100


@dataclass
class Staging:
    """Turns chosen candidates into items whose hrefs everyone in the run can read.

    Args:
        storage: of the node.
        local: the catalogue's folder; None for a catalogue on a server.
        wanted: keys of the assets to take; all if empty.
        faults: what is left out is told here.
    """

    storage: Storage
    local: LocalDocuments | None
    wanted: Sequence[str]
    faults: Faults
    _folders: set[str] = field(default_factory=set)

    def item(self, candidate: Candidate) -> Item | None:
        """Return the item; its local files are in the node's folder afterwards.

        None if it is broken or no asset is left of it, which is told.

        Raises:
            InputError: an asset lies outside of the catalogue, or none of the wanted ones exists.
            StorageError: the node's folder cannot be written.
        """
        document = dict(candidate.document)
        document["assets"] = self._chosen_assets(candidate)
        try:
            item = stac.from_dict(document)
        except (ValueError, TypeError, AttributeError, LookupError, OverflowError) as error:
            self.faults.add(_BROKEN, f"{candidate.id}: {error}")
            return None
        folder = self._folder(candidate)
        taken: dict[str, str] = {}
        for asset in list(item.assets):
            href = self._href(candidate, asset.key, asset.href, folder, taken)
            if href is None:
                item.assets.remove(asset)
            else:
                asset.href = href
        # Links between documents of the catalogue mean nothing in the run; URLs do.
        origins = [href for href in item.derived_from if _scheme(href) in REMOTE_SCHEMES]
        del item.derived_from[:]
        item.derived_from.extend(origins)
        if not item.assets:
            self.faults.add(_EMPTY, candidate.id)
            return None
        return item

    def _chosen_assets(self, candidate: Candidate) -> dict[str, Any]:
        assets: dict[str, Any] = candidate.document["assets"]
        if not self.wanted:
            return assets
        chosen = {key: assets[key] for key in self.wanted if key in assets}
        lacking = [key for key in self.wanted if key not in assets]
        if lacking and not chosen:
            near = difflib.get_close_matches(lacking[0], assets, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise InputError(
                f"item {candidate.id!r} has none of the assets {', '.join(lacking)}{hint} "
                f"(it has {', '.join(assets) or 'none'})"
            )
        if lacking:
            self.faults.add(_LACKING, f"{candidate.id} has no {', '.join(lacking)}")
        return chosen

    def _href(
        self, candidate: Candidate, key: str, href: str, folder: str, taken: dict[str, str]
    ) -> str | None:
        """Return the href for the run; None if the asset has to be left out."""
        where = f"{candidate.id}/{key}: {href!r:.200}"
        scheme = _scheme(href)
        if scheme in REMOTE_SCHEMES:
            return href
        if not href or ("://" in href and scheme != "file"):
            self.faults.add(_UNREADABLE, where)
            return None
        if self.local is None:
            absolute = urljoin(candidate.location, href)
            if _scheme(absolute) in REMOTE_SCHEMES:
                return absolute
            raise InputError(f"item {candidate.id!r}, asset {key!r}: {href!r:.200} is not a URL")
        try:
            path = Path(self.local.follow(candidate.location, href))
        except ElsewhereError as error:
            raise InputError(
                f"item {candidate.id!r}, asset {key!r}: href {href!r:.200} leaves the "
                f"catalogue's folder {self.local.root}; move the file into it"
            ) from error
        if not path.is_file() and not (path.is_dir() and path.suffix.lower() in _FOLDERS):
            self.faults.add(_MISSING, where)
            return None
        name = safe_name(path.name)
        if taken.setdefault(name, str(path)) != str(path):
            name = f"{safe_name(key)}_{name}"
        return self.storage.stage(path, f"{folder}/{name}")

    def _folder(self, candidate: Candidate) -> str:
        """Return the name of a folder of the item's own; nothing says that ids are unique."""
        first = name = safe_name(candidate.id)
        number = 1
        while name in self._folders:
            number += 1
            name = f"{first}_{number}"
        self._folders.add(name)
        return name


def _scheme(href: str) -> str:
    try:
        return urlsplit(href).scheme.lower()
    except ValueError:  # such as http://[x
        return ""


def safe_name(text: str) -> str:
    """Return a file name for any text; different texts get different names."""
    name = _UNSAFE.sub("_", text)[:_NAME_LENGTH]
    if name == text and not text.startswith(".") and text:
        return name
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{name.lstrip('.')}_{digest}"
