"""Static catalogues over HTTP: a server on the loopback device."""

import logging
import threading
from collections.abc import Callable

import pytest
import requests

from components.kit import InputError, MissingDataError, TemporaryError
from components.kit.items import asset
from components.stac_source.http import HttpReader
from protos.common.v1.item_pb2 import Item
from tests.components.stac_source.conftest import Answer, Server, make_item

Search = Callable[..., list[Item]]


def _collection(server: Server, hrefs: list[str], path: str = "/c/collection.json") -> str:
    links = [{"rel": "item", "href": href} for href in hrefs]
    return server.put(path, {"type": "Collection", "id": "scenes", "links": links})


def test_items_keep_absolute_urls(search: Search, server: Server) -> None:
    for day in range(10, 30):
        name = f"i{day}"
        server.put(f"/c/{name}.json", make_item(name, datetime=f"2023-08-{day}T10:00:00Z"))
    url = _collection(server, [f"./i{day}.json" for day in reversed(range(10, 30))])
    found = search(url, datetime="2023-08-15/..", limit=3)
    assert [item.id for item in found] == ["i15", "i16", "i17"]
    assert asset(found[0], "red").href == f"{server.url}/c/red.tif"


def test_a_missing_item_is_a_warning_and_a_missing_catalogue_an_error(
    search: Search, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    server.put("/c/one.json", make_item("one"))
    url = _collection(server, ["one.json", "gone.json"])
    assert [item.id for item in search(url)] == ["one"]
    assert any(f"e.g. {server.url}/c/gone.json" in record.message
               for record in caplog.records if record.levelno == logging.WARNING)  # fmt: skip
    with pytest.raises(MissingDataError, match=r"/nothing.json does not exist \(HTTP 404\)"):
        search(f"{server.url}/nothing.json")


def test_other_servers_and_schemes_are_not_followed(
    search: Search, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    server.put("/c/one.json", make_item("one"))
    url = _collection(
        server, ["one.json", "http://169.254.169.254/latest", "file:///etc/passwd", "http://[x"]
    )
    assert [item.id for item in search(url)] == ["one"]
    assert any(record.message.startswith("3 links lead out") for record in caplog.records)


def test_an_asset_that_is_no_url_is_refused(search: Search, server: Server) -> None:
    item = make_item("one")
    item["assets"]["red"]["href"] = "file:///etc/passwd"
    url = server.put("/one.json", item)
    with pytest.raises(InputError, match=r"item 'one', asset 'red': 'file:///etc/passwd'"):
        search(url)


@pytest.mark.parametrize(
    ("status", "error", "said"),
    [
        (500, TemporaryError, "fails for now"),
        (503, TemporaryError, "fails for now"),
        (429, TemporaryError, "fails for now"),
        (401, InputError, "credentials"),
        (403, InputError, "credentials"),
        (400, InputError, "refuses the request"),
        (410, MissingDataError, "does not exist"),
    ],
)
def test_statuses(
    search: Search, server: Server, status: int, error: type[Exception], said: str
) -> None:
    server.routes["/x.json"] = (status, {}, b"")
    with pytest.raises(error, match=rf"{server.url}/x.json .*{said}") as caught:
        search(f"{server.url}/x.json")
    assert f"HTTP {status}" in str(caught.value)


def test_a_failing_server_on_the_way_is_temporary(search: Search, server: Server) -> None:
    server.routes["/c/one.json"] = (502, {}, b"")
    with pytest.raises(TemporaryError, match=r"/c/one.json fails for now"):
        search(_collection(server, ["one.json"]))


def test_redirects_are_followed_but_not_for_ever(search: Search, server: Server) -> None:
    server.put("/new.json", make_item("one"))
    server.routes["/old.json"] = (302, {"Location": "/new.json"}, b"")
    server.routes["/loop.json"] = (302, {"Location": "/loop.json"}, b"")
    server.routes["/local.json"] = (302, {"Location": "file:///etc/passwd"}, b"")
    assert search(f"{server.url}/old.json")[0].id == "one"
    with pytest.raises(InputError, match="redirects more than"):
        search(f"{server.url}/loop.json")
    with pytest.raises(InputError, match="is not an http"):
        search(f"{server.url}/local.json")


def test_what_is_not_json_is_an_input_error(search: Search, server: Server) -> None:
    server.routes["/page.json"] = (200, {}, b"<html>")
    with pytest.raises(InputError, match=r"/page.json is not JSON"):
        search(f"{server.url}/page.json")


def test_secrets_of_the_url_are_not_told(search: Search, server: Server) -> None:
    secret = server.url.replace("http://", "http://user:password@") + "/x.json?sig=token"
    with pytest.raises(MissingDataError) as caught:
        search(secret)
    assert "password" not in str(caught.value)
    assert "token" not in str(caught.value)


def test_a_huge_answer_is_cut_off(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("components.stac_source.http.DOCUMENT_LIMIT_BYTES", 1 << 20)
    server.routes["/big"] = (200, {}, b" " * (3 << 20))
    with pytest.raises(InputError, match="larger than 1 MiB"):
        HttpReader().read(requests.Request("GET", f"{server.url}/big"))


def test_a_server_that_does_not_answer_is_temporary(server: Server) -> None:
    go_on = threading.Event()

    def wait(path: str, body: bytes) -> Answer:
        go_on.wait(10)
        return 200, {}, b"{}"

    server.routes["/slow"] = wait
    try:
        with pytest.raises(TemporaryError, match=r"/slow does not answer in time"):
            HttpReader(read_timeout_s=0.2).read(requests.Request("GET", f"{server.url}/slow"))
    finally:
        go_on.set()


def test_an_answer_that_never_ends_is_temporary(server: Server) -> None:
    server.routes["/long"] = (200, {}, b" " * (2 << 20))
    with pytest.raises(TemporaryError, match=r"/long does not answer in time"):
        HttpReader(document_timeout_s=0).read(requests.Request("GET", f"{server.url}/long"))


def test_nobody_there_is_temporary(search: Search, server: Server) -> None:
    server.close()
    with pytest.raises(TemporaryError, match=r"cannot be reached: .*refused"):
        search(f"{server.url}/catalog.json")
