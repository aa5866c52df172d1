"""Which process runs a run, so that another process can tell whether it still does.

A number alone does not say it: systems give numbers again, and in containers every orchestrator
has the same one. The time at which the process began, and the host, tell them apart.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import psutil

_CLOCK_S: Final = 2.0
"""How far the beginning of a process, as the system computes it, may be off."""


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """A process on any host. host: empty where it is not known, as in older journals."""

    number: int
    host: str = ""
    started: datetime | None = None

    @classmethod
    def current(cls) -> ProcessIdentity:
        """Return that of this process."""
        started = psutil.Process().create_time()
        return cls(os.getpid(), socket.gethostname(), datetime.fromtimestamp(started, UTC))

    @property
    def is_elsewhere(self) -> bool:
        """Whether it is on another host, so that nothing can be seen of it from here."""
        return self.host not in {"", socket.gethostname()}

    @property
    def is_this(self) -> bool:
        """Whether it is this very process."""
        return not self.is_elsewhere and self.number == os.getpid() and self.exists()

    def exists(self, before: datetime | None = None) -> bool:
        """Return whether it is a process of this host that has not ended.

        before: when it had certainly begun, for a process whose beginning is not known.
        """
        try:
            process = psutil.Process(self.number)
            began = process.create_time()
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
        except psutil.NoSuchProcess:
            return False
        except psutil.AccessDenied:
            return True
        if self.started is not None:
            return abs(began - self.started.timestamp()) <= _CLOCK_S
        return before is None or began <= before.timestamp() + _CLOCK_S
