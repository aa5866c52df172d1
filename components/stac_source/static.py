"""Walking a static catalogue: from the first document through child links to its items."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

from components.kit import ComponentError, InputError, TemporaryError
from components.stac_source.candidates import Candidate
from components.stac_source.documents import Documents, ElsewhereError
from components.stac_source.faults import Faults

# A catalogue of more documents is an archive; those have an API.
DOCUMENT_LIMIT = 200_000
_ITEMS = {"Feature", "FeatureCollection"}
ELSEWHERE = "links lead out of the catalogue's folder or server and were not followed"
_MISSING = "linked documents are not there and were passed over"
_BROKEN = "documents are not STAC and were passed over"


@dataclass
class StaticCatalogue:
    """One walk through a catalogue.

    Args:
        documents: where its documents are.
        faults: what is passed over is told here.
        collections: to visit; all if empty. Items of others are not read.
    """

    documents: Documents
    faults: Faults
    collections: Collection[str] = ()
    passed_collections: set[str] = field(default_factory=set)
    _seen: set[str] = field(default_factory=set)

    def walk(self, location: str, document: Any) -> Iterator[Candidate]:
        """Yield the items below a document, each once.

        Raises:
            InputError: if the catalogue has more than `DOCUMENT_LIMIT` documents.
            TemporaryError: if the network fails on the way.
        """
        self._seen.add(location)
        waiting = [(location, document)]
        while waiting:
            here, parent = waiting.pop()
            kind = parent.get("type") if isinstance(parent, dict) else None
            if kind == "FeatureCollection":
                yield from self._items_within(here, parent)
            elif kind == "Feature":
                yield from self._checked(here, parent, "")
            elif kind in {"Catalog", "Collection"}:
                name = str(parent.get("id", "")) if kind == "Collection" else ""
                if not name or not self.collections or name in self.collections:
                    for place, item in self._read(self._links(here, parent, "item")):
                        yield from self._checked(place, item, name)
                else:
                    self.passed_collections.add(name)
                children = list(self._read(self._links(here, parent, "child")))
                waiting.extend(reversed(children))
            else:
                self.faults.add(_BROKEN, f"{self.documents.show(here)}: type is {kind!r:.40}")

    def read_each(self, locations: Iterator[str]) -> Iterator[Candidate]:
        """Yield the items among documents that no catalogue links, such as files of a folder.

        Other JSON, which nobody claimed to be STAC, is passed over without a word.
        """
        for place, document in self._read(self._unseen(locations)):
            kind = document.get("type") if isinstance(document, dict) else None
            features = document.get("features") if kind == "FeatureCollection" else [document]
            for feature in features if isinstance(features, list) else ():
                if isinstance(feature, dict) and "stac_version" in feature and kind in _ITEMS:
                    yield from self._checked(place, feature, "")

    def _links(self, location: str, document: dict[str, Any], rel: str) -> Iterator[str]:
        links = document.get("links")
        for link in links if isinstance(links, list) else ():
            if not isinstance(link, dict) or link.get("rel") != rel:
                continue
            href = link.get("href")
            if not isinstance(href, str) or not href:
                self.faults.add(_BROKEN, f"a link in {self.documents.show(location)} has no href")
                continue
            try:
                yield from self._unseen(iter([self.documents.follow(location, href)]))
            except ElsewhereError:
                self.faults.add(ELSEWHERE, f"{href!r} in {self.documents.show(location)}")

    def _unseen(self, locations: Iterator[str]) -> Iterator[str]:
        for location in locations:
            if location in self._seen:
                continue
            if len(self._seen) >= DOCUMENT_LIMIT:
                raise InputError(
                    f"the catalogue has more than {DOCUMENT_LIMIT} documents; "
                    "search a part of it, or a STAC API"
                )
            self._seen.add(location)
            yield location

    def _read(self, locations: Iterator[str]) -> Iterator[tuple[str, Any]]:
        for place, document in self.documents.read_all(locations):
            if isinstance(document, TemporaryError):
                raise document
            if isinstance(document, InputError):
                self.faults.add(_BROKEN, str(document))
            elif isinstance(document, ComponentError):
                self.faults.add(_MISSING, self.documents.show(place))
            else:
                yield place, document

    def _items_within(self, location: str, document: dict[str, Any]) -> Iterator[Candidate]:
        features = document.get("features")
        for feature in features if isinstance(features, list) else ():
            yield from self._checked(location, feature, "")

    def _checked(self, location: str, document: Any, collection: str) -> Iterator[Candidate]:
        try:
            yield Candidate.checked(document, location, collection)
        except ValueError as error:
            self.faults.add(_BROKEN, f"{self.documents.show(location)}: {error}")
