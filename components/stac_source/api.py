"""Searching a STAC API through pystac-client."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

import pystac
import requests
from pystac_client import Client, ConformanceClasses
from pystac_client.exceptions import APIError
from pystac_client.stac_api_io import StacApiIO

from components.kit import InputError
from components.kit.documents import display_url
from components.stac_source.candidates import Candidate
from components.stac_source.faults import Faults
from components.stac_source.http import HttpReader
from components.stac_source.interval import parse_interval
from components.stac_source.params import Parameters

_PAGE = 250
# How many items are looked through where the server cannot sort or filter by itself.
_UNSORTED_LIMIT = 10_000
_COLLECTIONS_SHOWN = 1000
_SEARCH_CLASS = "/item-search"


def is_api(document: Any) -> bool:
    """Tell whether a document is the landing page of a STAC API that can be searched."""
    conforms = document.get("conformsTo") if isinstance(document, dict) else None
    return isinstance(conforms, list) and any(_SEARCH_CLASS in str(uri) for uri in conforms)


class _BoundedIO(StacApiIO):
    """pystac-client's input, but bounded, with our errors, and never from the file system."""

    def __init__(self, http: HttpReader) -> None:
        super().__init__(max_retries=None)
        self._http = http

    def request(
        self,
        href: str,
        method: str | None = None,
        headers: dict[str, str] | None = None,
        parameters: dict[str, Any] | None = None,
    ) -> str:
        """Send one request. Raises a ComponentError naming the URL."""
        method = (method or "GET").upper()
        body = {"json": parameters} if method == "POST" else {"params": parameters or {}}
        request = requests.Request(method, href, headers=headers, **body)
        return self._http.read(request).decode("utf-8", errors="replace")

    def read_text(self, source: Any, *args: Any, **kwargs: Any) -> str:
        """Read a URL or link; pystac-client would open a path as a local file."""
        href = source.href if isinstance(source, pystac.Link) else str(source)
        if not href.startswith(("http://", "https://")):
            raise InputError(f"the STAC API refers to {href!r:.200}, which is not an http(s) URL")
        return super().read_text(source, *args, **kwargs)


