"""The page served by this process, on loopback unless somebody else signs people in."""

from __future__ import annotations

import os
import socket
import webbrowser
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from composer.extras import install_command
from orchestrator.loopback import is_loopback
from ui.errors import EnvironmentFaultError, UiError
from ui.page_settings import PageSettings
from ui.server_settings import load_server_settings
from ui.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp

# As flags of `streamlit run`: of the environment, its App reads passwords only. No statistics are
# sent, faults are in our log only, and nobody is asked to rerun a page because a file has changed.
_STREAMLIT: Final = {
    "browser.gatherUsageStats": False,
    "client.showErrorDetails": "none",
    "client.showErrorLinks": False,
    "client.toolbarMode": "viewer",
    "global.developmentMode": False,
    "server.fileWatcherType": "none",
    "server.headless": True,
    "server.maxUploadSize": 64,
    "theme.baseFontSize": 14,
    # Dark enough that text in fainter shades of them can be read too (WCAG 2.1, contrast 4.5).
    "theme.light.primaryColor": "#1858c4",
    "theme.light.textColor": "#12161c",
    "theme.dark.primaryColor": "#6aa5ff",
}


def serve_page(
    host: str,
    port: int,
    *,
    browser: bool,
    workspace: Path | None,
    runs_folder: Path | None,
    server: str | None,
    listening: Callable[[str], None],
) -> None:
    """Serve the page until Ctrl-C. Raises UiError or EnvironmentFaultError where it cannot."""
    if find_spec("streamlit") is None:
        raise UiError(f"the page needs more packages: {install_command('ui')}")
    _check_host(host)
    _check_journal()
    if server is not None:
        os.environ["EOLOOM_SERVER"] = server
    _check_server()
    if workspace is not None:
        os.environ["EOLOOM_WORKSPACE"] = str(workspace)
    if runs_folder is not None:
        os.environ["EOLOOM_RUNS_FOLDER"] = str(runs_folder)
    with _bound(host, port) as listener:
        import uvicorn
        from streamlit.web.bootstrap import load_config_options

        load_config_options(_STREAMLIT)  # before the application reads them

        from ui.app import app
        from ui.reloading import reloading

        number = listener.getsockname()[1]
        shown = f"[{host}]" if ":" in host else host
        url = f"http://{shown}:{number}"
        application = _for_known_hosts(reloading(app), host)
        serving = uvicorn.Server(uvicorn.Config(application, log_level="warning"))
        listening(url)
        if browser:
            webbrowser.open(url)
        serving.run(sockets=[listener])


def _check_host(host: str) -> None:
    """Refuse others unasked: the page runs programs for whoever opens it."""
    if not is_loopback(host) and not PageSettings().page_behind_proxy:
        raise EnvironmentFaultError(
            f"{host} can be reached from other machines, and the page runs pipelines for whoever "
            "opens it; listen on 127.0.0.1, or set EOLOOM_PAGE_BEHIND_PROXY=true where a proxy "
            "signs people in"
        )


def _check_journal() -> None:
    """Refuse a journal for all: behind a proxy every user has one of their own."""
    if PageSettings().page_behind_proxy and load_settings().database_url:
        raise EnvironmentFaultError(
            "EOLOOM_DATABASE_URL: behind a proxy each user's runs have a journal in their own "
            "folder; unset it for the page"
        )


def _check_server() -> None:
    """Refuse settings that cannot be used; and a token for all, behind a proxy."""
    settings = load_server_settings()
    if settings is None or not PageSettings().page_behind_proxy:
        return
    if settings.server_token.get_secret_value() or settings.server_token_file is not None:
        raise EnvironmentFaultError(
            "EOLOOM_SERVER_TOKEN, EOLOOM_SERVER_TOKEN_FILE: behind a proxy everybody signs in at "
            "the orchestrator for themselves; unset them for the page"
        )


def _for_known_hosts(app: ASGIApp, host: str) -> ASGIApp:
    """Return an application that answers by this machine's names only.

    Otherwise a page elsewhere could have its own name resolve to this machine and read everything.
    Behind a proxy that is the proxy's part.
    """
    if PageSettings().page_behind_proxy:
        return app
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    literal = f"[{host}]" if ":" in host else host
    names = ["localhost", "127.0.0.1", "[::1]", "::1", host, literal]
    return TrustedHostMiddleware(app, allowed_hosts=names, www_redirect=False)


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise EnvironmentFaultError(f"cannot listen on {host}:{port}: {error.strerror}") from error
    return listener
