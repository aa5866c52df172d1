"""Files of a run as downloads, whatever their size, and the run as an RO-Crate."""

from __future__ import annotations

import os
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, BinaryIO, Final

import anyio.to_thread
from starlette.concurrency import iterate_in_threadpool
from starlette.responses import FileResponse, StreamingResponse
from starlette.routing import Route

from orchestrator.service.files import open_file
from ui.registry import find_components, read_stored
from ui.routes.answers import (
    ASKED_AGAIN,
    OURS_ONLY,
    answered,
    page_settings,
    run_folder,
    runs_settings,
    user,
)
from ui.run_crate import crate_chunks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import Receive, Scope, Send

_TYPES: Final = {
    ".json": "application/json",
    ".geojson": "application/geo+json",
    ".tif": "image/tiff",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".log": "text/plain; charset=utf-8",
}
"""Others are bytes: browsers must run nothing that a component has written."""


class _OpenFileResponse(FileResponse):
    """An open file, by its descriptor: what was checked is what is given. It is closed at last."""

    def __init__(self, file: BinaryIO, name: str, headers: dict[str, str]) -> None:
        self._file = file
        super().__init__(
            f"/dev/fd/{file.fileno()}",
            headers=headers,
            media_type=_TYPES.get(PurePosixPath(name).suffix.lower(), "application/octet-stream"),
            filename=name,
            stat_result=os.fstat(file.fileno()),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._file.close()


@answered
async def run_file(request: Request) -> Response:
    """Give a file of a run, also in parts."""
    path = request.path_params["path"]
    folder = run_folder(request)
    file = await anyio.to_thread.run_sync(open_file, folder, path)
    headers = {
        **OURS_ONLY,
        "Cache-Control": ASKED_AGAIN,
        "Content-Security-Policy": "sandbox; default-src 'none'",
    }
    return _OpenFileResponse(file, PurePosixPath(path).name, headers)


@answered
async def crate(request: Request) -> Response:
    """Give a run that has ended as an RO-Crate, zipped while it is sent."""
    folder = run_folder(request)
    with_data = request.query_params.get("data", "1") != "0"
    settings, name = runs_settings(request), user(request)

    def begin() -> Iterator[bytes]:
        registry = find_components(page_settings().components_folders, read_stored(name))
        return crate_chunks(folder.name, registry, settings, with_data=with_data)

    chunks = await anyio.to_thread.run_sync(begin)
    return StreamingResponse(
        iterate_in_threadpool(chunks),
        media_type="application/zip",
        headers={
            **OURS_ONLY,
            "Cache-Control": ASKED_AGAIN,
            "Content-Disposition": f'attachment; filename="{folder.name}-crate.zip"',
        },
    )


ROUTES: Final = (
    Route("/files/{run}/{path:path}", run_file),
    Route("/crates/{run}.zip", crate),
)
