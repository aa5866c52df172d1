"""STAC APIs: a small one on the loopback device that pystac-client accepts."""

import json
import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from components.kit import InputError, TemporaryError
from protos.common.v1.item_pb2 import Item
from tests.components.stac_source.conftest import Answer, Server, make_item

Search = Callable[..., list[Item]]
CLASSES = {
    "core": "https://api.stacspec.org/v1.0.0/core",
    "search": "https://api.stacspec.org/v1.0.0/item-search",
    "sort": "https://api.stacspec.org/v1.0.0/item-search#sort",
    "query": "https://api.stacspec.org/v1.0.0/item-search#query",
    "collections": "https://api.stacspec.org/v1.0.0/collections",
}
PAGE = 2


class Api:
    """A STAC API with some items. It pages, sorts and filters by collection, ids and query."""

    def __init__(self, server: Server, items: list[dict[str, Any]], lacks: str = "") -> None:
        self.items = items
        self.server = server
        self.url = f"{server.url}/api"
        self.searches: list[dict[str, Any]] = []
        search = {"rel": "search", "href": f"{self.url}/search", "type": "application/geo+json"}
        server.put("/api", {
            "type": "Catalog", "stac_version": "1.0.0", "id": "api", "description": "An API",
            "conformsTo": [uri for name, uri in CLASSES.items() if name not in lacks.split()],
            "links": [
                {"rel": "self", "href": self.url},
                {"rel": "data", "href": f"{self.url}/collections"},
                search | {"method": "GET"},
                *([] if "POST" in lacks else [search | {"method": "POST"}]),
            ],
        })  # fmt: skip
        names = {item["collection"] for item in items}
        server.put("/api/collections", {
            "collections": [
                {"type": "Collection", "stac_version": "1.0.0", "id": name, "description": "",
                 "license": "other", "links": [],
                 "extent": {"spatial": {"bbox": [[-180, -90, 180, 90]]},
                            "temporal": {"interval": [[None, None]]}}}
                for name in sorted(names)
            ],
            "links": [],
        })  # fmt: skip
        server.routes["/api/search"] = self._search

    def _search(self, path: str, body: bytes) -> Answer:
        if body:
            conditions = json.loads(body)
        else:
            flat = {name: values[-1] for name, values in parse_qs(urlsplit(path).query).items()}
            conditions = {
                name: value.split(",") if name in {"collections", "ids"}
                else json.loads(value) if name == "query" else value
                for name, value in flat.items()
            }  # fmt: skip
        self.searches.append(conditions)
        found = [item for item in self.items if self._matches(item, conditions)]
        for each in reversed(conditions.get("sortby") or []) if body else []:
            name = each["field"].removeprefix("properties.")
            found.sort(key=lambda item, name=name: item["properties"][name],
                       reverse=each["direction"] == "desc")  # fmt: skip
        start = int(conditions.get("token", 0))
        page = {"type": "FeatureCollection", "features": found[start : start + PAGE], "links": []}
        if start + PAGE < len(found):
            link: dict[str, Any] = {"rel": "next", "href": f"{self.url}/search"}
            if body:
                link |= {"method": "POST", "body": conditions | {"token": start + PAGE}}
            else:
                link["href"] += f"?{urlsplit(path).query}&token={start + PAGE}"
            page["links"] = [link]
        return 200, {"Content-Type": "application/geo+json"}, json.dumps(page).encode()

    @staticmethod
    def _matches(item: dict[str, Any], conditions: dict[str, Any]) -> bool:
        query = conditions.get("query") or {}
        return (
            item["collection"] in conditions.get("collections", [item["collection"]])
            and item["id"] in conditions.get("ids", [item["id"]])
            and all(item["properties"].get(name, 1e9) < each["lt"] for name, each in query.items())
        )


def _items() -> list[dict[str, Any]]:
    items = [
        make_item(f"i{day}", datetime=f"2023-08-{day}T10:00:00Z", **{"eo:cloud_cover": day})
        for day in (18, 13, 20, 15, 11)
    ]
    for item in items:
        item["assets"]["red"]["href"] = f"https://example.org/{item['id']}.tif"
    return items


@pytest.mark.parametrize("lacks", ["", "POST"])
def test_all_pages_are_read_in_time_order(search: Search, server: Server, lacks: str) -> None:
    api = Api(server, _items(), lacks)
    found = search(api.url, collections=["scenes"])
    assert [item.id for item in found] == ["i11", "i13", "i15", "i18", "i20"]
    assert found[0].assets[0].href == "https://example.org/i11.tif"
    assert len(api.searches) == 3
    method = "GET" if lacks else "POST"
    assert {request[0] for request in server.requests if "/search" in request[1]} == {method}


