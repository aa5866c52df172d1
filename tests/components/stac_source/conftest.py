import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from components.kit import Call
from components.kit.storage import Storage
from components.stac_source.params import Parameters
from components.stac_source.service import StacSource
from protos.common.v1.item_pb2 import Item
from protos.stac_source.v1.stac_source_pb2 import SearchRequest

Answer = tuple[int, dict[str, str], bytes]


def make_item(name: str, **properties: object) -> dict[str, Any]:
    """An item with one local asset, as a document."""
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": name,
        "collection": "scenes",
        "bbox": [10.0, 50.0, 11.0, 51.0],
        "geometry": {
            "type": "Polygon",
            "coordinates": [[[10, 50], [11, 50], [11, 51], [10, 51], [10, 50]]],
        },
        "properties": {"datetime": "2023-08-13T10:00:00Z", "eo:cloud_cover": 5.0} | properties,
        "assets": {"red": {"href": "red.tif", "type": "image/tiff"}},
        "links": [],
    }


def write_json(path: Path, document: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))
    return path


def write_catalogue(folder: Path, items: list[dict[str, Any]], **more: object) -> Path:
    """A collection with its items in folders of their own; returns collection.json."""
    links = []
    for item in items:
        place = folder / item["id"] / f"{item['id']}.json"
        write_json(place, item)
        (place.parent / "red.tif").write_bytes(item["id"].encode())
        links.append({"rel": "item", "href": f"./{item['id']}/{item['id']}.json"})
    collection = {
        "type": "Collection",
        "stac_version": "1.0.0",
        "id": "scenes",
        "description": "Scenes",
        "license": "other",
        "extent": {"spatial": {"bbox": [[-180, -90, 180, 90]]},
                   "temporal": {"interval": [[None, None]]}},
        "links": [{"rel": "root", "href": "../catalog.json"}, *links],
    }  # fmt: skip
    return write_json(folder / "collection.json", collection | more)


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """The shared folder of the run."""
    folder = tmp_path / "shared"
    folder.mkdir()
    return folder


@pytest.fixture
def search(shared: Path) -> Callable[..., list[Item]]:
    """Runs the rpc with some parameters."""

    def run(catalogue: object, **params: object) -> list[Item]:
        parameters = Parameters.model_validate({"catalogue": str(catalogue)} | params)
        call = Call(parameters, "run", "source", "search", Storage(shared, "source"))
        return list(StacSource().search(SearchRequest(), call))

    return run


class _Listener(ThreadingHTTPServer):
    # More connections at once than the component opens; further ones would wait a second.
    request_queue_size = 64


class Server:
    """An HTTP server on the loopback device. `routes` answer paths; `requests` is what came."""

    def __init__(self) -> None:
        self.routes: dict[str, Callable[[str, bytes], Answer] | Answer] = {}
        self.requests: list[tuple[str, str, bytes]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(b"")

            def do_POST(self) -> None:
                self._answer(self.rfile.read(int(self.headers["Content-Length"])))

            def _answer(self, body: bytes) -> None:
                server.requests.append((self.command, self.path, body))
                route = server.routes.get(self.path.partition("?")[0], (404, {}, b"no"))
                status, headers, content = route(self.path, body) if callable(route) else route
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self._httpd = _Listener(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._httpd.server_address[1]}"
        self._thread = threading.Thread(target=self._httpd.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def put(self, path: str, document: object) -> str:
        """Serve a JSON document; returns its URL."""
        headers = {"Content-Type": "application/json"}
        self.routes[path] = (200, headers, json.dumps(document).encode())
        return self.url + path

    def close(self) -> None:
        self._httpd.shutdown()
        self._httpd.server_close()
        self._thread.join()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server on the loopback device, reached directly whatever proxy there is."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = Server()
    yield server
    server.close()
