"""What a search passes over, gathered so that the user is told once and not a thousand times."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

_EXAMPLES = 3


@dataclass
class Faults:
    """Faults by kind, each with a count and its first examples."""

    _counts: dict[str, int] = field(default_factory=dict)
    _examples: dict[str, list[str]] = field(default_factory=dict)

    def add(self, kind: str, example: str) -> None:
        """Count a fault.

        Args:
            kind: a clause that follows the number, e.g. "items are not STAC items".
            example: which one, and why if that is known.
        """
        self._counts[kind] = self._counts.get(kind, 0) + 1
        examples = self._examples.setdefault(kind, [])
        if len(examples) < _EXAMPLES:
            examples.append(example[:300])

    def report(self, warn: Callable[[str], None]) -> None:
        """Warn once per kind, and forget."""
        for kind, count in self._counts.items():
            examples = self._examples[kind]
            more = ", ..." if count > len(examples) else ""
            warn(f"{count} {kind}, e.g. {'; '.join(examples)}{more}")
        self._counts.clear()
        self._examples.clear()
