"""Packages that not every user needs: how to install them."""

from __future__ import annotations

import shlex
import sys


def install_command(extra: str) -> str:
    """Return the command that installs an extra of EO Loom where this process runs.

    A bare `pip` may be that of another Python: a virtual environment need not be activated.
    """
    return f"{shlex.quote(sys.executable)} -m pip install 'eoloom[{extra}]'"
