"""Components as cards, and how they are searched. Knows no Streamlit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from composer.contract import Kind
from composer.onboarding import NO_LICENCE
from ui.component_view import entry_of, ports_text, visibility_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from composer.component import Component
    from composer.registry import Registry
    from composer.store import StoredComponent

BUILT_IN: Final = "EO Loom"
"""Owner of what comes with it."""
IN_FOLDER: Final = "a folder of yours"

KINDS: Final = {
    Kind.SOURCE: "gives data",
    Kind.RELAY: "works on data",
    Kind.SINK: "takes data",
}


@dataclass(frozen=True)
class Card:
    """What a list shows of a component. visibility: empty for one that is not onboarded."""

    name: str
    version: str
    title: str
    description: str
    licence: str
    keywords: tuple[str, ...]
    kinds: frozenset[Kind]
    owner: str
    visibility: str
    operations: tuple[tuple[str, str], ...]
    """Name and ports, such as `Item -> stream Item`."""
    gpu: int

    @property
    def words(self) -> str:
        """All that a search looks at, in small letters."""
        operations = (f"{name} {ports}" for name, ports in self.operations)
        parts = (self.name, self.title, self.description, *self.keywords, *operations)
        return " ".join(parts).lower()


@dataclass(frozen=True)
class CardFilter:
    """Which cards are wanted; what is empty does not matter. text: all of its words occur."""

    text: str = ""
    keywords: tuple[str, ...] = ()
    kind: Kind | None = None
    licence: str = ""
    owner: str = ""


def cards(registry: Registry, stored: Iterable[StoredComponent]) -> tuple[Card, ...]:
    """Return a card for the newest version of each component, by title."""
    entries = tuple(stored)
    made = (_card(component, entry_of(component, entries)) for component in registry.components)
    return tuple(sorted(made, key=lambda card: (card.title.lower(), card.name)))


def _card(component: Component, entry: StoredComponent | None) -> Card:
    manifest = component.manifest
    operations = component.contract.operations.values()
    return Card(
        name=manifest.name,
        version=manifest.version,
        title=manifest.title,
        description=" ".join(manifest.description.split()),
        licence=manifest.licence,
        keywords=manifest.keywords,
        kinds=frozenset(operation.kind for operation in operations),
        owner=owner_of(component, entry),
        visibility="" if entry is None else visibility_text(entry),
        operations=tuple((operation.name, ports_text(operation)) for operation in operations),
        gpu=manifest.resources.gpu,
    )


def owner_of(component: Component, entry: StoredComponent | None) -> str:
    """Return whose a component is."""
    if entry is not None:
        return entry.owner
    return BUILT_IN if component.is_built_in else IN_FOLDER


def select(found: Sequence[Card], wanted: CardFilter) -> tuple[Card, ...]:
    """Return the cards that are wanted."""
    return tuple(card for card in found if _fits(card, wanted))


def _fits(card: Card, wanted: CardFilter) -> bool:
    words = wanted.text.lower().split()
    known = {keyword.lower() for keyword in card.keywords}
    return (
        all(word in card.words for word in words)
        and all(keyword.lower() in known for keyword in wanted.keywords)
        and (wanted.kind is None or wanted.kind in card.kinds)
        and (not wanted.licence or card.licence == wanted.licence)
        and (not wanted.owner or card.owner == wanted.owner)
    )


def licence_words(licence: str) -> str:
    """Return a licence in words."""
    return "licence not stated" if licence == NO_LICENCE else licence


def choices(values: Iterable[str]) -> tuple[str, ...]:
    """Return each value once, sorted without regard to capitals."""
    return tuple(sorted(set(values), key=lambda value: (value.lower(), value)))
