"""Messages on their way, and the lineage that their ids carry."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Message:
    """Serialised bytes with an id, `node.operation#n`, n counting from 1 per operation.

    parents: ids of the messages that it answers. A streaming operation may have used everything
    that it had received by then, which is written as ranges: `clean.prepare#1-3`. changed: an
    earlier attempt at the run sent something else under this id.

    A part of a message has the message's id and its own number, `clean.prepare#1/0`; a request that
    is put together from parts has all their ids, joined by `+`.
    """

    payload: bytes
    id: str
    parents: tuple[str, ...] = ()
    changed: bool = False

    @property
    def origins(self) -> tuple[str, ...]:
        """The ids of the messages or parts that this one consists of."""
        return tuple(self.id.split("+")) if self.id else ()


class Received:
    """The messages that a stream has received so far, per sender, as ranges."""

    def __init__(self) -> None:
        self.count = 0
        self._ranges: dict[str, list[list[int]]] = {}

    def add(self, message: Message) -> None:
        """Count a message; those of one sender mostly arrive in the order of their numbers."""
        self.count += 1
        for origin in message.origins:
            sender, _, rest = origin.rpartition("#")
            number = int(rest.partition("/")[0])
            ranges = self._ranges.setdefault(sender, [])
            if ranges and number - ranges[-1][1] in {0, 1}:
                ranges[-1][1] = number
            else:
                ranges.append([number, number])

    def parents(self) -> tuple[str, ...]:
        """Return the ranges of every sender."""
        return tuple(
            f"{sender}#{first}" if first == last else f"{sender}#{first}-{last}"
            for sender, ranges in self._ranges.items()
            for first, last in ranges
        )
