"""What the parts of the renderer share: one pipeline, one site, one set of options, resolved."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from composer.names import dns_label, nearest
from orchestrator.engine.plan import NodePlan, Plan
from orchestrator.errors import RenderError
from orchestrator.images.reference import image_reference
from orchestrator.planning import make_plan
from orchestrator.render import labels
from orchestrator.render.data import remote_nodes
from orchestrator.render.names import object_name, short_hash
from orchestrator.render.options import RUN_NAME, RenderOptions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from composer.graph import Graph
    from orchestrator.profiles import Profile


@dataclass(frozen=True)
class Context:
    """One pipeline to render."""

    graph: Graph
    plan: Plan
    profile: Profile
    options: RenderOptions
    remote: frozenset[str]
    """Nodes that read data from outside the cluster."""

    @property
    def deployment(self) -> str:
        """The name of the deployed pipeline."""
        return self.options.name or self.plan.name

    @cached_property
    def claim(self) -> str:
        """The claim with runs and shared folders."""
        return self.profile.storage.claim or self.name()

    @cached_property
    def run(self) -> str:
        """The id of the run."""
        if self.options.run:
            return self.options.run
        # All that a new run is made for: nothing is run again when the same is deployed twice.
        images = sorted({self.image(node.image) for node in self.plan.nodes})
        parts = (self.deployment, self.plan.digest, self.orchestrator_image, *images)
        return f"{self.plan.name[:40].rstrip('-')}-{short_hash(*parts)}"

    @cached_property
    def labels(self) -> dict[str, str]:
        """Labels of every object."""
        return labels.instance_labels(self.deployment, self.plan.name)

    @cached_property
    def orchestrator_image(self) -> str:
        """The image of the orchestrator, whose Python also makes folders on the volume."""
        image = self.options.orchestrator_image or image_reference(
            self.profile.images.registry or "", labels.ORCHESTRATOR_IMAGE, version("eoloom")
        )
        return self.image(image)

    def image(self, reference: str) -> str:
        """Return the reference to use instead of another."""
        return self.options.images.get(reference, reference)

    def name(self, *parts: str, limit: int = 63) -> str:
        """Return the name of an object of the deployed pipeline."""
        return object_name(self.deployment, *parts, limit=limit)

    def address(self, node: str) -> str:
        """Return the gRPC target of a node's replicas."""
        host = self.name(node)
        if self.options.namespace:
            host = f"{host}.{self.options.namespace}.svc"
        return f"dns:///{host}:8061"

    def replicas(self, node: NodePlan) -> int:
        """Return how many replicas a node gets."""
        return self.options.replicas.get(node.name, node.replicas)

    def is_third_party(self, node: str) -> bool:
        """Whether a node is known by an image only, and may be anything inside."""
        return not self.graph.nodes[node].component.manifest.command

    def has_health(self, node: str) -> bool:
        """Whether a node answers the gRPC health protocol."""
        return not self.is_third_party(node) and node not in self.options.without_health

    def has_web_ui(self, node: str) -> bool:
        """Whether a node's web pages are published in the cluster."""
        chosen = self.options.web_ui
        return self.is_third_party(node) if chosen is None else node in chosen

    def metadata(
        self,
        name: str,
        extra: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Return the metadata of an object."""
        metadata: dict[str, Any] = {"name": name}
        if self.options.namespace:
            metadata["namespace"] = self.options.namespace
        metadata["labels"] = self.labels | dict(extra or {})
        if annotations:
            metadata["annotations"] = dict(annotations)
        return metadata


def make_context(graph: Graph, profile: Profile, options: RenderOptions) -> Context:
    """Return what the renderer needs. Raises RenderError and ProfileError, see `render`."""
    check_options(graph, options)
    plan = make_plan(graph, profile.images.registry or "")
    context = Context(graph, plan, profile, options, remote_nodes(graph))
    profile.require(_questions(context), f"pipeline {plan.name}")
    return context


def _questions(context: Context) -> list[str]:
    """Return the fields of the profile that the pipeline needs."""
    profile, nodes = context.profile, context.graph.nodes.values()
    wanted = []
    if not context.options.orchestrator_image or any(
        node.component.manifest.image is None for node in nodes
    ):
        wanted.append("images.registry")
    if not profile.storage.claim and not profile.storage.volume:
        wanted.append("storage.storage_class")
    if context.remote and profile.eodata is not None:
        wanted += [f"eodata.{field}" for field in ("endpoint", "secret", "cidrs")]
    if profile.journal is not None:
        wanted.append("journal.cidr")
    if any(node.gpus for node in context.plan.nodes):
        wanted.append("gpu" if profile.gpu is None else "gpu.node_selector")
    return wanted


def check_options(graph: Graph, options: RenderOptions) -> None:
    """Raise RenderError for a name, a namespace or a node that cannot be."""
    namespaces = (
        ("namespace", options.namespace),
        ("orchestrator_namespace", options.orchestrator_namespace),
    )
    for what, name in (("name", options.name), *namespaces):
        try:
            dns_label(name or "default")
        except ValueError as error:
            raise RenderError(f"{what} {name!r} {error}") from None
    if options.run and not RUN_NAME.fullmatch(options.run):
        raise RenderError(
            f"run {options.run!r} must be letters, digits and inner -_. of at most 120 characters"
        )
    named = {"replicas": options.replicas, "without_health": options.without_health}
    named["web_ui"] = options.web_ui or ()
    for option, chosen in named.items():
        for node in sorted(set(chosen) - set(graph.nodes)):
            meant = nearest(node, graph.nodes)
            hint = f"; did you mean {meant!r}?" if meant else ""
            raise RenderError(f"{option}: pipeline has no node {node!r}{hint}")
    for node, count in options.replicas.items():
        if not 0 <= count <= 100:
            raise RenderError(f"node {node}: {count} replicas; there may be 0 to 100")
    if options.max_replicas is not None and not 1 <= options.max_replicas <= 100:
        raise RenderError(f"max_replicas is {options.max_replicas}; it may be 1 to 100")
