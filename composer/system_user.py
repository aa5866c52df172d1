"""Who this process belongs to."""

from __future__ import annotations

import getpass
import os


def system_user() -> str:
    """Return the name of the user of the system, or the number where it has none.

    In a container the user may be a mere number without an entry (`docker run --user 12345`,
    OpenShift).
    """
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # Python 3.13 raises OSError
        return str(os.getuid())
