"""Paths of this machine that parameters name: how they come into containers.

Each is mounted, read-only, at the same path, so that parameters mean the same in a process and in
a container.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

from orchestrator.engine.plan import NodePlan
from orchestrator.errors import NodeError

# A container has these of its own: mounting over them would take its programs away.
_SYSTEM: Final = frozenset(
    {
        "/",
        *("/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib32", "/lib64", "/opt", "/proc"),
        *("/root", "/run", "/sbin", "/shared", "/sys", "/tmp", "/usr", "/var", "/var/run"),  # noqa: S108
        *("/usr/bin", "/usr/lib", "/usr/lib64", "/usr/local", "/usr/sbin", "/usr/share"),
    }
)
_KERNEL: Final = ("/dev/", "/proc/", "/sys/")


class ReadOnlyMount(NamedTuple):
    """A file or folder that a container may read where it lies."""

    path: str


def mounts_of(node: NodePlan, host: str, *, is_local: bool) -> tuple[ReadOnlyMount, ...]:
    """Return what the container of a node has to see for its parameters.

    With a file goes its folder, because a catalogue names what lies beside it. host: the engine's
    URL. Raises NodeError naming the parameter, its value and what to do.
    """
    paths: set[str] = set()
    for name, value in node.local_paths.items():
        said = f"{name}={value}"
        if not is_local:
            raise NodeError(
                node.name,
                f"{said} is a path of this machine, whose folders the Docker engine at {host} "
                "does not see; give a URL",
            )
        path = Path(value)
        if not path.exists():
            raise NodeError(node.name, f"{said} does not exist")
        place = path if path.is_dir() else path.parent
        if str(place) in _SYSTEM:
            place = path
        if str(place) in _SYSTEM or str(place).startswith(_KERNEL):
            raise NodeError(
                node.name,
                f"{said} cannot be mounted into a container, which has {place} of its own; "
                "put the data into a folder below it",
            )
        paths.add(str(place))
    return tuple(ReadOnlyMount(path) for path in sorted(paths) if not _is_within(path, paths))


def _is_within(path: str, paths: set[str]) -> bool:
    return any(str(parent) in paths for parent in Path(path).parents)
