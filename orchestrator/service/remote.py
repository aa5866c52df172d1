"""A run of components that serve elsewhere and are not ours to start: what AI4EU's service runs.

It is entered into the journal like any other, but keeps no messages and no results: without end,
it would fill the disk, and whoever wants results links a component that keeps them.
"""

from __future__ import annotations

import contextlib
import secrets
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from orchestrator.backends.addresses import RemoteBackend
from orchestrator.engine.plan import Plan
from orchestrator.engine.run import Outcome, Run
from orchestrator.events import Event, Kind, Observer
from orchestrator.freed_memory import freed_memory_returned
from orchestrator.heartbeat import beating
from orchestrator.journal import Journal, RunRecord
from orchestrator.observing import Observers
from orchestrator.settings import OrchestratorSettings
from orchestrator.telemetry.telemetry import watching

KEPT_FAILURES: Final = 1000
"""How many events of a kind that may come with every message the journal keeps of a run."""

_PER_MESSAGE: Final = frozenset({Kind.DEAD_LETTER, Kind.RETRY, Kind.NOTICE})


async def run_remote(
    plan: Plan, addresses: Mapping[str, str], settings: OrchestratorSettings, observer: Observer
) -> Outcome:
    """Run a plan whose components are at `addresses`, by node, to its end or until cancelled.

    A failed or cancelled run is reported, not raised. Raises SettingsError where the journal
    cannot be used.
    """
    time = datetime.now(UTC)
    run = f"{plan.name}-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(4)}"
    folder = settings.runs_folder.resolve() / run
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(freed_memory_returned())
        telemetry = await stack.enter_async_context(watching(plan, settings))
        journal = stack.enter_context(
            contextlib.closing(Journal(settings.database_url, settings.runs_folder))
        )
        journal.open_run(RunRecord.begun(run, plan.name, plan.digest, folder))
        observe = Observers((_Bounded(journal), observer, *telemetry.observers))
        async with beating(journal, run):
            outcome = await Run(
                run,
                plan,
                RemoteBackend(addresses, plaintext=settings.component_plaintext),
                record=lambda _step, _message: None,
                observer=observe,
                settings=settings,
                instruments=telemetry.instruments,
            ).execute()
        detail = {"state": outcome.state, "message": outcome.message}
        observe(Event(run, Kind.RUN_CLOSED, detail=detail))
    return outcome


class _Bounded:
    """The journal of a run that may last for ever: of what comes with messages it keeps some."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._seen: Counter[Kind] = Counter()

    def __call__(self, event: Event) -> None:
        if event.kind in _PER_MESSAGE:
            self._seen[event.kind] += 1
            if self._seen[event.kind] > KEPT_FAILURES:
                return
        self._journal.observe(event)
