"""Removing what runs have left on an engine: containers, networks, volumes, found by labels."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from orchestrator.backends.docker import labels
from orchestrator.backends.docker.engine import connect, in_words
from orchestrator.backends.docker.volume import bring_back
from orchestrator.errors import SettingsError

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

_WORKERS: Final = 8

# A container of a create call that was under way when the orchestrator died appears late.
_QUIET_ROUNDS: Final = 3
_ROUND_S: Final = 1.0


def remove_run(client: DockerClient, run: str, grace_s: float = 0.0, process: int = 0) -> int:
    """Stop and remove everything of a run; return how many containers that were.

    grace_s: what containers get to end by themselves. process: only what this orchestrator has
    made. What lies in a volume is brought into the run's folder first. What is gone already counts
    as removed.
    """
    from docker.errors import NotFound

    wanted = labels.matching(run, process)
    found = _containers(client, wanted)
    if grace_s > 0:
        _each(found, lambda container: container.stop(timeout=max(1, round(grace_s))))
    volumes = client.volumes.list(filters=wanted)
    if volumes:
        _each(found, lambda container: container.kill())
        for volume in volumes:
            bring_back(client, volume)
    _each(found, lambda container: container.remove(force=True, v=True))
    for network in client.networks.list(filters=wanted):
        with contextlib.suppress(NotFound):
            network.remove()
    for volume in volumes:
        with contextlib.suppress(NotFound):
            volume.remove(force=True)
    return len(found)


def kill_run(client: DockerClient, run: str) -> None:
    """End the containers of a run at once; they stay until they are removed."""
    _each(_containers(client, labels.matching(run)), lambda container: container.kill())


def remove_until_quiet(run: str, process: int, patience_s: float) -> None:
    """Remove what an orchestrator that has died has made for a run, and what still appears of it.

    What the orchestrator makes that goes on with the run is left alone. Raises SettingsError where
    something is left after `patience_s`; it says what, why, and how to remove it.
    """
    end = time.monotonic() + patience_s
    quiet = 0
    while True:
        try:
            # Anew each time: an engine that was restarted closes its connections.
            with closing(connect(publish="unused")) as engine, in_words("remove it"):
                found = remove_run(engine.client, run, process=process)
            quiet = 0 if found else quiet + 1
            why = "it is still being made"
        except SettingsError as error:  # a container just being made cannot be removed yet either
            quiet, why = 0, str(error)
        if quiet == _QUIET_ROUNDS:
            return
        if time.monotonic() > end:
            raise SettingsError(_what_is_left(run, process, why))
        time.sleep(_ROUND_S)


def _what_is_left(run: str, process: int, why: str) -> str:
    """Return in words what is left of a run, and how to remove it."""
    wanted = labels.matching(run, process)
    found: dict[str, list[str]] = {}
    with (
        contextlib.suppress(SettingsError),
        closing(connect(publish="unused")) as engine,
        in_words("look"),
    ):
        found["container"] = [str(c.name) for c in _containers(engine.client, wanted)]
        found["network"] = [str(n.id)[:12] for n in engine.client.networks.list(filters=wanted)]
        found["volume"] = [str(v.name) for v in engine.client.volumes.list(filters=wanted)]
    names = [f"{kind} {name}" for kind, names in found.items() for name in names]
    left = ", ".join(names) or "perhaps containers, a network, a volume"
    forced = {"container": "rm --force --volumes", "network": "rm", "volume": "rm"}
    by_hand = "; ".join(
        f"docker {kind} {forced[kind]} {' '.join(names)}" for kind, names in found.items() if names
    )
    return (
        f"run {run} has left on the Docker engine: {left} ({why}). `eoloom stop {run}` removes it "
        f"as soon as the engine lets it" + (f"; by hand: {by_hand}" if by_hand else "")
    )


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


def _containers(client: DockerClient, wanted: dict[str, Any]) -> list[Container]:
    return client.containers.list(all=True, filters=wanted, ignore_removed=True)


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
