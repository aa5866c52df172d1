"""Lineage: which messages, of which operations, a result was made from.

Read from the run's log and journal, so that it is known of every run, also of one that failed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import networkx as nx

from orchestrator.engine.message_log import MESSAGES_FILE, MessageLog
from orchestrator.errors import PermanentError
from orchestrator.planning import make_plan
from orchestrator.result_files import read_results

if TYPE_CHECKING:
    from collections.abc import Iterator

    from composer.graph import Graph
    from orchestrator.journal import RunRecord
    from orchestrator.result_files import Result

_PREVIEW_TYPES: Final = frozenset({"image/png", "image/jpeg"})


@dataclass(frozen=True)
class Ancestor:
    """A message and what it was made from.

    item: its id where it is an item; time: when its data were taken; preview: path of a small
    picture of it, if it has one. component: with its version. is_repeated: it stands in the lineage
    already, and its parents are given there.
    """

    message: str
    item: str
    component: str
    parents: tuple[Ancestor, ...] = ()
    is_repeated: bool = False
    time: str = ""
    preview: str = ""


def read_lineage(record: RunRecord, graph: Graph, name: str) -> Ancestor:
    """Return where an item, or a message by its id, came from.

    Of several items of that id, as nodes in a row often keep it, the last in the pipeline counts.
    Raises PermanentError where the run has neither.
    """
    made = message_graph(record, graph)
    results = {_message_of(result): result for result in read_results(record.folder)}
    messages = [message for message in made if message == name]
    messages += [m for m in made if m in results and results[m].item == name]
    if any(result.item == name and message not in made for message, result in results.items()):
        raise PermanentError(
            f"the messages from which {name} came are no longer in "
            f"{record.folder / MESSAGES_FILE}: it was changed or cut off"
        )
    if not messages:
        kept = {result.item for result in results.values() if result.item}
        items = ", ".join(sorted(kept)[:10])
        raise PermanentError(f"run {record.id} has no item {name!r} (it has {items or 'none'})")
    return _Lineage(made, results, graph).ancestor(messages[-1])


def message_graph(record: RunRecord, graph: Graph) -> nx.DiGraph[str]:
    """Return all messages of a run, in the order of the pipeline, with edges from their parents.

    Raises SettingsError where the log cannot be read.
    """
    plan = make_plan(graph)
    made: nx.DiGraph[str] = nx.DiGraph()
    with MessageLog(record.folder / MESSAGES_FILE, plan, read_only=True) as log:
        for step in plan.steps:
            for output in log.histories[step.key].outputs.values():
                message = f"{step.key}#{output.number}"
                made.add_node(message)
                for parent in output.parents:
                    made.add_edges_from((origin, message) for origin in _expand(parent))
    return made


def _expand(parent: str) -> Iterator[str]:
    """Yield the messages of a range: `a.op#1-3` is three, a part `a.op#2/0` belongs to one."""
    sender, _, numbers = parent.rpartition("#")
    first, _, last = numbers.partition("/")[0].partition("-")
    for number in range(int(first), int(last or first) + 1):
        yield f"{sender}#{number}"


def _message_of(result: Result) -> str:
    return str(result.properties.get("eoloom:message", ""))


class _Lineage:
    """Follows messages back, each of them once: streams share most of what they are made from."""

    def __init__(self, made: nx.DiGraph[str], results: dict[str, Result], graph: Graph) -> None:
        self._made = made
        self._results = results
        self._graph = graph
        self._seen: set[str] = set()

    def ancestor(self, message: str) -> Ancestor:
        result = self._results.get(message)
        is_repeated = message in self._seen
        self._seen.add(message)
        parents = () if is_repeated else self._made.predecessors(message)
        return Ancestor(
            message=message,
            item=result.item if result else "",
            component=self._graph.nodes[message.partition(".")[0]].component.reference,
            parents=tuple(self.ancestor(parent) for parent in parents),
            is_repeated=is_repeated and self._made.in_degree(message) > 0,
            time=_time_of(result) if result else "",
            preview=_preview_of(result) if result else "",
        )


def _time_of(result: Result) -> str:
    """Return the day of an item, or its first and last."""
    names = ("start_datetime", "end_datetime")
    days = [str(result.properties[name])[:10] for name in names if result.properties.get(name)]
    days = days or [str(result.properties.get("datetime") or "")[:10]]
    return " to ".join(dict.fromkeys(days))


def _preview_of(result: Result) -> str:
    """Return the path of an item's overview or thumbnail, where that is a file of this machine."""
    found = {
        role: asset.path
        for asset in result.assets
        for role in asset.roles
        if asset.media_type in _PREVIEW_TYPES and not urlsplit(asset.path).scheme
    }
    return found.get("overview") or found.get("thumbnail", "")
