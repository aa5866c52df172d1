"""The stages of a Dockerfile that a target needs.

An engine that is driven through its API runs all stages above the target, needed or not; so those
that are not needed are left out before. BuildKit does the same by itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.errors import ImageError

_FROM = re.compile(r"^FROM\s+(\S+)(?:\s+AS\s+(\S+))?\s*$", re.MULTILINE)
_COPY_FROM = re.compile(r"^COPY\s+--from=(\S+)", re.MULTILINE)
_VARIABLE = re.compile(r"\$\{(\w+)\}")


@dataclass(frozen=True)
class _Stage:
    text: str
    needs: frozenset[str]


def prune(dockerfile: str, target: str, arguments: Mapping[str, str]) -> str:
    """Return the Dockerfile without the stages that `target` does not need.

    arguments: of the build; they count where a stage's base is named by a variable. Raises
    ImageError where there is no such target.
    """
    first = _FROM.search(dockerfile)
    preamble = dockerfile[: first.start() if first else None]
    stages = _stages(dockerfile, preamble, arguments)
    if target not in stages:
        raise ImageError(f"the Dockerfile has no target {target!r}; it has {', '.join(stages)}")
    wanted = {target}
    waiting = [target]
    while waiting:
        new = (stages[waiting.pop()].needs & stages.keys()) - wanted
        wanted |= new
        waiting.extend(new)
    return preamble + "".join(stage.text for name, stage in stages.items() if name in wanted)


def _stages(text: str, preamble: str, arguments: Mapping[str, str]) -> dict[str, _Stage]:
    defaults = dict(re.findall(r"^ARG (\w+)=(\S+)$", preamble, re.MULTILINE))
    values = {**defaults, **arguments}
    found = list(_FROM.finditer(text))
    ends = [match.start() for match in found[1:]] + [len(text)]
    stages = {}
    for number, (match, end) in enumerate(zip(found, ends, strict=True)):
        body = text[match.start() : end]
        base = _VARIABLE.sub(lambda name: values.get(name[1], name[0]), match[1])
        needs = frozenset({base, *_COPY_FROM.findall(body)})
        stages[match[2] or str(number)] = _Stage(body, needs)
    return stages
