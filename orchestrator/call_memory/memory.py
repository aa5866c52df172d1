"""The memory of the calls of one run.

Here is which operations are remembered, and what is called; `call` has what one call knows.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import networkx as nx

from orchestrator.call_memory.call import RunCall
from orchestrator.call_memory.digests import FileDigests
from orchestrator.call_memory.errors import IndexUnusableError, NotRememberableError
from orchestrator.call_memory.identity import identity
from orchestrator.call_memory.index import CallIndex
from orchestrator.call_memory.references import (
    ITEM,
    SharedFolder,
    params_content,
)
from orchestrator.engine.call_memory import OpenCall

if TYPE_CHECKING:
    from composer.component import Component
    from composer.contract import Message
    from orchestrator.engine.plan import NodePlan, Plan, Step
    from orchestrator.settings import OrchestratorSettings

T = TypeVar("T")

# The field by which a message refers to a file, in STAC and so in an Item.
_HREF: Final = "href"

Warn = Callable[[str], None]
Place = Callable[[str], str | None]


@contextlib.contextmanager
def run_calls(
    settings: OrchestratorSettings,
    plan: Plan,
    *,
    components: Mapping[str, Component],
    place: Place,
    shared: Path,
    warn: Warn,
) -> Iterator[RunCalls | None]:
    """Give the memory of calls for one run, or None where there is to be none.

    See `RunCalls`; what has not been used for longest is forgotten at the end.
    """
    if not settings.cache or plan.live:
        yield None
        return
    try:
        index = CallIndex(settings.database_url, settings.runs_folder)
    except IndexUnusableError as error:
        warn(str(error))
        yield None
        return
    try:
        calls = RunCalls(index, plan, components=components, place=place, shared=shared, warn=warn)
        yield calls
        calls.attempt(lambda: index.shrink(settings.cache_bytes))
        calls.tell()
    finally:
        index.close()


class RunCalls:
    """The memory of one run's calls; it works in threads, so that the run is not held up.

    components: by node. place: where a node runs, and of which image, which may differ from the
    source; None where it does not see the run's folder. It is asked after the node has started.
    shared: the run's shared folder. warn: told once if the index cannot be used; then nothing is
    remembered any more, and the run goes on.
    """

    def __init__(
        self,
        index: CallIndex,
        plan: Plan,
        *,
        components: Mapping[str, Component],
        place: Place,
        shared: Path,
        warn: Warn,
    ) -> None:
        self.index = index
        self.digests = FileDigests(index)
        self.shared = SharedFolder(shared)
        self._plan = plan
        self._components = components
        self._place = place
        self._warn = warn
        self._usable = True
        self._fault = ""
        self._fault_lock = threading.Lock()
        self._starts: dict[str, str] = {}

    def of(self, step: Step) -> OpenCall | None:
        """Return what opens a call of an operation, or None where its calls must be made.

        That is so where equal input may give other output, in a live run, for what is called for
        its effects (sinks) or until it has no more (unary sources), and within cycles, where a
        stream that waits would be taken for one that is done.
        """
        if not step.deterministic or step.sink or self._plan.live or self._is_in_cycle(step):
            return None
        if step.source and not (step.client_streaming or step.server_streaming):
            return None
        if not self._is_told_by_messages(step):
            return None
        return lambda: RunCall(self, step)

    def start_of(self, step: Step) -> str:
        """Return the digest of what is called, before any request.

        Raises NotRememberableError where that cannot be told.
        """
        if step.key not in self._starts:
            node, place = self._node(step), self._place(step.node)
            if place is None:
                raise NotRememberableError(f"{step.node} does not see the run's folder")
            called = [
                place,
                identity(node, self._components[node.name], self.digests),
                step.path,
                params_content(step.params, self.digests),
                step.input_message,
                step.output_message,
            ]
            digest = hashlib.sha256(json.dumps(called).encode()).hexdigest()
            self._starts[step.key] = digest
        return self._starts[step.key]

    def attempt(self, action: Callable[[], T]) -> T | None:
        """Return the result of an action, or None once the index cannot be used.

        May be called in a thread; `tell` says why afterwards.
        """
        if not self._usable:
            return None
        try:
            return action()
        except IndexUnusableError as error:
            with self._fault_lock:  # several threads may find out at once
                if self._usable:
                    self._usable, self._fault = False, str(error)
            return None

    def tell(self) -> None:
        """Warn once if the index cannot be used; observers know one thread only."""
        if self._fault:
            fault, self._fault = self._fault, ""
            self._warn(fault)

    def _is_told_by_messages(self, step: Step) -> bool:
        """Whether messages tell of all files that an operation reads or writes.

        Items do. Of other messages it is believed, unless they hold Items or what looks like them,
        or the component exchanges files in a folder of its own.
        """
        messages = self._components[step.node].contract.messages
        for name in (step.input_message, step.output_message):
            if name == ITEM:
                continue
            if self._node(step).shared_folder:
                return False
            if any(message.field(_HREF) for message in _reached(messages, name)):
                return False
        return True

    def _node(self, step: Step) -> NodePlan:
        return next(node for node in self._plan.nodes if node.name == step.node)

    def _is_in_cycle(self, step: Step) -> bool:
        graph = nx.DiGraph([(link.source, link.target) for link in self._plan.links])
        return step.key in graph and any(
            step.key in group and (len(group) > 1 or graph.has_edge(step.key, step.key))
            for group in nx.strongly_connected_components(graph)
        )


def _reached(messages: Mapping[str, Message], name: str) -> Iterator[Message]:
    """Yield a message type and all that it consists of."""
    waiting, seen = [name], {name}
    while waiting:
        message = messages[waiting.pop()]
        yield message
        below = {field.message for field in message.fields if field.message} - seen
        seen |= below
        waiting += sorted(below)
