"""Options of the commands that speak to a Kubernetes cluster."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from orchestrator.backends.kubernetes.cluster import Cluster

Context = Annotated[
    str,
    typer.Option(
        "--context",
        metavar="NAME",
        help="Context of the kubeconfig (KUBECONFIG, else ~/.kube/config); else its current one.",
        show_default=False,
    ),
]

Namespace = Annotated[
    str,
    typer.Option(
        "--namespace",
        "-n",
        metavar="NAME",
        help="Namespace of the cluster; else that of the context.",
        show_default=False,
    ),
]

DeploymentArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="The deployment's name.", show_default=False)
]


@contextlib.contextmanager
def ends_by_interrupt(tell: Callable[[], None] = lambda: None) -> Iterator[None]:
    """End a command that goes on until Ctrl-C, with the exit code for it. tell: called first."""
    from ui.exits import ExitCode

    try:
        yield
    except KeyboardInterrupt:
        tell()
        raise typer.Exit(ExitCode.INTERRUPTED) from None


@contextlib.contextmanager
def connected(context: str, namespace: str) -> Iterator[Cluster]:
    """Yield the cluster that the options mean. Raises SettingsError."""
    from orchestrator.backends.kubernetes.connection import connect

    with contextlib.closing(connect(context, namespace)) as cluster:
        yield cluster
