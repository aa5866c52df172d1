"""What the engine has to know of a composed pipeline, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any, NamedTuple


class OnError(StrEnum):
    """What a failed message does: end the run, or become a dead letter."""

    FAIL = "fail"
    SKIP = "skip"


@dataclass(frozen=True)
class Step:
    """One operation of one node in use.

    service: full name for the gRPC path. source, sink: the input, the output message has no
    fields. input_message, output_message: full names of what it takes and emits. timeout_s: of a
    call, or None for the setting. concurrency: unary calls at once. ordered: whether answers keep
    the order of requests. deterministic: whether equal requests have equal answers.
    iterations: how often a source is called at most; without it one of a stream is called once,
    except in live runs. ends_when_empty: whether an answer without content ends a unary source.
    literals: part of every request, the values that the pipeline gives to fields; all of it for a
    source.
    """

    node: str
    operation: str
    service: str
    client_streaming: bool = False
    server_streaming: bool = False
    source: bool = False
    sink: bool = False
    input_message: str = ""
    output_message: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    timeout_s: float | None = None
    concurrency: int = 1
    ordered: bool = True
    idempotent: bool = False
    deterministic: bool = False
    on_error: OnError = OnError.FAIL
    iterations: int | None = None
    ends_when_empty: bool = False
    literals: bytes = b""

    @property
    def key(self) -> str:
        """`node.operation`, unique in a pipeline."""
        return f"{self.node}.{self.operation}"

    @property
    def path(self) -> str:
        """The gRPC path of the method."""
        return f"/{self.service}/{self.operation}"

    @property
    def params_json(self) -> str:
        """The parameters as ASCII JSON: what the metadata key `eoloom-params` carries."""
        return json.dumps(self.params, sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True)
class NodePlan:
    """One component to start: its command or image, where to run it, and what it is.

    image: the reference that containers are made of, with registry and tag or digest. replicas:
    how many processes or containers of it share the calls. cpu: cores; memory_bytes, gpus: of one
    replica. shared_folder: where the container expects the shared folder, if not where
    SHARED_FOLDER_PATH says. local_paths: those parameters that are paths of this machine, by their
    names.
    """

    name: str
    component: str
    version: str
    command: tuple[str, ...]
    folder: str = ""
    title: str = ""
    licence: str = ""
    image: str = ""
    replicas: int = 1
    cpu: float = 1.0
    memory_bytes: int = 1024**3
    gpus: int = 0
    shared_folder: str = ""
    local_paths: Mapping[str, str] = field(default_factory=dict)


class PlanLink(NamedTuple):
    """A link between two steps, by their keys.

    parts: for a link of fields, what one message that was sent gives to requests. group: links
    into a whole message, or into one and the same single field, share a group and take turns; a
    request is put together from one part of each group.
    """

    source: str
    target: str
    parts: Callable[[bytes], list[bytes]] | None = None
    group: str = ""


@dataclass(frozen=True)
class Plan:
    """A whole pipeline: nodes to start, steps to work, links by step keys."""

    name: str
    digest: str
    nodes: tuple[NodePlan, ...]
    steps: tuple[Step, ...]
    links: tuple[PlanLink, ...]
    live: bool = False
    """Whether sources are called again for ever, until the run is stopped (AI4EU's way)."""

    def is_terminal(self, step: Step) -> bool:
        """Whether nobody takes what the step emits: it is a result of the pipeline."""
        return not step.sink and step.key not in self._senders

    @cached_property
    def _senders(self) -> frozenset[str]:
        return frozenset(link.source for link in self.links)
