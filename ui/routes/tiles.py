"""Tiles of the rasters of a run, and the values below the cursor."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import anyio
import anyio.to_thread
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ui.raster_files import version_of
from ui.routes.answers import ASKED_AGAIN, KEPT, OURS_ONLY, answered, run_folder, told
from ui.tiles import TileRequestError, parse_style, read_values, render_tile

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from starlette.requests import Request

    T = TypeVar("T")

_AT_ONCE: Final = 4
"""Threads that draw tiles; they take memory, and the page needs the processors too."""
_WAITING: Final = 400
"""Requests that may wait for them; a screen full of tiles of five layers has fewer."""
_MAX_QUERY: Final = 4000


class _Drawing:
    """The threads that draw, and how many requests wait for them."""

    def __init__(self) -> None:
        self._limiter: anyio.CapacityLimiter | None = None
        self._waiting = 0

    @property
    def is_full(self) -> bool:
        return self._waiting >= _WAITING

    async def run(self, work: Callable[[], T]) -> T:
        self._limiter = self._limiter or anyio.CapacityLimiter(_AT_ONCE)
        self._waiting += 1
        try:
            return await anyio.to_thread.run_sync(work, limiter=self._limiter)
        finally:
            self._waiting -= 1


_DRAWING: Final = _Drawing()


@answered
async def tile(request: Request) -> Response:
    """Give a tile as PNG; see `ui.tiles` for the query."""
    folder = run_folder(request)
    query = str(request.url.query)
    if len(query) > _MAX_QUERY:
        raise TileRequestError(f"a query has at most {_MAX_QUERY:,} letters")
    style = parse_style(request.query_params, request.query_params.getlist("path"))
    place = [int(request.path_params[name]) for name in ("z", "x", "y")]
    versions = [version_of(folder, path) for path in style.paths]
    content = "\n".join([request.url.path, query, *versions])
    tag = f'"{hashlib.sha256(content.encode()).hexdigest()[:32]}"'
    # A client that gives no version asks again each time, and is mostly told that nothing changed.
    keep = KEPT if "v" in request.query_params else ASKED_AGAIN
    headers = {**OURS_ONLY, "ETag": tag, "Cache-Control": keep}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    if _DRAWING.is_full:
        return told("too many tiles are asked for at once; try again", 503)
    drawn = await _DRAWING.run(lambda: render_tile(folder, style, *place))
    return Response(drawn, media_type="image/png", headers=headers)


@answered
async def value(request: Request) -> Response:
    """Give the values of a raster at a point, as stored: {"values": [...]}; null for no data."""
    folder = run_folder(request)
    query = request.query_params
    paths = query.getlist("path")
    style = parse_style({"bands": query.get("bands", "1")}, paths)
    try:
        longitude, latitude = float(query.get("lon", "")), float(query.get("lat", ""))
    except ValueError:
        raise TileRequestError("lon and lat: degrees") from None
    if _DRAWING.is_full:
        return told("too many tiles are asked for at once; try again", 503)

    def read() -> list[float | None]:
        values = []
        for path, bands in style.sources():
            values += read_values(folder, path, bands, longitude, latitude)
        return values

    values = await _DRAWING.run(read)
    return JSONResponse({"values": values}, headers={**OURS_ONLY, "Cache-Control": ASKED_AGAIN})


ROUTES: Final = (
    Route("/tiles/{run}/{z:int}/{x:int}/{y:int}.png", tile),
    Route("/value/{run}", value),
)
