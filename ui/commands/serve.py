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


def serve(
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="The port; 0 takes a free one.")
    ] = 8061,
    *,
    runs_folder: RunsFolder = None,
    component_folders: ComponentFolders = None,
) -> None:
    """Serve AI4EU's Orchestrator and EO Loom's own contract until Ctrl-C.

    TLS, tokens and limits come from the environment, prefix EOLOOM_SERVICE_ (docs/serve.md). Beyond
    this machine it does not listen without TLS and authentication.
    """
    from pydantic import ValidationError

    from composer.registry import Registry
    from orchestrator.service.server import serve as serve_orchestrator
    from orchestrator.service.settings import ServiceSettings
    from ui.errors import EnvironmentFaultError
    from ui.output import Output
    from ui.settings import load_settings

    try:
        settings = ServiceSettings(address=f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
    except ValidationError as error:
        faults = "; ".join(str(fault["msg"]) for fault in error.errors())
        raise EnvironmentFaultError(faults) from error
    registry = Registry.discover(component_folders or ())
    output = Output(as_json=False)
    serve_orchestrator(
        settings,
        load_settings(runs_folder),
        registry_of=lambda _: registry,
        listening=lambda address: output.line(f"listens on {address}; Ctrl-C ends it"),
    )
