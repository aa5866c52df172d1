"""Messages on their way, and the lineage that their ids carry."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Message:
    """Serialised bytes with an id, `node.operation#n`, n counting from 1 per operation.

    parents: ids of the messages that it answers. A streaming operation may have used everything
    that it had received by then, which is written as ranges: `clean.prepare#1-3`.
    """

    payload: bytes
    id: str
    parents: tuple[str, ...] = ()


class Received:
    """The messages that a stream has received so far, per sender, as ranges."""

    def __init__(self) -> None:
        self._ranges: dict[str, tuple[int, int]] = {}

    def add(self, message: Message) -> None:
        """Count a message; those of one sender arrive in the order of their numbers."""
        sender, number = message.id.rsplit("#", 1)
        first, _ = self._ranges.get(sender, (int(number), 0))
        self._ranges[sender] = (first, int(number))

    def parents(self) -> tuple[str, ...]:
        """Return the ranges, one per sender."""
        return tuple(
            f"{sender}#{first}" if first == last else f"{sender}#{first}-{last}"
            for sender, (first, last) in self._ranges.items()
        )
