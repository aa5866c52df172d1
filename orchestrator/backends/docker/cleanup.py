"""Removing what runs have left on an engine: containers, networks, volumes, found by labels."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

from orchestrator.backends.docker import labels
from orchestrator.backends.docker.volume import bring_back

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

_WORKERS: Final = 8

# A container of a create call that was under way when the orchestrator died appears late.
_QUIET_ROUNDS: Final = 3
_ROUND_S: Final = 1.0


def remove_run(client: DockerClient, run: str, grace_s: float = 0.0) -> int:
    """Stop and remove everything of a run; return how many containers that were.

    grace_s: what containers get to end by themselves. What lies in a volume is brought into the
    run's folder first. What is gone already counts as removed.
    """
    from docker.errors import NotFound

    found = _containers(client, run)
    if grace_s > 0:
        _each(found, lambda container: container.stop(timeout=max(1, round(grace_s))))
    volumes = client.volumes.list(filters=labels.matching(run))
    if volumes:
        _each(found, lambda container: container.kill())
        for volume in volumes:
            bring_back(client, volume)
    _each(found, lambda container: container.remove(force=True, v=True))
    for network in client.networks.list(filters=labels.matching(run)):
        with contextlib.suppress(NotFound):
            network.remove()
    for volume in volumes:
        with contextlib.suppress(NotFound):
            volume.remove(force=True)
    return len(found)


def kill_run(client: DockerClient, run: str) -> None:
    """End the containers of a run at once; they stay until they are removed."""
    _each(_containers(client, run), lambda container: container.kill())


def remove_until_quiet(client: DockerClient, run: str) -> None:
    """Remove everything of a run whose orchestrator has died, and what still appears of it."""
    from docker.errors import APIError

    quiet = 0
    while quiet < _QUIET_ROUNDS:
        try:
            quiet = 0 if remove_run(client, run) else quiet + 1
        except APIError:  # a container that is just being made cannot be removed yet
            quiet = 0
        time.sleep(_ROUND_S)


def left_runs(client: DockerClient, owner: str) -> dict[str, int]:
    """Return the runs of which something is left on the engine, each with its process's id.

    owner: whose; see `labels.owner`.
    """
    filters: dict[str, Any] = {"label": [labels.RUN, f"{labels.OWNER}={owner}"]}
    found: list[Any] = [
        *client.containers.list(all=True, filters=filters, ignore_removed=True),
        *client.networks.list(filters=filters),
        *client.volumes.list(filters=filters),
    ]
    runs = {}
    for thing in found:
        marks = _labels_of(thing)
        process = marks.get(labels.PROCESS, "")
        runs[marks[labels.RUN]] = int(process) if process.isdigit() else 0
    return runs


def _containers(client: DockerClient, run: str) -> list[Container]:
    return client.containers.list(all=True, filters=labels.matching(run), ignore_removed=True)


def _labels_of(thing: Any) -> dict[str, str]:
    """Return the labels of a container, a network or a volume."""
    return dict(thing.attrs.get("Labels") or thing.attrs.get("Config", {}).get("Labels") or {})


def _each(containers: Iterable[Any], action: Any) -> None:
    """Do something with each container at once; those that are gone or have ended are passed."""
    from docker.errors import APIError, NotFound

    def act(container: Any) -> None:
        try:
            action(container)
        except NotFound:
            return
        except APIError as error:
            # 409: it is not running, or somebody else is removing it
            if error.status_code != 409:
                raise

    with ThreadPoolExecutor(_WORKERS) as pool:
        list(pool.map(act, containers))
