"""Deploying a saved pipeline: what would be made, what is wrong with it, and doing it.

Knows no Streamlit. Everything before `apply` works without a cluster.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from composer.graph import compose
from composer.pipeline_file import parse_pipeline
from orchestrator.component_files import component_files
from orchestrator.errors import ProfileError, RenderError
from orchestrator.images.pinning import pin_images
from orchestrator.profiles import HOW_TO_FIND, Profile, load_profile
from orchestrator.render import RenderOptions, images_of, labels, render
from orchestrator.render.checks import check, external_objects
from ui.errors import UiError
from ui.exports.base import ExportOptions
from ui.exports.folder import zipped
from ui.exports.formats import Format, exporter_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from composer.graph import Graph
    from composer.registry import Registry
    from orchestrator.backends.kubernetes.apply import Deployer
    from orchestrator.backends.kubernetes.changes import Change
    from orchestrator.backends.kubernetes.cluster import Cluster
    from orchestrator.backends.kubernetes.deployments import Deployed
    from orchestrator.render.checks import Finding
    from orchestrator.settings import OrchestratorSettings


@dataclass(frozen=True)
class Question:
    """What a profile leaves open. hint: how an answer is found."""

    field: str
    hint: str


@dataclass(frozen=True)
class Site:
    """Where a pipeline is to be deployed. answers: to the profile's questions, by field."""

    profile: str
    answers: Mapping[str, str] = field(default_factory=dict)
    name: str = ""
    namespace: str = ""
    user: str = ""

    @property
    def values(self) -> tuple[str, ...]:
        """The answers as `load_profile` takes them."""
        return tuple(f"{name}={text}" for name, text in self.answers.items() if text.strip())


@dataclass(frozen=True)
class Prepared:
    """What would be deployed.

    questions: what has to be answered first; there are no objects then. failure: why there are
    none otherwise. findings: what is known to be wrong without a cluster.
    """

    questions: tuple[Question, ...] = ()
    failure: str = ""
    profile: Profile | None = None
    objects: tuple[dict[str, Any], ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def can_be_deployed(self) -> bool:
        """Whether a cluster may be asked."""
        return bool(self.objects) and not self.findings


@dataclass(frozen=True)
class ObjectView:
    """One object in a list. node: of the pipeline; empty for what belongs to all of it."""

    kind: str
    name: str
    node: str
    text: str


def saved_graph(text: str, source: str, registry: Registry) -> Graph:
    """Return a saved pipeline, composed. Raises PipelineError."""
    return compose(parse_pipeline(text, source=source), registry)


def prepare(graph: Graph, site: Site, images: Mapping[str, str] | None = None) -> Prepared:
    """Render a pipeline for a site, and check the objects.

    images: references to use instead of others.
    """
    try:
        profile = load_profile(site.profile, site.values)
        if profile.tls is not None and profile.tls.generate:
            told = "the page makes no certificates (tls.generate): use `eoloom deploy`"
            return Prepared(failure=f"{told}, or name Secrets")
        options = RenderOptions(
            name=site.name,
            namespace=site.namespace,
            # Of the context, which is not known yet.
            claim_namespace="default",
            user=site.user,
            files=component_files(graph),
            images=images or {},
        )
        objects = render(graph, profile, options)
        findings = check(objects, version=profile.kubernetes, external=external_objects(profile))
    except ProfileError as error:
        if error.questions:
            return Prepared(
                tuple(Question(name, HOW_TO_FIND.get(name, "")) for name in error.questions)
            )
        return Prepared(failure=str(error))
    except RenderError as error:
        return Prepared(failure=str(error))
    return Prepared(profile=profile, objects=tuple(objects), findings=findings)


def prepare_pinned(graph: Graph, site: Site) -> tuple[Prepared, tuple[str, ...]]:
    """Return what `prepare` does, with images by the digests that their registries tell.

    Beside it a warning for each that stays as it is. Raises ImageError.
    """
    prepared = prepare(graph, site)
    pinned = pin_images(images_of(prepared.objects))
    return prepare(graph, site, pinned.images), pinned.warnings


def object_views(objects: Sequence[Mapping[str, Any]]) -> tuple[ObjectView, ...]:
    """Return the objects as texts; the contents of Secrets are not among them."""
    return tuple(
        ObjectView(
            str(item["kind"]),
            str(item["metadata"]["name"]),
            str(item["metadata"].get("labels", {}).get(labels.NODE, "")),
            yaml.safe_dump(_masked(item), sort_keys=False, allow_unicode=True),
        )
        for item in objects
    )


def _masked(item: Mapping[str, Any]) -> dict[str, Any]:
    if item["kind"] != "Secret":
        return dict(item)
    hidden = {key: "(hidden)" for part in ("data", "stringData") for key in item.get(part, {})}
    return {key: value for key, value in item.items() if key not in {"data", "stringData"}} | (
        {"stringData": hidden} if hidden else {}
    )


def archive(
    graph: Graph, chosen: Format, settings: OrchestratorSettings, site: Site
) -> tuple[bytes, tuple[str, ...]]:
    """Return a folder for `kubectl apply -k` or `docker compose`, as a zip, and warnings.

    Raises ProfileError, RenderError and NodeError.
    """
    options = ExportOptions(settings, (site.profile,), site.values, site.namespace)
    exported = exporter_of(chosen)(graph, options)
    content = exported.content
    return content if isinstance(content, bytes) else zipped(content), exported.warnings


@contextlib.contextmanager
def connected(context: str = "", namespace: str = "") -> Iterator[Cluster]:
    """Give a cluster within a `with` statement.

    Raises ClusterAccessError where there is no kubeconfig, and SettingsError without the extra.
    """
    from orchestrator.backends.kubernetes.connection import connect

    with contextlib.closing(connect(context, namespace)) as cluster:
        yield cluster


def deployer(cluster: Cluster, prepared: Prepared, *, stop_runs: bool = False) -> Deployer:
    """Return what previews and applies. Raises ClusterError."""
    from orchestrator.backends.kubernetes.apply import Deployer

    needs = external_objects(prepared.profile) if prepared.profile else ()
    return Deployer(cluster, prepared.objects, needs=needs, stop_runs=stop_runs)


def own_deployments(cluster: Cluster, owner: str | None) -> list[Deployed]:
    """Return the deployments of the namespace that a user may see: their own; None sees all.

    Raises ClusterError.
    """
    from orchestrator.backends.kubernetes.deployments import deployed

    return [each for each in deployed(cluster) if owner is None or each.user == owner]


def require_own(cluster: Cluster, name: str, owner: str | None) -> None:
    """Refuse to touch what somebody else has deployed. Raises UiError, ClusterError."""
    from orchestrator.backends.kubernetes.deployments import deployed

    if owner is None:
        return
    if any(each.name == name and each.user != owner for each in deployed(cluster)):
        raise UiError(
            f"the namespace {cluster.namespace} has a deployment {name} that is not yours; give "
            "another name, or another namespace"
        )


def diff_text(changes: Sequence[Change]) -> str:
    """Return the unified diff of everything that would change."""
    return "\n".join(line for change in changes for line in change.diff())
