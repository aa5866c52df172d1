"""Whether a run goes on after a component has died: how often, and not without any progress."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from typing import Final

from orchestrator.engine.channels import OF_DEATH
from orchestrator.engine.message_log import MessageLog
from orchestrator.engine.plan import Plan
from orchestrator.errors import ComponentDiedError, NodeError, OperationError

# A component that dies within this time without having done anything will do so again.
_AT_ONCE_S: Final = 60.0

# A run without end would at last have had too many deaths, however seldom they are.
_FORGIVEN_S: Final = 3600.0


class Healing:
    """Counts the restarts of one run, by node.

    restarts: how often a node may be started again; in a live run, within an hour. waits: whether
    somebody else starts it, so that the run only waits: then as often as it takes, because machines
    are drained and pods moved for as long as a run lasts. 0 restarts forbid that too. log: without
    one nothing could be gone on with.
    """

    def __init__(
        self, plan: Plan, restarts: int, log: MessageLog | None, *, waits: bool = False
    ) -> None:
        self._idempotent = {(s.node, s.operation) for s in plan.steps if s.idempotent}
        self._restarts = restarts if log is not None else 0
        self._waits = waits
        self._log = log
        self._forgiven_s = _FORGIVEN_S if plan.live else math.inf
        # When a node was started again, by the monotonic clock.
        self._done: defaultdict[str, list[float]] = defaultdict(list)
        # When a node was last started again, and how much it had done by then.
        self._since: dict[str, tuple[float, int]] = {}

    @property
    def is_possible(self) -> bool:
        """Whether any death may be healed at all."""
        return self._restarts > 0

    def admit(self, error: NodeError, *, answered: int) -> str:
        """Return what to tell of a death after which the node is to be started again.

        answered: what the node has answered lately, be it nothing new. Raises the error itself
        where it is no death, or where a restart would not help or is not allowed.
        """
        node = error.node
        if not self._is_death(error) or not self._restarts or self._log is None:
            raise error
        done = self._restarts_that_count(node)
        if done and not answered and self._died_at_once(node):
            raise ComponentDiedError(
                node,
                f"{error.reason}; it had been started again before and has done nothing since then",
            ) from error
        if done >= self._restarts and not self._waits:
            when = "before" if math.isinf(self._forgiven_s) else "within an hour"
            raise ComponentDiedError(
                node,
                f"{error.reason}; it had been started again {done} times {when} (EOLOOM_RESTARTS)",
            ) from error
        self._done[node].append(time.monotonic())
        if self._waits:
            return f"{error.reason}; waiting until it serves again"
        return f"{error.reason}; started again ({done + 1} of {self._restarts})"

    def restarted(self, node: str) -> None:
        """Take note that a node serves again."""
        if self._log is not None:
            self._since[node] = (time.monotonic(), self._log.kept(node))

    def _restarts_that_count(self, node: str) -> int:
        since = time.monotonic() - self._forgiven_s
        self._done[node] = [at for at in self._done[node] if at > since]
        return len(self._done[node])

    def _died_at_once(self, node: str) -> bool:
        assert self._log is not None  # noqa: S101 - without one nothing is started again
        at, kept = self._since[node]
        return time.monotonic() - at < _AT_ONCE_S and kept == self._log.kept(node)

    def _is_death(self, error: NodeError) -> bool:
        if isinstance(error, OperationError):
            # Of a component elsewhere often nothing more is known than that it does not answer.
            gone = error.code in OF_DEATH
            return gone and (error.node, error.operation) in self._idempotent
        return isinstance(error, ComponentDiedError)
