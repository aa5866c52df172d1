"""A run as the canvas shows it: on the nodes of its pipeline. Knows no Streamlit."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from orchestrator.engine.run import State
from ui.following import Follower, read_labels
from ui.markdown import plain
from ui.state import RunProgress

if TYPE_CHECKING:
    from composer.registry import Registry
    from orchestrator.events import Event
    from orchestrator.journal import Journal
    from ui.launching import Launch
    from ui.state import NodeProgress


@dataclass
class ShownRun:
    """A run that was started from a page, or is looked at there.

    run: its id, empty until it is known. state: as the journal says. failure: why it did not
    begin. numbers: of the last event that was read.
    """

    launch: Launch | None = None
    run: str = ""
    state: str = State.RUNNING
    message: str = ""
    failure: str = ""
    _progress: RunProgress | None = None
    _follower: Follower | None = None
    _web_pages: dict[str, str] = field(default_factory=dict)

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will change."""
        return bool(self.failure) or self.state != State.RUNNING

    @property
    def sentence(self) -> str:
        """How it stands, in Markdown."""
        if self.failure:
            return f":red[The run did not begin.]\n\n```\n{self.failure}\n```"
        if not self.run:
            return "The run begins …"
        colour = {State.SUCCEEDED: "green", State.RUNNING: "blue"}.get(self.state, "red")  # type: ignore[call-overload] # a state may also be `died`
        why = f": {plain(self.message)}" if self.message else ""
        return f"Run `{self.run}` :{colour}[{self.state}]{why}"

    def nodes(
        self, journal: Journal | None, registry: Registry
    ) -> dict[str, dict[str, Any]] | None:
        """Read what is new and return how each node stands; None before anything is known."""
        if not self.run and self.launch is not None:
            self.run = self.launch.find_run(journal)
            self.failure = self.launch.failure or ""
        if not self.run or journal is None:
            return None
        if self._progress is None:
            labels = read_labels(journal.run(self.run), journal, registry)
            self._progress = RunProgress(labels)
            self._follower = Follower(journal, self.run)
        if self._follower is not None:
            self._follower.journal = journal
            self.state, events = self._follower.poll()
            for event in events:
                self._take(event)
        if self.has_ended:
            self.message = journal.run(self.run).message
            self._web_pages.clear()
        now = datetime.now(UTC)
        return {name: self._node(name, node, now) for name, node in self._progress.nodes.items()}

    def _take(self, event: Event) -> None:
        if self._progress is not None:
            self._progress.observe(event)
        if event.kind.value == "web-page":
            self._web_pages[event.node] = str(event.detail.get("url", ""))

    def _node(self, name: str, node: NodeProgress, now: datetime) -> dict[str, Any]:
        return {
            "state": node.state.value,
            "received": node.received,
            "answered": node.answered,
            "rate": round(node.rate(now), 2),
            "queued": node.queued,
            "failed": node.failed,
            "progress": node.fraction,
            "message": node.message,
            "webInterface": self._web_pages.get(name),
        }
