"""Waiting until a name stands for all replicas of a component.

A gRPC channel looks a name up when it connects, and not again while its connections hold. What is
not ready by then gets no calls for as long as the others live: so the first look waits for all.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping
from typing import Final

logger = logging.getLogger(__name__)

_INTERVAL_S: Final = 1.0
_DNS_TARGET: Final = re.compile(r"dns:///(?P<host>[^/:\[\]]+):(?P<port>\d{1,5})")


async def wait_for_replicas(
    targets: Mapping[str, str], replicas: Mapping[str, int], timeout_s: float
) -> None:
    """Return when the name in each node's target has as many addresses as the node has replicas.

    Targets that are no names, and nodes with one replica, are not waited for. After `timeout_s`
    seconds it is said which nodes have fewer, and no longer waited.
    """
    waits = [
        _wait(node, match["host"], int(match["port"]), replicas[node], timeout_s)
        for node, target in targets.items()
        if replicas.get(node, 1) > 1 and (match := _DNS_TARGET.fullmatch(target))
    ]
    await asyncio.gather(*waits)


async def _wait(node: str, host: str, port: int, wanted: int, timeout_s: float) -> None:
    loop = asyncio.get_running_loop()
    end, found = loop.time() + timeout_s, 0
    while loop.time() < end:
        found = await _count(host, port)
        if found >= wanted:
            return
        await asyncio.sleep(_INTERVAL_S)
    logger.warning("node %s: %d of %d replicas are ready; going on with them", node, found, wanted)


async def _count(host: str, port: int) -> int:
    """Return how many addresses a name has; 0 where there is no such name yet."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port)
    except OSError:
        return 0
    return len({address[0] for *_, address in found})
