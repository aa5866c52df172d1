"""`eoloom serve`: the orchestrator as a gRPC service."""

from __future__ import annotations

from typing import Annotated

import typer

from ui.commands.options import ComponentFolders, RunsFolder

EPILOG = """
[b]Examples[/b]

  eoloom serve

  EOLOOM_SERVICE_TLS_CERTIFICATE_FILE=... EOLOOM_SERVICE_TLS_KEY_FILE=... \\
  EOLOOM_SERVICE_TOKENS_FILE=... eoloom serve --host 0.0.0.0
"""


Host = Annotated[
    str | None,
    typer.Option(
        "--host",
        help="The address to listen on; else that of EOLOOM_SERVICE_ADDRESS, else 127.0.0.1.",
        show_default=False,
    ),
]
Port = Annotated[
    int | None,
    typer.Option(
        "--port",
        min=0,
        max=65535,
        help="The port, 0 for a free one; else that of EOLOOM_SERVICE_ADDRESS, else 8061.",
        show_default=False,
    ),
]
MetricsPort = Annotated[
    int | None,
    typer.Option(
        "--metrics-port",
        min=0,
        max=65535,
        help="Serve metrics for Prometheus there, on loopback unless EOLOOM_METRICS_HOST says "
        "otherwise; else EOLOOM_METRICS_PORT.",
        show_default=False,
    ),
]


def serve(
    host: Host = None,
    port: Port = None,
    *,
    metrics_port: MetricsPort = None,
    runs_folder: RunsFolder = None,
    component_folders: ComponentFolders = None,
) -> None:
    """Serve AI4EU's Orchestrator and EO Loom's own contract until Ctrl-C.

    TLS, tokens and limits come from the environment, prefix EOLOOM_SERVICE_ (docs/serve.md). Beyond
    this machine it does not listen without TLS and authentication.
    """
    from pydantic import ValidationError

    from orchestrator.service.server import ComponentsOfUsers
    from orchestrator.service.server import serve as serve_orchestrator
    from orchestrator.service.settings import PREFIX, ServiceSettings
    from orchestrator.telemetry.telemetry import serve_metrics
    from ui.errors import EnvironmentFaultError
    from ui.output import Output
    from ui.registry import find_components
    from ui.settings import load_settings, setting_faults

    try:
        address = _address(host, port)
        settings = ServiceSettings(address=address) if address else ServiceSettings()
    except ValidationError as error:
        raise EnvironmentFaultError(setting_faults(error, PREFIX)) from error
    folders = component_folders or []
    find_components(folders)  # what is wrong with them is said now, not at the first call
    output = Output(as_json=False)
    orchestrator = load_settings(runs_folder)
    if metrics_port is not None:
        orchestrator = orchestrator.model_copy(update={"metrics_port": metrics_port})
    served = serve_metrics(orchestrator)  # now, not with the first run
    if served is not None:
        output.line(f"metrics at http://{orchestrator.metrics_host}:{served.port}/metrics")
    serve_orchestrator(
        settings,
        orchestrator,
        registry_of=ComponentsOfUsers(folders),
        listening=lambda address: output.line(f"listens on {address}; Ctrl-C ends it"),
    )


def _address(host: str | None, port: int | None) -> str:
    """Return where the options say to listen, empty where they say nothing.

    What only one of them says, the environment says of the other.
    """
    import os

    from orchestrator.service.settings import DEFAULT_ADDRESS, PREFIX

    if host is None and port is None:
        return ""
    given = os.environ.get(f"{PREFIX}ADDRESS", DEFAULT_ADDRESS)
    default_host, _, default_port = given.rpartition(":")
    if given.startswith("unix:"):
        default_host, _, default_port = DEFAULT_ADDRESS.rpartition(":")
    chosen = default_host if host is None else f"[{host}]" if ":" in host else host
    return f"{chosen}:{default_port if port is None else port}"
