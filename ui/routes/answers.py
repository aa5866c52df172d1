"""Answers that all routes give alike: short texts for faults, and what browsers may keep."""

from __future__ import annotations

import functools
import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from starlette.responses import PlainTextResponse, Response

from orchestrator.service.errors import FileNotServedError
from ui.exits import expected_failure
from ui.page_settings import PageSettings
from ui.raster_files import RasterNotReadableError
from ui.settings import load_settings
from ui.signed_in import user_of
from ui.tiles import TileNotThereError, TileRequestError
from ui.user_folders import settings_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from orchestrator.settings import OrchestratorSettings

    Handler = Callable[[Request], Awaitable[Response]]

logger = logging.getLogger(__name__)

OURS_ONLY: Final = {
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
KEPT: Final = "private, max-age=604800, immutable"
"""For URLs with a version, which changes with the file."""
ASKED_AGAIN: Final = "private, no-cache"

_RUN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


def answered(handle: Handler) -> Handler:
    """Return the handler with faults told in a line: never a traceback."""

    @functools.wraps(handle)
    async def safe(request: Request) -> Response:
        try:
            return await handle(request)
        except TileRequestError as error:
            return told(str(error), 400)
        except (TileNotThereError, RasterNotReadableError, FileNotServedError) as error:
            return told(str(error), 404)
        except Exception as error:
            failure = expected_failure(error)
            if failure is not None:
                return told(failure.message, 404)
            logger.exception("a fault in a route")
            return told("a fault of the page; its log says more", 500)

    return safe


def told(text: str, status: int) -> Response:
    """Return a line of text."""
    headers = {**OURS_ONLY, "Cache-Control": "no-store"}
    return PlainTextResponse(text[:1000] + "\n", status, headers)


@functools.cache
def page_settings() -> PageSettings:
    """Return the settings of the page."""
    return PageSettings()


@functools.cache
def settings() -> OrchestratorSettings:
    """Return the settings of all runs."""
    return load_settings()


def user(request: Request) -> str:
    """Return who asks. Raises EnvironmentFaultError where the proxy does not tell it."""
    return user_of(request.headers, behind_proxy=page_settings().page_behind_proxy)


def runs_settings(request: Request) -> OrchestratorSettings:
    """Return the settings of the user's runs; nothing beside their folder is given."""
    return settings_of(user(request), settings(), page_settings())


def run_folder(request: Request) -> Path:
    """Return the folder of the run in the path of a request. Raises FileNotServedError."""
    run = str(request.path_params["run"])
    folder = runs_settings(request).runs_folder.resolve() / run
    if not _RUN.fullmatch(run) or folder.is_symlink() or not folder.is_dir():
        raise FileNotServedError(f"there is no run {run[:200]!r}")
    return folder
