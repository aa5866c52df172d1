"""Ports for servers of tests, also where several processes run tests at once."""

from __future__ import annotations

import itertools
import os
import re
import socket

# Below the ports that the system gives to connections, and a range for each process: gRPC would
# share a port with the server of another test, and their calls would go astray.
_FIRST, _EACH, _PROCESSES = 20_000, 1_500, 8
_worker = re.sub(r"\D", "", os.environ.get("PYTEST_XDIST_WORKER", ""))
_numbers = itertools.cycle(range(_EACH))


def free_port() -> int:
    """Return a port on which nobody listens, and that is not returned again for long."""
    first = _FIRST + _EACH * (int(_worker or "0") % _PROCESSES)
    for number in itertools.islice(_numbers, _EACH):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", first + number))
            except OSError:
                continue
            return first + number
    raise AssertionError("no port is free")
