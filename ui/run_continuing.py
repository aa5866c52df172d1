"""A run that goes on again from the page: `eoloom resume`, and dead letters tried again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ui.launching import launch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.journal import Journal
    from orchestrator.settings import OrchestratorSettings
    from ui.launching import Launch


@dataclass
class Continuing:
    """A process that goes on with a run; until it has begun, the journal tells of its old end."""

    run: str
    launch: Launch

    @classmethod
    def begin(
        cls,
        run: str,
        settings: OrchestratorSettings,
        user: str = "",
        environment: Mapping[str, str] | None = None,
        *,
        redrive: bool = False,
    ) -> Continuing:
        """Start the process; user and environment: as for `launch`.

        redrive: with the dead letters. Raises OSError.
        """
        arguments = ["dead-letters", run, "--redrive"] if redrive else ["resume", run]
        return cls(run, launch(arguments, settings, user, environment))

    def has_begun(self, journal: Journal) -> bool:
        """Whether the journal knows that this process has the run."""
        if not self.launch.run and journal.run(self.run).process == self.launch.process.pid:
            self.launch.run = self.run
        return bool(self.launch.run)

    @property
    def failure(self) -> str | None:
        """What the process has said where it has ended before it went on; else None."""
        return self.launch.failure
