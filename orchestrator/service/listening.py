"""Whether an address can be listened on, found out before gRPC is asked.

Where it cannot, gRPC writes lines of its own to stderr and does not say why.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from pathlib import Path
from typing import Final

_UNIX: Final = "unix:"
_WORDS: Final = {
    errno.EADDRINUSE: "another program listens there",
    errno.EADDRNOTAVAIL: "this machine has no such address",
    errno.EACCES: "this user may not",
}


def check_free(address: str) -> None:
    """Raise OSError where nobody could listen on `host:port` or `unix:path` now."""
    if address.startswith(_UNIX):
        path = Path(address.removeprefix(_UNIX))
        if not path.absolute().parent.is_dir():
            raise FileNotFoundError(errno.ENOENT, "there is no such folder", str(path.parent))
        return
    host, _, port = address.rpartition(":")
    places = socket.getaddrinfo(
        host.strip("[]"), int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    fault: OSError | None = None
    # gRPC listens where it can, and is content with one address of a host.
    for family, kind, protocol, _, place in places:
        with contextlib.ExitStack() as opened:
            try:
                probe = opened.enter_context(socket.socket(family, kind, protocol))
                # As gRPC does: connections that have just ended are no hindrance.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(place)
            except OSError as error:
                fault = error
            else:
                return
    if fault is not None:
        raise fault


def reason_of(error: OSError | RuntimeError) -> str:
    """Return in words why an address cannot be listened on."""
    if isinstance(error, RuntimeError):  # of gRPC, which says no more than that it cannot
        return "another program listens there, or this machine has no such address"
    if error.filename is not None:  # of a certificate, or the folder of a socket
        return f"{error.filename}: {error.strerror}"
    known = _WORDS.get(error.errno or 0)
    return known or error.strerror or os.strerror(error.errno or 0)