class StacApi:
    """One STAC API.

    Args:
        url: of its landing page.
        faults: what is passed over is told here.
        warn: tells the user what the server cannot do.
    """

    def __init__(self, url: str, faults: Faults, warn: Callable[[str], None]) -> None:
        self._url = url
        self._faults = faults
        with _understood(url):
            self._client = Client.open(url, stac_io=_BoundedIO(HttpReader()))
            if self._client.get_search_link() is None:
                raise ValueError("its landing page has no link to a search")
        self._sorts = self._client.conforms_to(ConformanceClasses.SORT)
        self._filters = self._client.conforms_to(ConformanceClasses.QUERY)
        self._warn = warn

    def search(self, params: Parameters) -> Iterator[Candidate]:
        """Yield items in the server's order, one more than `limit` if there are so many.

        What the server cannot do, the caller must: sorting, and conditions on properties.
        """
        enough = params.limit + 1
        if not self._sorts or (params.query and not self._filters):
            enough = _UNSORTED_LIMIT
            lacks = "sort" if not self._sorts else "filter by properties"
            self._warn(
                f"{display_url(self._url)} cannot {lacks}; at most {enough} of its items are "
                "looked through here"
            )
        conditions = _conditions(params)
        if not self._filters:
            conditions.pop("query", None)
        if self._sorts:
            conditions["sortby"] = [_sort(params.sort)]
        yield from self._items(conditions, enough)

    def explain(self, params: Parameters) -> str:
        """Return one sentence on why no item matched."""
        shown = display_url(self._url)
        conditions = _conditions(params)
        if not conditions:
            return f"{shown} has no items"
        unknown = self._unknown_collections(params)
        if unknown:
            return f"no item of {shown} matches: {unknown}"
        for name in conditions:
            others = {key: value for key, value in conditions.items() if key != name}
            example = next(self._items(others, 1), None)
            if example is not None:
                return (
                    f"no item of {shown} matches: none meets {name} {conditions[name]!r:.200}; "
                    f"without it there is for example {example.id} of {example.span[0]:%Y-%m-%d}"
                )
        return f"no item of {shown} matches: more than one of {', '.join(conditions)} rules all out"

    def _items(self, conditions: dict[str, Any], number: int) -> Iterator[Candidate]:
        with _understood(self._url):
            search = self._client.search(
                method=self._method(), max_items=number, limit=min(number, _PAGE), **conditions
            )
            seen: set[str] = set()
            for page in search.pages_as_dicts():
                before = len(seen)
                for feature in page["features"]:
                    candidate = self._checked(feature)
                    if candidate is not None and _name(candidate) not in seen:
                        seen.add(_name(candidate))
                        yield candidate
                if len(seen) == before:
                    self._faults.add("pages of the STAC API bring nothing new", "stopping there")
                    return

    def _checked(self, feature: Any) -> Candidate | None:
        try:
            return Candidate.checked(feature, _own_location(feature) or self._url)
        except ValueError as error:
            name = feature.get("id") if isinstance(feature, dict) else feature
            self._faults.add("items of the STAC API are broken", f"{name!r:.80}: {error}")
            return None

    def _method(self) -> str:
        """POST where the server says so: long conditions do not fit into a URL."""
        offered = {
            str(link.extra_fields.get("method", "GET")).upper()
            for link in self._client.get_links("search")
        }
        return "POST" if "POST" in offered else "GET"

    def _unknown_collections(self, params: Parameters) -> str:
        if not params.collections:
            return ""
        with _understood(self._url):
            known = [each.id for each in islice(self._client.get_collections(), _COLLECTIONS_SHOWN)]
        for name in params.collections:
            if known and name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                return f"it has no collection {name!r}" + (
                    f"; did you mean {near[0]!r}?" if near else ""
                )
        return ""


@contextmanager
def _understood(url: str) -> Iterator[None]:
    """Turn what pystac and pystac-client raise over a server's answers into an InputError."""
    try:
        yield
    except (
        APIError,
        pystac.STACError,
        NotImplementedError,
        RecursionError,
        AttributeError,
        LookupError,
        TypeError,
        ValueError,
    ) as error:
        raise InputError(
            f"{display_url(url)} does not answer as a STAC API does: {type(error).__name__}: "
            f"{str(error)[:300]}"
        ) from error


def _conditions(params: Parameters) -> dict[str, Any]:
    """Return the conditions as arguments of pystac-client's search."""
    conditions: dict[str, Any] = {}
    if params.collections:
        conditions["collections"] = list(params.collections)
    if params.ids:
        conditions["ids"] = list(params.ids)
    if params.datetime is not None:
        conditions["datetime"] = str(parse_interval(params.datetime))
    if params.bbox is not None:
        conditions["bbox"] = list(params.bbox)
    if params.intersects is not None:
        conditions["intersects"] = json.loads(params.intersects)
    if params.query:
        conditions["query"] = dict(params.query)
    return conditions


def _sort(sort: str) -> dict[str, str]:
    name = sort.lstrip("+-")
    field = name if name == "id" or name.startswith("properties.") else f"properties.{name}"
    return {"field": field, "direction": "desc" if sort.startswith("-") else "asc"}


def _name(candidate: Candidate) -> str:
    return f"{candidate.collection}/{candidate.id}"


def _own_location(feature: Any) -> str | None:
    links = feature.get("links") if isinstance(feature, dict) else None
    for link in links if isinstance(links, list) else ():
        if isinstance(link, dict) and link.get("rel") == "self":
            href = link.get("href")
            if isinstance(href, str) and href.startswith(("http://", "https://")):
                return href
    return None
