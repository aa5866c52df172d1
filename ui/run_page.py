"""One run as its page shows it. Knows no Streamlit.

What is read again every second is bounded here, however long a run is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from composer.document import read_document
from composer.errors import DocumentError
from orchestrator.embedded import PIPELINE_FILE
from orchestrator.engine.run import State
from orchestrator.events import Kind
from ui.drafting import normal
from ui.formatting import format_bytes, format_rate
from ui.log_tail import LogTail, log_files, read_tail
from ui.run_usage import Usage, read_usage, total
from ui.run_view import DIED, state_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from orchestrator.events import Event
    from orchestrator.journal import Journal, RunRecord
    from orchestrator.settings import OrchestratorSettings

NOT_MEASURED: Final = "not measured"
MAX_EVENTS: Final = 300
"""Events that are shown; the newest."""

_TOLD: Final = tuple(kind for kind in Kind if kind not in {Kind.RESULT, Kind.COUNTS, Kind.PROGRESS})
_FAILURE_LINES: Final = 6


@dataclass(frozen=True)
class RunFailure:
    """Why a run did not come to its end. node: where; log: its last words."""

    message: str
    node: str
    log: LogTail


@dataclass(frozen=True)
class RunPage:
    """All but the picture. usage: of each node."""

    record: RunRecord
    state: str
    failure: RunFailure | None
    usage: Mapping[str, Usage]
    results: int
    dead: int
    can_resume: bool

    @property
    def is_running(self) -> bool:
        """Whether something may still change."""
        return self.state == State.RUNNING

    @property
    def whole(self) -> Usage:
        """What all nodes have used."""
        return total(self.usage)


def read_page(journal: Journal, run: str) -> RunPage:
    """Return what there is to say of a run. Raises RunNotFoundError, SettingsError."""
    record = journal.run(run)
    state = state_of(record)
    return RunPage(
        record=record,
        state=state,
        failure=_failure(journal, record, state),
        usage=read_usage(journal, record),
        results=journal.count_events(record.id, Kind.RESULT),
        dead=journal.count_events(record.id, Kind.DEAD_LETTER),
        can_resume=state in {State.FAILED, State.CANCELLED, DIED},
    )


def _failure(journal: Journal, record: RunRecord, state: str) -> RunFailure | None:
    if state not in {State.FAILED, DIED}:
        return None
    kinds = [Kind.RUN_STARTED, Kind.NODE_FAILED]
    last = journal.events(record.id, kinds=kinds, limit=1, newest=True)
    node = last[0].node if last and last[0].kind is Kind.NODE_FAILED else ""
    files = log_files(record.folder, node) if node else ()
    message = "its process ended without a word" if state == DIED else record.message
    log = read_tail(files[0], lines=_FAILURE_LINES) if files else LogTail((), is_whole=True)
    return RunFailure(message, node, log)


def read_events(journal: Journal, run: str) -> tuple[Event, ...]:
    """Return the newest events, the latest first; results and counts are not among them."""
    found = journal.events(run, kinds=_TOLD, limit=MAX_EVENTS, newest=True)
    return tuple(reversed(found))


def event_words(event: Event) -> str:
    """Return what an event says beside its kind, in one line."""
    words = _WORDS.get(event.kind)
    if words is not None:
        return " ".join(words(event.detail).split())
    message = event.detail.get("message")
    if isinstance(message, str):
        return " ".join(message.split())
    seconds = event.detail.get("seconds")
    return f"after {seconds:.1f} s" if isinstance(seconds, int | float) else ""


def _end_words(detail: Mapping[str, Any]) -> str:
    return ": ".join(str(detail[key]) for key in ("state", "message") if detail.get(key))


_WORDS: Final[Mapping[Kind, Callable[[Mapping[str, Any]], str]]] = {
    Kind.RUN_STARTED: lambda _: "",
    Kind.NODE_STARTING: lambda d: f"{d.get('component', '')}@{d.get('version', '')}",
    Kind.USAGE: lambda d: f"{d.get('cpu_s', 0)} s of processor time",
    Kind.OPERATION_ENDED: lambda d: f"{d.get('received', 0)} in, {d.get('answered', 0)} out",
    Kind.WEB_PAGE: lambda d: str(d.get("url", "")),
    Kind.RUN_ENDED: _end_words,
    Kind.RUN_CLOSED: _end_words,
}


def document_of(record: RunRecord) -> dict[str, Any]:
    """Return the pipeline of a run for the canvas; an empty one where its file is gone."""
    try:
        value = read_document(record.folder / PIPELINE_FILE).value
    except DocumentError:
        value = {}
    return normal(value if isinstance(value, dict) else {})


def pipeline_text(record: RunRecord) -> str:
    """Return the pipeline file of a run; empty where it cannot be read."""
    try:
        return (record.folder / PIPELINE_FILE).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def node_rows(
    nodes: Mapping[str, Mapping[str, Any]],
    page: RunPage,
    document: Mapping[str, Any],
    settings: OrchestratorSettings,
) -> list[dict[str, str]]:
    """Return a row of texts per node. nodes: as `ShownRun.nodes` gives them."""
    links = [str(link) for link in document.get("links", ())]
    rows = []
    for name, node in nodes.items():
        usage = page.usage.get(name, Usage())
        ours = sum(1 for link in links if link.partition("->")[2].strip().split(".")[0] == name)
        component = document.get("nodes", {}).get(name, {})
        rows.append(
            {
                "Node": name,
                "Component": str(component.get("component", "")),
                "State": str(node["state"]),
                "In": f"{node['received']:,}",
                "Out": f"{node['answered']:,}",
                "Rate": format_rate(float(node["rate"])),
                "Waiting": queue_words(int(node["queued"]), ours * settings.queue_messages),
                "Failed": f"{node['failed']:,}" if node["failed"] else "",
                "Bytes in": format_bytes(usage.bytes_in),
                "Bytes out": format_bytes(usage.bytes_out),
                "CPU": cpu_words(usage.cpu_s, is_running=page.is_running),
            }
        )
    return rows


def queue_words(queued: int, capacity: int) -> str:
    """Return how many messages wait, and how full their links are."""
    if not queued:
        return ""
    return f"{queued:,} ({min(queued / capacity, 1):.0%} full)" if capacity else f"{queued:,}"


def cpu_words(seconds: float | None, *, is_running: bool) -> str:
    """Return processor time in words: it is measured when a component is stopped."""
    if seconds is None:
        return "at the end" if is_running else NOT_MEASURED
    return f"{seconds:.1f} s"
