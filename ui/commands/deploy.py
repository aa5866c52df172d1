"""`eoloom deploy` and `eoloom undeploy`: a pipeline on a Kubernetes cluster, and away again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ui.commands.cluster_options import (
    Context,
    DeploymentArgument,
    Namespace,
    connected,
    ends_by_interrupt,
)
from ui.commands.options import (
    AsJson,
    ComponentFolders,
    Overrides,
    PipelineArgument,
    ProfileValues,
    RequireDigests,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from composer.graph import Graph
    from orchestrator.backends.kubernetes.cluster import Cluster
    from orchestrator.backends.kubernetes.objects import ObjectKey
    from orchestrator.profiles import Profile
    from orchestrator.render import RenderOptions
    from ui.output import Output

DEPLOY_EPILOG = """
[b]Examples[/b]

  eoloom deploy examples/s2_change.yaml --profile creodias --dry-run

  eoloom deploy examples/s2_change.yaml --profile creodias --namespace forest --context my-cluster
"""

UNDEPLOY_EPILOG = """
[b]Examples[/b]

  eoloom undeploy s2-change --namespace forest

  eoloom undeploy s2-change --delete-results
"""

SiteProfile = Annotated[
    str,
    typer.Option(
        "--profile",
        "-p",
        metavar="NAME",
        help="The site: a profile that is shipped, or the file of another.",
    ),
]

DeploymentName = Annotated[
    str,
    typer.Option("--name", help="Of the deployment; else the pipeline's name.", show_default=False),
]

DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run", help="Let the cluster check everything, show what would change, and stop."
    ),
]

Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until all components serve.")]

Timeout = Annotated[
    float, typer.Option("--timeout", min=1, metavar="SECONDS", help="How long to wait.")
]

StopRun = Annotated[
    bool,
    typer.Option("--stop-run", help="Stop a run of an earlier deployment that is still at work."),
]

MaxReplicas = Annotated[
    int | None,
    typer.Option(
        "--max-replicas",
        min=1,
        max=100,
        metavar="N",
        help="Have an autoscaler for each node, which goes up to so many replicas while they are "
        "busy. The calls at a time stay those of the pipeline file (`concurrency`).",
        show_default=False,
    ),
]

Pin = Annotated[
    bool,
    typer.Option(
        "--pin/--no-pin",
        help="Name images by their digests, which their registries tell. Where one does not, "
        "warn and leave its images as they are.",
    ),
]


def deploy(
    file: PipelineArgument,
    *,
    profile: SiteProfile = "plain",
    profile_values: ProfileValues = None,
    name: DeploymentName = "",
    namespace: Namespace = "",
    context: Context = "",
    dry_run: DryRun = False,
    wait: Wait = True,
    timeout_s: Timeout = 900,
    stop_run: StopRun = False,
    max_replicas: MaxReplicas = None,
    pin: Pin = True,
    require_digests: RequireDigests = False,
    overrides: Overrides = None,
    component_folders: ComponentFolders = None,
    as_json: AsJson = False,
) -> None:
    """Run a pipeline on a Kubernetes cluster: its components, and a job that moves its messages.

    Deploying again changes only what differs: an unchanged pipeline restarts nothing. With --json
    progress goes to stderr.
    """
    from composer.graph import compose
    from composer.pipeline_file import load_pipeline
    from composer.system_user import system_user
    from orchestrator.component_files import component_files
    from orchestrator.profiles import load_profile
    from orchestrator.render import RenderOptions, render
    from ui.output import Output
    from ui.pinning import with_digests
    from ui.registry import find_components

    output = Output(as_json=as_json)
    graph = compose(load_pipeline(file, overrides or ()), find_components(component_folders))
    site = load_profile(profile, profile_values or ())
    options = RenderOptions(
        name=name,
        namespace=namespace,
        # Of the context, which is not known yet.
        claim_namespace="default",
        user=system_user(),
        files=component_files(graph),
        max_replicas=max_replicas,
    )
    # What the profile leaves open is asked for without a way into the cluster.
    render(graph, site, options)
    if pin or require_digests:
        options, warnings = with_digests(graph, [site], options, required=require_digests)
        for warning in warnings:
            output.warn(warning)
    with connected(context, namespace) as cluster:
        document = _deploy(cluster, graph, site, options, output, dry_run=dry_run, stop=stop_run)
        if dry_run or not wait:
            output.document(document)
        else:
            _wait(cluster, str(document["name"]), timeout_s, document, output)


def _deploy(
    cluster: Cluster,
    graph: Graph,
    site: Profile,
    options: RenderOptions,
    output: Output,
    *,
    dry_run: bool,
    stop: bool,
) -> dict[str, object]:
    """Apply a pipeline, or show what would change; return what has changed as a document."""
    from dataclasses import replace

    from orchestrator.backends.kubernetes.apply import Deployer
    from orchestrator.render import certificate_hosts, render
    from orchestrator.render.checks import external_objects, require_valid
    from ui.deployment_view import change_document, show_changes, show_diffs

    options = replace(options, namespace=cluster.namespace)
    hosts = certificate_hosts(graph, site, options)
    if hosts:
        from orchestrator.backends.kubernetes.certificates import certificates

        options = replace(options, certificates=certificates(cluster, options.name, hosts))
    objects = render(graph, site, options)
    needs = external_objects(site)
    require_valid(objects, version=site.kubernetes, external=needs)
    # A dry run stops nothing, and says what would be.
    deployer = Deployer(cluster, objects, needs=needs, stop_runs=stop or dry_run)
    changes = deployer.preview()
    if dry_run:
        show_diffs(changes, output)
    else:
        changes = deployer.apply()
    show_changes(changes, deployer.name, cluster.namespace, output, dry_run=dry_run)
    return {
        "name": deployer.name,
        "namespace": cluster.namespace,
        "dry_run": dry_run,
        "changes": [change_document(change) for change in changes],
    }


def _wait(
    cluster: Cluster, name: str, timeout_s: float, document: dict[str, object], output: Output
) -> None:
    """Wait until a deployment serves, and say how it goes; exit with 1 where it does not."""
    from orchestrator.backends.kubernetes.readiness import wait_until_ready
    from ui.deployment_view import ReadinessLines, readiness_document, show_next_steps
    from ui.exits import ExitCode

    lines = ReadinessLines(output)
    with ends_by_interrupt(lambda: output.warn(f"not waiting any longer; {name} stays deployed")):
        readiness = wait_until_ready(cluster, name, timeout_s=timeout_s, tell=lines.tell)
    output.document(document | {"readiness": readiness_document(readiness)})
    if readiness.is_ready:
        show_next_steps(name, readiness, output)
        return
    lines.tell_failure(name, readiness, timeout_s)
    raise typer.Exit(ExitCode.RUN_FAILED)


def undeploy(
    name: DeploymentArgument,
    *,
    namespace: Namespace = "",
    context: Context = "",
    delete_results: Annotated[
        bool,
        typer.Option("--delete-results", help="Delete the claim with the runs and results too."),
    ] = False,
    timeout_s: Annotated[
        float, typer.Option("--timeout", min=1, metavar="SECONDS", help="How long to wait.")
    ] = 300,
    as_json: AsJson = False,
) -> None:
    """Remove a deployment from the cluster, and wait until all of it is gone.

    The claim with runs and results is kept: a deployment of the same name finds them again.
    """
    from orchestrator.backends.kubernetes.deployments import undeploy as remove
    from ui.output import Output

    output = Output(as_json=as_json)
    with connected(context, namespace) as cluster:
        removal = remove(
            cluster,
            name,
            delete_results=delete_results,
            timeout_s=timeout_s,
            tell=lambda left: output.line(f"still there: {_some(left)}", "dim"),
        )
    output.document({"removed": [*map(str, removal.removed)], "kept": [*map(str, removal.kept)]})
    if not as_json:
        output.line(f"removed {name}: {len(removal.removed)} objects and their pods", "green")
        for key in removal.kept:
            output.line(
                f"kept {key}, with the runs and results (--delete-results deletes it; "
                f"or `kubectl delete {key.kind.lower()} {key.name}`)"
            )
        for key in removal.removed:
            if key.kind == "PersistentVolume":
                output.line(f"what is in {key} was left where it is, such as in its bucket")


def _some(keys: Sequence[ObjectKey], most: int = 3) -> str:
    """Return the names of the last few, which go last, and how many more there are."""
    more = len(keys) - most
    named = ", ".join(map(str, keys[-most:]))
    return f"{named} and {more} more" if more > 0 else named
