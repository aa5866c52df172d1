"""What `catalogue` may point to, and how the items of each are found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from components.kit import Call, InputError, MissingDataError
from components.kit.documents import display_url
from components.stac_source.api import StacApi, is_api
from components.stac_source.candidates import Candidate
from components.stac_source.documents import Documents, LocalDocuments, RemoteDocuments
from components.stac_source.faults import Faults
from components.stac_source.matching import Tally
from components.stac_source.params import Parameters
from components.stac_source.products import describe_product, parse_product_name
from components.stac_source.static import DOCUMENT_LIMIT, ELSEWHERE, StaticCatalogue

# What a folder may be opened by, first one first.
_FIRST_DOCUMENTS = ("catalog.json", "collection.json")
_ITEM_FILES = (".json", ".geojson")


class Catalogue(Protocol):
    """A place where items are found."""

    @property
    def local(self) -> LocalDocuments | None:
        """Its folder; None for a server."""

    @property
    def selects(self) -> bool:
        """Whether it applies the conditions by itself."""

    def candidates(self, params: Parameters) -> Iterator[Candidate]:
        """Yield items; the caller checks the conditions."""

    def explain(self, params: Parameters, tally: Tally) -> str:
        """Return one sentence on why no item matched."""


def open_catalogue(call: Call[Parameters], faults: Faults) -> Catalogue:
    """Open what the parameter `catalogue` points to.

    Raises:
        MissingDataError: there is nothing.
        InputError: it cannot be a catalogue.
        TemporaryError: the network fails.
    """
    text = call.params.catalogue
    scheme = urlsplit(text).scheme.lower() if "://" in text else ""
    if scheme in {"http", "https"}:
        remote = RemoteDocuments(text)
        document = remote.read(text)
        if is_api(document):
            return _Api(StacApi(text, faults, call.warn))
        return _Linked(remote, text, document, faults)
    if scheme:
        raise InputError(
            f"catalogue {display_url(text)}: only paths, http:// and https:// can be opened"
        )
    return _open_path(Path(text), call, faults)


def _open_path(path: Path, call: Call[Parameters], faults: Faults) -> Catalogue:
    try:
        path = path.resolve(strict=True)
    except (OSError, ValueError, RuntimeError) as error:
        raise MissingDataError(
            f"catalogue {path} does not exist; give the path of a STAC catalogue, of a folder of "
            "items or products, or a URL"
        ) from error
    if parse_product_name(path.name) is not None:
        return _Folder(LocalDocuments(path.parent), [path], call, faults)
    if path.is_dir():
        for name in _FIRST_DOCUMENTS:
            if (path / name).is_file():
                return _open_path(path / name, call, faults)
        try:
            return _Folder(LocalDocuments(path), list(path.iterdir()), call, faults)
        except OSError as error:
            raise MissingDataError(f"{path} cannot be read: {error.strerror}") from error
    documents = LocalDocuments(path.parent)
    return _Linked(documents, str(path), documents.read(str(path)), faults)


@dataclass
class _Linked:
    """A static catalogue: a document and what it links to."""

    documents: Documents
    start: str
    document: object
    faults: Faults
    selects: bool = False

    @property
    def local(self) -> LocalDocuments | None:
        """The catalogue's folder, if it is on disk."""
        return self.documents if isinstance(self.documents, LocalDocuments) else None

    def candidates(self, params: Parameters) -> Iterator[Candidate]:
        """Yield the items of the collections asked for."""
        self._walk = StaticCatalogue(self.documents, self.faults, params.collections)
        yield from self._walk.walk(self.start, self.document)

    def explain(self, params: Parameters, tally: Tally) -> str:
        """Return one sentence on why no item matched."""
        passed = sorted(self._walk.passed_collections)
        if not tally.found and passed:
            return (
                f"no item of {params.shown_catalogue} matches: none of the collections "
                f"{', '.join(params.collections)} has any; there also are {', '.join(passed[:20])}"
            )
        return tally.explain(params)


@dataclass
class _Folder:
    """A folder without a catalogue: item files, products, and folders of such."""

    local: LocalDocuments
    entries: list[Path]
    call: Call[Parameters]
    faults: Faults
    selects: bool = False

    def candidates(self, params: Parameters) -> Iterator[Candidate]:
        """Yield the products, then the items of the JSON files, at any depth."""
        del params
        files: list[str] = []
        waiting = sorted(self.entries, reverse=True)
        visited = 0
        while waiting:
            path = waiting.pop()
            visited += 1
            if visited > DOCUMENT_LIMIT:
                raise InputError(
                    f"{self.local.root} has more than {DOCUMENT_LIMIT} files; give a part of it"
                )
            self.call.check_cancelled()
            if not self._is_inside(path):
                continue
            product = describe_product(path, self.call.warn)
            if product is not None:
                yield product
            elif path.is_dir():
                waiting.extend(self._entries(path))
            elif path.suffix.lower() in _ITEM_FILES:
                files.append(str(path))
        walk = StaticCatalogue(self.local, self.faults)
        yield from walk.read_each(iter(files))

    def _is_inside(self, path: Path) -> bool:
        if not path.is_symlink():
            return True
        # Links to files within the folder are followed; links to folders could run in circles.
        try:
            inside = path.resolve().is_relative_to(self.local.root) and not path.is_dir()
        except (OSError, RuntimeError):
            inside = False
        if not inside:
            self.faults.add(ELSEWHERE, path.name)
        return inside

    def _entries(self, folder: Path) -> list[Path]:
        try:
            return sorted(folder.iterdir(), reverse=True)
        except OSError as error:
            self.faults.add("folders cannot be read and were passed over", f"{folder}: {error}")
            return []

    def explain(self, params: Parameters, tally: Tally) -> str:
        """Return one sentence on why no item matched."""
        if not tally.found:
            return (
                f"{params.shown_catalogue} has neither catalog.json nor collection.json, and no "
                "STAC items (.json) or Sentinel products (.SAFE, .SAFE.zip) are in it"
            )
        return tally.explain(params)


@dataclass
class _Api:
    """A STAC API."""

    api: StacApi
    local: None = None
    selects: bool = True

    def candidates(self, params: Parameters) -> Iterator[Candidate]:
        """Yield what the server finds."""
        return self.api.search(params)

    def explain(self, params: Parameters, tally: Tally) -> str:
        """Return one sentence on why no item matched."""
        return tally.explain(params) if tally.found else self.api.explain(params)
