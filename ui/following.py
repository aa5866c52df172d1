"""Following a run of another process: its journal, read again and again, as events."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from composer.errors import ComposerError
from composer.graph import compose
from composer.pipeline_file import load_pipeline
from orchestrator.embedded import PIPELINE_FILE
from orchestrator.engine.run import State
from orchestrator.events import Event, Kind
from ui.run_view import state_of
from ui.state import NodeLabel, labels_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from composer.registry import Registry
    from orchestrator.journal import Journal, RunRecord

_TAIL_BYTES: Final = 16 * 1024
"""How much of the end of a log is searched for the last report of progress."""


def read_labels(record: RunRecord, journal: Journal, registry: Registry) -> list[NodeLabel]:
    """Return the nodes of a run; where its pipeline cannot be read any more, those that started."""
    try:
        file = load_pipeline(record.folder / PIPELINE_FILE)
        return labels_of(compose(file, registry, cycles=True))
    except ComposerError:
        return [
            NodeLabel(
                event.node,
                f"{event.detail.get('component', '')}@{event.detail.get('version', '')}",
                tuple(
                    key.rpartition(".")[2]
                    for key in record.operations
                    if key.rpartition(".")[0] == event.node
                ),
            )
            for event in _latest_attempt(
                journal.events(record.id, kinds=(Kind.RUN_STARTED, Kind.NODE_STARTING))
            )
            if event.kind is Kind.NODE_STARTING
        ]


@dataclass
class Follower:
    """What of a run has been told already. Each `poll` tells what is new.

    Counts come from the journal as they last stood, progress from the end of the components' logs.
    """

    journal: Journal
    run: str
    _last: int = 0
    _counts: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    _progress: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    _nodes: set[str] = field(default_factory=set)

    def poll(self) -> tuple[str, list[Event]]:
        """Return the state of the run, as `state_of` says it, and the events since the last call.

        When the state says that it has ended, the events are its last. Raises SettingsError where
        the journal cannot be read.
        """
        # Before the events, so that those of a run that has ended are all of them.
        record = self.journal.run(self.run)
        state = state_of(record)
        new = self.journal.events(self.run, after=self._last)
        if new:
            self._last = new[-1].number
        if not self._nodes:
            new = _latest_attempt(new)
        self._nodes.update(event.node for event in new if event.kind is Kind.NODE_STARTING)
        new += self._new_counts(record)
        if state == State.RUNNING:
            new += self._new_progress(record.folder)
        return state, new

    def _new_counts(self, record: RunRecord) -> Iterator[Event]:
        for key, counts in record.operations.items():
            if self._counts.get(key) != counts:
                self._counts[key] = counts
                node, _, operation = key.rpartition(".")
                yield Event(self.run, Kind.COUNTS, node, operation, counts)

    def _new_progress(self, folder: Path) -> Iterator[Event]:
        for node in sorted(self._nodes):
            report = _last_progress(folder / "logs" / f"{node}.log")
            if report is not None and self._progress.get(node) != report:
                self._progress[node] = report
                operation = str(report.get("operation", ""))
                yield Event(
                    self.run,
                    Kind.PROGRESS,
                    node,
                    operation,
                    report["progress"],
                    datetime.now(UTC),
                )


def _latest_attempt(events: list[Event]) -> list[Event]:
    """Return the events since the run was last started: what came before is repeated by then."""
    starts = [n for n, event in enumerate(events) if event.kind is Kind.RUN_STARTED]
    return events[starts[-1] :] if starts else events


def _last_progress(log: Path) -> Mapping[str, Any] | None:
    """Return the last record of a component's log that reports progress, if one is near its end."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(size - _TAIL_BYTES, 0))
            lines = file.read().splitlines()
    except OSError:  # a component in a container may have no log of this name
        return None
    for line in reversed(lines):
        if b'"progress"' in line:
            with contextlib.suppress(ValueError):
                record = json.loads(line)
                if isinstance(record, dict) and isinstance(record.get("progress"), dict):
                    return record
    return None
