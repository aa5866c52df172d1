"""Telling observers what happens, so that one that fails harms neither the run nor the others."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from orchestrator.errors import OrchestratorError
from orchestrator.events import Event, Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.events import Observer

logger = logging.getLogger(__name__)


class Observers:
    """Several observers as one. Each hears of everything, also after it has failed.

    That one fails is logged once, with its traceback. Only that the end of a run could not be
    entered into the journal is raised, after everybody has been told of it.
    """

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = tuple(observers)
        self._failed: set[int] = set()

    def __call__(self, event: Event) -> None:
        """Tell all of them. Raises OrchestratorError, only for the end of a run."""
        lost: OrchestratorError | None = None
        for number, observer in enumerate(self._observers):
            try:
                observer(event)
            except Exception as error:
                if number not in self._failed:
                    self._failed.add(number)
                    logger.exception(
                        "run %s: an observer failed at %s; the run goes on, and further failures "
                        "of this observer are not logged",
                        event.run,
                        event.kind,
                    )
                if event.kind is Kind.RUN_CLOSED and isinstance(error, OrchestratorError):
                    lost = error
        if lost is not None:
            raise lost
