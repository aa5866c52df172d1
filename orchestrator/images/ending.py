"""Ending a build that is interrupted, so that nothing of it goes on or stays on the engine."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

_MADE: Final = re.compile(r" ---> Running in ([0-9a-f]{12})")
_REMOVED: Final = re.compile(r"Removing intermediate container ([0-9a-f]{12})")

# The engine removes what it has made, but first ends what cannot be interrupted: the writing of a
# large layer.
_PATIENCE_S: Final = 60.0
_PAUSE_S: Final = 0.2


class BuildContainers:
    """The containers that a build has at the moment, as the engine tells of them."""

    def __init__(self) -> None:
        self.ids: set[str] = set()

    def noted(self, lines: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
        """Yield the lines of the engine's answer, and note what they tell."""
        for line in lines:
            text = str(line.get("stream") or "")
            self.ids.update(_MADE.findall(text))
            self.ids.difference_update(_REMOVED.findall(text))
            yield line


@contextlib.contextmanager
def ended_with_us(client: DockerClient) -> Iterator[BuildContainers]:
    """End the build that is asked for in this block, where the block is left by an exception.

    Its containers are gone then. A further Ctrl-C leaves that to the engine.
    """
    answers: list[Any] = []

    def keep(answer: Any, *_: Any, **__: Any) -> None:
        answers.append(answer)

    hooks = client.api.hooks["response"]
    hooks.append(keep)
    containers = BuildContainers()
    try:
        yield containers
    except BaseException:
        # The engine goes on as long as somebody listens, and our traceback keeps the answer.
        for answer in answers:
            answer.close()
        if containers.ids:
            _wait_until_gone(client, containers.ids)
        raise
    finally:
        hooks.remove(keep)


def _wait_until_gone(client: DockerClient, ids: Iterable[str]) -> None:
    """Wait until the engine has removed containers; remove those that it keeps."""
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    def there() -> list[Container]:
        return client.containers.list(all=True, filters={"id": list(ids)}, ignore_removed=True)

    end = time.monotonic() + _PATIENCE_S
    # What ended the build is what is told, not an engine that has gone.
    with contextlib.suppress(DockerException, RequestException, OSError):
        while there() and time.monotonic() < end:
            time.sleep(_PAUSE_S)
        for container in there():
            container.remove(force=True, v=True)
