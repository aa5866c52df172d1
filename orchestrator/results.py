"""The results of a run: a STAC catalogue of every item that a component emitted.

Each item is written when it is emitted, so that nothing already computed is lost, however the run
ends; collections and the catalogue follow at the end. Other messages that nobody takes are kept
as serialised bytes. Source of the layout: https://github.com/radiantearth/stac-spec (1.1.0).
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from google.protobuf.message import DecodeError

from orchestrator.engine.message import Message
from orchestrator.engine.plan import NodePlan, Plan, Step
from orchestrator.errors import SettingsError
from protos.common import stac
from protos.common.v1.item_pb2 import Item

ITEM: Final = "eoloom.common.v1.Item"

Emitted = Callable[[Step, Message, Path], None]


@dataclass
class _Collection:
    """What the collection document says of its items.

    items: their files, as keys: a run that heals itself emits an item once more.
    """

    folder: Path
    node: str
    items: dict[str, None] = field(default_factory=dict)
    boxes: list[list[float]] = field(default_factory=list)
    times: list[str] = field(default_factory=list)


class Results:
    """Writes what a run emits below `folder`/results; files stay in `folder`/shared.

    The catalogue is `folder`/catalog.json, so that a run can be the input of another.
    emitted: told of every file written. Raises SettingsError where the folder cannot be written.
    """

    def __init__(self, folder: Path, plan: Plan, run: str, emitted: Emitted) -> None:
        self._root = folder.resolve()
        self.folder = self._root / "results"
        self._shared = self._root / "shared"
        self._plan = plan
        self._run = run
        self._emitted = emitted
        self._collections: dict[tuple[str, str], _Collection] = {}
        # Where an item was last written, by the name that `derived_from` uses.
        self._written: dict[str, Path] = {}

    @property
    def catalogue(self) -> Path:
        """The root of the STAC catalogue: above items and assets, so that it holds them all."""
        return self._root / "catalog.json"

    def record(self, step: Step, message: Message) -> None:
        """Write an item, or the bytes of another message that nobody takes."""
        if step.output_message == ITEM:
            self._record_item(step, message)
        elif self._plan.is_terminal(step):
            number = message.id.rsplit("#", 1)[1]
            path = self.folder / step.node / f"{step.operation}-{int(number):06d}.binpb"
            _write(path, message.payload)
            self._emitted(step, message, path)

    def finish(self) -> Path:
        """Write the collections and the catalogue; return the catalogue's path."""
        children = []
        for collection in self._collections.values():
            path = collection.folder / "collection.json"
            _write_json(path, self._collection_document(collection))
            children.append(_link("child", self._root, path))
        catalogue = {
            "type": "Catalog",
            "stac_version": stac.STAC_VERSION,
            "id": self._run,
            "title": self._plan.name,
            "description": f"Results of the run {self._run} of the pipeline {self._plan.name}",
            "links": [_link("root", self._root, self.catalogue), *children],
        }
        _write_json(self.catalogue, catalogue)
        return self.catalogue

    def _record_item(self, step: Step, message: Message) -> None:
        try:
            item = Item.FromString(message.payload)
            document = stac.to_dict(item)
        except (DecodeError, stac.StacError) as error:
            raise SettingsError(f"{message.id} is not an Item: {error}") from error
        collection = self._collection(step.node, item.collection or step.operation)
        path = _free_path(collection.folder / f"{_file_name(item.id)}.json", message.id)
        document["collection"] = item.collection or step.operation
        document["properties"]["eoloom:node"] = step.node
        document["properties"]["eoloom:message"] = message.id
        document["properties"]["eoloom:terminal"] = self._plan.is_terminal(step)
        for asset in document["assets"].values():
            asset["href"] = self._asset_href(asset["href"], path.parent)
        document["links"] = [
            _link("root", path.parent, self.catalogue),
            _link("parent", path.parent, collection.folder / "collection.json"),
            _link("collection", path.parent, collection.folder / "collection.json"),
            *self._parents(item, path),
        ]
        _write_json(path, document)
        collection.items[path.name] = None
        if item.bbox:
            collection.boxes.append(list(item.bbox))
        collection.times += filter(None, (item.datetime, item.start_datetime, item.end_datetime))
        self._written[f"{item.collection}/{item.id}" if item.collection else item.id] = path
        self._emitted(step, message, path)

    def _collection(self, node: str, name: str) -> _Collection:
        key = (node, name)
        if key not in self._collections:
            folder = self.folder / node / _file_name(name)
            self._collections[key] = _Collection(folder, node)
        return self._collections[key]

    def _collection_document(self, collection: _Collection) -> dict[str, Any]:
        node = next(node for node in self._plan.nodes if node.name == collection.node)
        boxes, times = collection.boxes, sorted(collection.times)
        bbox = (
            [f(b[i] for b in boxes) for i, f in enumerate((min, min, max, max))]
            if boxes
            else [-180.0, -90.0, 180.0, 90.0]
        )
        return {
            "type": "Collection",
            "stac_version": stac.STAC_VERSION,
            "id": collection.folder.name,
            "title": f"{node.title or node.component} ({node.name})",
            "description": _description(node),
            "license": "other",
            "extent": {
                "spatial": {"bbox": [bbox]},
                "temporal": {"interval": [[times[0], times[-1]] if times else [None, None]]},
            },
            "links": [
                _link("root", collection.folder, self.catalogue),
                _link("parent", collection.folder, self.catalogue),
                *(
                    _link("item", collection.folder, collection.folder / n)
                    for n in collection.items
                ),
            ],
        }

    def _asset_href(self, href: str, folder: Path) -> str:
        if urlsplit(href).scheme or Path(href).is_absolute():
            return href
        return Path(os.path.relpath(self._shared / href, folder)).as_posix()

    def _parents(self, item: Item, path: Path) -> list[Mapping[str, str]]:
        """Link to what the item was made from, where that was an item of this run."""
        known = [self._written[name] for name in item.derived_from if name in self._written]
        return [_link("derived_from", path.parent, parent) for parent in known]


def _description(node: NodePlan) -> str:
    return f"Items made by the node {node.name}, a {node.component} {node.version}."


def _link(relation: str, folder: Path, target: Path) -> dict[str, str]:
    href = Path(os.path.relpath(target, folder)).as_posix()
    media = "application/geo+json" if relation in {"item", "derived_from"} else "application/json"
    return {"rel": relation, "href": f"./{href}" if href[0] != "." else href, "type": media}


def _file_name(name: str) -> str:
    """Return an untrusted id as a file's name: no separators, no leading dot, not too long."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", name)[:120].lstrip(".") or "_"


def _free_path(path: Path, message: str) -> Path:
    """Return `path`, or its first variant with a number that no other message has taken."""
    candidate, number = path, 2
    while candidate.exists() and _message_of(candidate) != message:
        candidate = path.with_name(f"{path.stem}~{number}{path.suffix}")
        number += 1
    return candidate


def _message_of(path: Path) -> str:
    """Return the message whose item a file holds: a run that goes on writes it once more."""
    try:
        return str(json.loads(path.read_bytes())["properties"]["eoloom:message"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _write_json(path: Path, document: Mapping[str, Any]) -> None:
    _write(path, json.dumps(document, indent=2, ensure_ascii=False).encode())


def _write(path: Path, content: bytes) -> None:
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(content)
        part.replace(path)
    except OSError as error:
        raise SettingsError(f"cannot write {path}: {error.strerror}") from error