def test_conditions_are_passed_on(search: Search, server: Server) -> None:
    api = Api(server, _items())
    search(
        api.url,
        collections=["scenes"],
        datetime="2023-08-13/2023-08-18",
        bbox=[10, 50, 11, 51],
        query={"eo:cloud_cover": {"lt": 16}},
        sort="-eo:cloud_cover",
    )
    sent = api.searches[0]
    assert sent["collections"] == ["scenes"]
    assert sent["datetime"] == "2023-08-13T00:00:00Z/2023-08-18T23:59:59.999999Z"
    assert sent["bbox"] == [10, 50, 11, 51]
    assert sent["query"] == {"eo:cloud_cover": {"lt": 16}}
    assert sent["sortby"] == [{"field": "properties.eo:cloud_cover", "direction": "desc"}]


def test_the_limit_holds_and_more_is_a_warning(
    search: Search, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    api = Api(server, _items())
    assert [item.id for item in search(api.url, limit=3)] == ["i11", "i13", "i15"]
    assert len(api.searches) == 2
    assert any("`limit` (3)" in record.message for record in caplog.records)


def test_what_a_server_cannot_do_is_done_here_and_said(
    search: Search, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    api = Api(server, _items(), lacks="sort query")
    found = search(api.url, query={"eo:cloud_cover": {"lt": 16}}, limit=2)
    assert [item.id for item in found] == ["i11", "i13"]
    assert "query" not in api.searches[0]
    assert any("cannot sort" in record.message for record in caplog.records)


def test_a_server_that_ignores_conditions_is_noticed(
    search: Search, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    # This API knows nothing of datetime, though it should.
    api = Api(server, _items())
    assert [item.id for item in search(api.url, datetime="2023-08-15")] == ["i15"]
    assert any("returned 4 items that do not meet" in record.message for record in caplog.records)


def test_why_nothing_matches(search: Search, server: Server) -> None:
    api = Api(server, _items())
    with pytest.raises(InputError, match=r"no collection 'scens'; did you mean 'scenes'"):
        search(api.url, collections=["scens"])
    with pytest.raises(
        InputError, match=r"none meets query .*without it there is .* i\d\d of 2023"
    ):
        search(api.url, collections=["scenes"], query={"eo:cloud_cover": {"lt": 1}})


def _landing(server: Server, **more: object) -> str:
    return server.put("/odd", {"type": "Catalog", "id": "odd", "description": "", "links": [],
                               "stac_version": "1.0.0",
                               "conformsTo": [CLASSES["search"]]} | more)  # fmt: skip


@pytest.mark.parametrize(
    "links",
    [[], [{"rel": "search", "href": "/nowhere"}], [{"rel": "search"}], "none"],
)
def test_a_broken_landing_page_is_an_error_of_one_sentence(
    search: Search, server: Server, links: object
) -> None:
    with pytest.raises(Exception, match=r"/odd does not answer as a STAC API|does not exist"):
        search(_landing(server, links=links))


@pytest.mark.parametrize(
    "page",
    [
        {"features": 7},
        {"features": [{"id": "x"}], "links": [{"rel": "next", "href": "/etc/passwd"}]},
        {"features": [{"id": "x"}], "links": [{"rel": "next"}]},
        {"features": [{"id": "x"}], "links": 7},
        {"features": ["text"]},
        [],
    ],
)
def test_broken_pages_are_input_errors(search: Search, server: Server, page: object) -> None:
    link = {"rel": "search", "href": f"{server.url}/s", "type": "application/geo+json"}
    server.put("/s", page)
    with pytest.raises(InputError):
        search(_landing(server, links=[link]))


def test_a_failing_search_is_temporary(search: Search, server: Server) -> None:
    link = {"rel": "search", "href": f"{server.url}/s", "type": "application/geo+json"}
    server.routes["/s"] = (504, {}, b"")
    with pytest.raises(TemporaryError, match=r"/s fails for now"):
        search(_landing(server, links=[link]))


def test_pages_without_end_end(
    search: Search, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    link = {"rel": "search", "href": f"{server.url}/s", "type": "application/geo+json"}
    again = {"rel": "next", "href": f"{server.url}/s"}
    server.put("/s", {"features": _items(), "links": [again]})
    conforms = [CLASSES["search"], CLASSES["sort"]]
    found = search(_landing(server, links=[link], conformsTo=conforms))
    assert len(found) == 5
    assert any("bring nothing new" in record.message for record in caplog.records)


def test_user_messages_hide_the_query(
    search: Search, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    api = Api(server, _items(), lacks="sort")
    with caplog.at_level(logging.WARNING):
        search(f"{api.url}?token=secret")
    assert caplog.records
    assert not any("secret" in record.message for record in caplog.records)
