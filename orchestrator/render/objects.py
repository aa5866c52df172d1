"""All objects of a pipeline."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from orchestrator.render import labels, tls
from orchestrator.render.checks.finding import pod_templates
from orchestrator.render.components import node_objects
from orchestrator.render.context import Context, make_context
from orchestrator.render.data import check_buckets, check_paths
from orchestrator.render.network import network_policies
from orchestrator.render.options import Orchestrator, RenderOptions
from orchestrator.render.outside import check_outside
from orchestrator.render.run_job import run_input, run_job
from orchestrator.render.storage import storage_objects

if TYPE_CHECKING:
    from composer.graph import Graph
    from orchestrator.profiles import Profile


def render(
    graph: Graph, profile: Profile, options: RenderOptions | None = None
) -> tuple[dict[str, Any], ...]:
    """Return the objects of a pipeline at a site, the root first, in the order of applying them.

    Equal arguments give equal objects. Raises ProfileError naming every question that the profile
    leaves open, and RenderError for what cannot be deployed: a wrong option, a parameter that is a
    path of this machine or a URL that pods may not reach, more than a ConfigMap holds.
    """
    check_buckets(graph, profile)
    check_outside(graph, profile)
    return render_unplaced(graph, profile, options or RenderOptions())


def render_unplaced(
    graph: Graph, profile: Profile, options: RenderOptions
) -> tuple[dict[str, Any], ...]:
    """Return what `render` does, of a profile that is no site yet and opens nothing outside.

    Raises ProfileError and RenderError, see `render`.
    """
    check_paths(graph)
    return tuple(_objects(make_context(graph, profile, options)))


def certificate_hosts(
    graph: Graph, profile: Profile, options: RenderOptions
) -> dict[str, tuple[str, ...]]:
    """Return the Secrets that have to be made before rendering: hosts of the certificate, by name.

    The orchestrator's has none. Empty where the profile asks for none, or names its own. Raises
    RenderError and ProfileError, see `render`.
    """
    return tls.certificate_hosts(make_context(graph, profile, options))


def run_of(objects: tuple[dict[str, Any], ...]) -> str:
    """Return the id of the run that rendered objects make."""
    return str(objects[0]["metadata"]["annotations"][labels.RUN])


def images_of(objects: Iterable[dict[str, Any]]) -> frozenset[str]:
    """Return the images that rendered objects run."""
    containers = (part for template in pod_templates(objects) for _, part in template.containers)
    return frozenset(str(container["image"]) for container in containers)


def _objects(context: Context) -> Iterator[dict[str, Any]]:
    yield run_input(context)
    yield {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": context.metadata(context.name()),
        "automountServiceAccountToken": False,
    }
    yield from network_policies(context)
    yield from tls.secrets(context)
    yield from storage_objects(context)
    for node in context.plan.nodes:
        yield from node_objects(context, node)
    if context.options.orchestrator is Orchestrator.JOB:
        yield run_job(context)
