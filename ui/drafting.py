"""The draft that a browser tab works on, without Streamlit.

A draft belongs to one tab: its id stands in the address of the page, so that a reload goes on with
it. A tab that was duplicated gets a copy, lest the two overwrite each other.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from composer.names import dns_label

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ui.workspace import Draft, Version, Workspace

FIRST_NAME: Final = "my-pipeline"


@dataclass
class Owners:
    """Which session works on which draft, in this process."""

    is_alive: Callable[[str], bool]
    """Whether a session still has a browser."""
    _sessions: dict[str, str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, draft: str, session: str) -> bool:
        """Take a draft; False where another living session has it."""
        with self._lock:
            owner = self._sessions.get(draft)
            if owner is not None and owner != session and self.is_alive(owner):
                return False
            self._sessions[draft] = session
            return True


@dataclass
class Editing:
    """What a tab works on.

    load: counts the documents that were opened in it; the canvas takes a document when this
    number changes. copied: whether the draft was another tab's.
    """

    workspace: Workspace
    draft: Draft
    load: int = 1
    copied: bool = False

    @classmethod
    def begin(cls, workspace: Workspace, identifier: str, owners: Owners, session: str) -> Editing:
        """Go on with the draft of that id, or with a copy of it, or with an empty one."""
        draft = workspace.draft(identifier) if identifier else None
        copied = False
        if draft is not None and not owners.take(draft.id, session):
            draft, copied = workspace.new_draft(draft.document, draft.base), True
        if draft is None:
            draft = workspace.new_draft(empty_document())
        owners.take(draft.id, session)
        return cls(workspace, draft, copied=copied)

    def revise(self, revision: Mapping[str, Any]) -> bool:
        """Keep what the canvas has sent; False where it belongs to a document before this one."""
        if revision.get("load") != self.load or revision.get("draft") != self.draft.id:
            return False
        number = revision.get("revision")
        document = revision.get("document")
        if not isinstance(number, int) or not isinstance(document, dict):
            return False
        if number > self.draft.revision:
            self.workspace.keep_draft(self.draft, number, document)
        return True

    def open(self, document: Mapping[str, Any], base: int = 0) -> None:
        """Go on with another document, in a draft of its own; the one before is kept."""
        self.draft = self.workspace.new_draft(normal(document), base)
        self.load += 1
        self.copied = False

    def rename(self, name: str) -> None:
        """Give the pipeline another name. Raises ValueError."""
        document = self.draft.document | {"name": dns_label(name)}
        self.draft.base = 0
        self.replace(document)

    def replace(self, document: Mapping[str, Any]) -> None:
        """Change the document from the page; the canvas takes it anew."""
        self.workspace.keep_draft(self.draft, self.draft.revision + 1, normal(document))
        self.load += 1

    def save(self, *, newer: bool = False) -> Version:
        """Save as the next version of the pipeline; see `Workspace.save_draft`."""
        return self.workspace.save_draft(self.draft, newer=newer)


def empty_document() -> dict[str, Any]:
    """Return a pipeline without nodes."""
    return {"name": FIRST_NAME, "nodes": {}, "links": [], "positions": {}}


def normal(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document with all keys that the canvas reads, whatever a file says or leaves out."""
    nodes = document.get("nodes")
    links = document.get("links")
    positions = document.get("positions")
    return {
        **document,
        "name": str(document.get("name") or FIRST_NAME),
        "nodes": {
            str(name): node if isinstance(node, dict) else {"component": str(node)}
            for name, node in (nodes.items() if isinstance(nodes, dict) else ())
        },
        "links": [str(link) for link in (links if isinstance(links, list) else ())],
        "positions": positions if isinstance(positions, dict) else {},
    }
