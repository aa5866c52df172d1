"""What may be asked for when a pipeline is rendered."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

RUN_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}")
"""Ids of runs, which are names of folders too."""


class Orchestrator(StrEnum):
    """Who moves the messages of a deployed pipeline."""

    JOB = "job"
    """A Job that runs it once."""
    SERVICE = "service"
    """The standing orchestrator of the platform, or any other pod with its labels."""


@dataclass(frozen=True)
class RenderOptions:
    """How one pipeline is deployed. All of it has a default.

    name: of the deployed pipeline, unique in its namespace; the pipeline's by default. namespace:
    empty to leave it to whoever applies the objects; addresses are then without it.
    claim_namespace: where the claim will be then, which a volume has to know. run: id of the run;
    by default it follows from all that is run, so that nothing is run again when nothing has
    changed. user: who deploys. orchestrator_namespace: where the standing orchestrator is, by
    default where `k8s/base` puts it. orchestrator_image: by default that of this version in the
    profile's registry. images: references to use instead of others, such as digests instead of
    tags. replicas: instead of the pipeline file's, by node. max_replicas: with it, an autoscaler
    goes up to so many. web_ui: nodes whose port 8062 is published in the cluster; None for those
    that are third-party images. without_health: nodes without gRPC health service beside those.
    certificates: contents of the Secrets that `certificate_hosts` asks for, by name. files: what
    the orchestrator has to read of components that its image does not hold, see `component_files`.
    """

    name: str = ""
    namespace: str = ""
    claim_namespace: str = ""
    run: str = ""
    user: str = ""
    orchestrator: Orchestrator = Orchestrator.JOB
    orchestrator_namespace: str = "eoloom"
    orchestrator_image: str = ""
    images: Mapping[str, str] = field(default_factory=dict)
    replicas: Mapping[str, int] = field(default_factory=dict)
    max_replicas: int | None = None
    web_ui: frozenset[str] | None = None
    without_health: frozenset[str] = frozenset()
    certificates: Mapping[str, Mapping[str, bytes]] = field(default_factory=dict, repr=False)
    files: Mapping[str, Mapping[str, bytes]] = field(default_factory=dict)
