"""What a run has cost: processor time, and bytes moved. Knows no Streamlit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.events import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from orchestrator.events import Event
    from orchestrator.journal import Journal, RunRecord


@dataclass(frozen=True)
class Usage:
    """Of a node, or of a whole run.

    bytes_in, bytes_out: of the messages that it took and gave, as they last stood. cpu_s: of all
    attempts, of what was stopped in order; None where it was not measured.
    """

    bytes_in: int = 0
    bytes_out: int = 0
    cpu_s: float | None = None

    def __add__(self, other: Usage) -> Usage:
        """Return both together; what was measured of one counts."""
        measured = [each.cpu_s for each in (self, other) if each.cpu_s is not None]
        return Usage(
            self.bytes_in + other.bytes_in,
            self.bytes_out + other.bytes_out,
            sum(measured) if measured else None,
        )


def read_usage(journal: Journal, record: RunRecord) -> dict[str, Usage]:
    """Return what each node has used. Raises SettingsError."""
    return usage_of(record.operations, journal.events(record.id, kinds=[Kind.USAGE]))


def usage_of(
    operations: Mapping[str, Mapping[str, object]], events: Iterable[Event]
) -> dict[str, Usage]:
    """Return what each node has used.

    operations: the counts by `node.operation`. events: those of the kind USAGE.
    """
    found: dict[str, Usage] = {}
    for key, counts in operations.items():
        node = key.rpartition(".")[0]
        moved = Usage(_number(counts.get("bytes_in")), _number(counts.get("bytes_out")))
        found[node] = found.get(node, Usage()) + moved
    for event in events:
        seconds = event.detail.get("cpu_s")
        if isinstance(seconds, int | float):
            found[event.node] = found.get(event.node, Usage()) + Usage(cpu_s=float(seconds))
    return found


def total(usage: Mapping[str, Usage]) -> Usage:
    """Return what the whole run has used."""
    return sum(usage.values(), Usage())


def _number(value: object) -> int:
    return int(value) if isinstance(value, int | float) else 0
