"""`eoloom deployments`: what is deployed on a cluster, and looking into it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ui.commands.cluster_options import (
    Context,
    DeploymentArgument,
    Namespace,
    connected,
    ends_by_interrupt,
)
from ui.commands.command import Command
from ui.commands.options import AsJson

EPILOG = """
[b]Examples[/b]

  eoloom deployments list --namespace forest

  eoloom deployments logs s2-change orchestrator --follow

  eoloom deployments scale s2-change clean=4

  eoloom deployments fetch s2-change --output s2-change-runs

  eoloom deployments open s2-change labels
"""

app = typer.Typer(
    help="What is deployed on a Kubernetes cluster: list, show, logs, scale, fetch, open.",
    epilog=EPILOG,
    no_args_is_help=True,
    rich_markup_mode="rich",
)


@app.command("list", cls=Command)
def list_(*, namespace: Namespace = "", context: Context = "", as_json: AsJson = False) -> None:
    """List the deployments of the namespace."""
    from dataclasses import asdict

    from orchestrator.backends.kubernetes.deployments import deployed
    from ui.deployment_view import deployments_table
    from ui.output import Output

    output = Output(as_json=as_json)
    with connected(context, namespace) as cluster:
        found = deployed(cluster)
        where = cluster.namespace
    output.document([asdict(each) for each in found])
    if as_json:
        return
    if found:
        output.show(deployments_table(found))
    else:
        output.line(f"nothing is deployed in the namespace {where}")


@app.command("show", cls=Command)
def show(
    name: DeploymentArgument,
    *,
    namespace: Namespace = "",
    context: Context = "",
    as_json: AsJson = False,
) -> None:
    """Show how a deployment stands: its nodes, and why some are not ready."""
    from orchestrator.backends.kubernetes.deployments import readiness
    from ui.deployment_view import nodes_table, readiness_document
    from ui.output import Output

    output = Output(as_json=as_json)
    with connected(context, namespace) as cluster:
        found = readiness(cluster, name)
    output.document({"name": name} | readiness_document(found))
    if as_json:
        return
    output.show(nodes_table(found))
    for reason in found.reasons:
        output.line(str(reason), "yellow")


@app.command("logs", cls=Command)
def logs(
    name: DeploymentArgument,
    node: Annotated[
        str,
        typer.Argument(
            metavar="NODE", help="One node, or `orchestrator`; else all.", show_default=False
        ),
    ] = "",
    *,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what comes, until Ctrl-C.")
    ] = False,
    tail: Annotated[
        int | None,
        typer.Option("--tail", min=0, help="The last lines of each pod only.", show_default=False),
    ] = None,
    namespace: Namespace = "",
    context: Context = "",
) -> None:
    """Write what the components say, each line behind the name of its node."""
    from orchestrator.backends.kubernetes.deployments import find
    from orchestrator.backends.kubernetes.logs import follow_logs, read_logs
    from ui.deployment_view import log_text
    from ui.output import Output

    output = Output()
    with connected(context, namespace) as cluster:
        find(cluster, name)
        read = follow_logs if follow else read_logs
        with ends_by_interrupt():
            is_silent = tail != 0
            for line in read(cluster, name, node, tail=tail):
                output.show(log_text(line))
                is_silent = False
            if is_silent:
                output.warn(
                    f"{node or name} has said nothing: there is no such node, or none of its pods "
                    f"has started; see `eoloom deployments show {name}`"
                )


@app.command("scale", cls=Command)
def scale(
    name: DeploymentArgument,
    targets: Annotated[
        list[str],
        typer.Argument(metavar="NODE=N", help="Nodes and their replicas.", show_default=False),
    ],
    *,
    namespace: Namespace = "",
    context: Context = "",
    as_json: AsJson = False,
) -> None:
    """Change how many replicas nodes have, until the next deployment.

    What is deployed again has the replicas of the pipeline file.
    """
    from orchestrator.backends.kubernetes.deployments import scale as scale_node
    from ui.output import Output

    output = Output(as_json=as_json)
    wanted = [_target(text) for text in targets]
    changed = []
    with connected(context, namespace) as cluster:
        for node, replicas in wanted:
            before = scale_node(cluster, name, node, replicas)
            changed.append({"node": node, "before": before, "replicas": replicas})
            if not as_json:
                output.line(f"{node}: {before} -> {replicas} replicas")
    output.document(changed)


def _target(text: str) -> tuple[str, int]:
    node, _, number = text.partition("=")
    if not node or not number.isdecimal() or int(number) > 1000:
        raise typer.BadParameter(
            f"{text!r} is not a node and its replicas, as in clean=4", param_hint="NODE=N"
        )
    return node, int(number)


@app.command("fetch", cls=Command)
def fetch(
    name: DeploymentArgument,
    *,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            help="Where the runs are put; else a folder of the deployment's name.",
            show_default=False,
        ),
    ] = None,
    namespace: Namespace = "",
    context: Context = "",
    as_json: AsJson = False,
) -> None:
    """Bring the runs of a deployment with results and logs here, best when they have ended.

    Files of the same name that are in the folder already are written anew.
    """
    from orchestrator.backends.kubernetes.deployments import find
    from orchestrator.backends.kubernetes.results import fetch_logs, fetch_runs
    from ui.formatting import format_bytes, format_path, plural
    from ui.output import Output

    output = Output(as_json=as_json)
    # Not ./runs: the journal of the runs of this machine would be written over.
    target = folder or Path(name)
    with connected(context, namespace) as cluster:
        find(cluster, name)
        fetched = fetch_runs(
            cluster, name, target, lambda file, size: output.line(f"{file} ({format_bytes(size)})")
        )
        fetch_logs(cluster, name, target)
    output.document({"folder": target, "files": fetched.files, "bytes": fetched.bytes})
    output.line(
        f"{plural(fetched.files, 'file')}, {format_bytes(fetched.bytes)} in {format_path(target)}",
        "green",
    )
    if not as_json:
        output.line(
            f"`eoloom show --runs-folder {format_path(target)}` tells of the last run", "dim"
        )


@app.command("open", cls=Command)
def open_(
    name: DeploymentArgument,
    node: Annotated[str, typer.Argument(metavar="NODE", help="A node.", show_default=False)],
    *,
    port: Annotated[int, typer.Option("--port", help="Of the pod: 8062 is its web page.")] = 8062,
    local_port: Annotated[
        int,
        typer.Option("--local-port", help="Of this machine; any free one by default."),
    ] = 0,
    namespace: Namespace = "",
    context: Context = "",
) -> None:
    """Make a port of a node's pod reachable from this machine only, until Ctrl-C.

    It is for web pages: every connection goes through the cluster's API server.
    """
    import threading

    from orchestrator.backends.kubernetes.channels import PortForward
    from orchestrator.backends.kubernetes.deployments import running_pod
    from ui.output import Output

    output = Output()
    with connected(context, namespace) as cluster:
        pod = running_pod(cluster, name, node)
        with (
            PortForward(cluster, pod, port, local_port) as forward,
            ends_by_interrupt(),
        ):
            output.line(f"http://127.0.0.1:{forward.port} is {node}:{port}; Ctrl-C ends it")
            told = ""
            while True:
                threading.Event().wait(1.0)
                if forward.failure != told:
                    told = forward.failure
                    output.warn(told)
