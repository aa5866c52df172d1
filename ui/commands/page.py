"""`eoloom ui`: the page, with everything that it needs in one process."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ui.commands.options import RunsFolder

EPILOG = """
[b]Examples[/b]

  eoloom ui

  eoloom ui --port 8600 --no-browser --workspace ~/pipelines

  eoloom ui --server orchestrator.example:8061
"""


def page(
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="The port; 0 takes a free one.")
    ] = 8501,
    *,
    host: Annotated[
        str, typer.Option("--host", help="The address to listen on; others need a sign-in.")
    ] = "127.0.0.1",
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")
    ] = True,
    workspace: Annotated[
        Path | None,
        typer.Option(
            "--workspace",
            metavar="DIR",
            help="Where pipelines are kept; else EOLOOM_WORKSPACE, else ./pipelines.",
            show_default=False,
        ),
    ] = None,
    runs_folder: RunsFolder = None,
    server: Annotated[
        str | None,
        typer.Option(
            "--server",
            metavar="HOST:PORT",
            help="Make runs at the orchestrator service there instead of on this machine; else "
            "EOLOOM_SERVER.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Open the page: drag components, compose, run, look at results. Ctrl-C ends it."""
    from ui.output import Output
    from ui.page_server import serve_page

    output = Output(as_json=False)
    serve_page(
        host,
        port,
        browser=browser,
        workspace=workspace,
        runs_folder=runs_folder,
        server=server,
        listening=lambda url: output.line(f"open {url} in a browser; Ctrl-C ends it"),
    )
