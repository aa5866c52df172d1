"""The page as an ASGI application: Streamlit, and beside it the routes that its components load."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from streamlit.starlette import App

from ui.published import PALETTES
from ui.routes import run_files, tiles

if TYPE_CHECKING:
    from starlette.requests import Request

BUNDLE = Path(__file__).parent / "canvas" / "bundle"


async def palette(request: Request) -> Response:
    """Give the components of a canvas by their digest."""
    content = PALETTES.content(request.path_params["digest"])
    if content is None:
        return Response("this palette is not known; reload the page", status_code=404)
    headers = {"Cache-Control": "private, max-age=86400, immutable"}
    return Response(content, media_type="application/json", headers=headers)


app = App(
    Path(__file__).with_name("page.py"),
    routes=[
        Mount("/bundle", StaticFiles(directory=BUNDLE), name="bundle"),
        Route("/palette/{digest}.json", palette),
        *tiles.ROUTES,
        *run_files.ROUTES,
    ],
)
