"""Items as they are found, before anything of them is trusted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from shapely.errors import ShapelyError
from shapely.geometry import box, shape
from shapely.geometry.base import BaseGeometry

from components.stac_source.interval import parse_moment

_BROKEN_GEOMETRY = (
    TypeError, LookupError, AttributeError, ValueError, OverflowError, ShapelyError,
)  # fmt: skip


@dataclass(frozen=True)
class Candidate:
    """A STAC item as a document, and where it was read.

    Attributes:
        document: JSON object; only `id`, `properties` and `assets` have been checked.
        location: absolute path or URL of the document, against which its hrefs are resolved.
    """

    document: Mapping[str, Any]
    location: str

    @classmethod
    def checked(cls, document: Any, location: str, collection: str = "") -> Candidate:
        """Check that a document can be dealt with as an item.

        Args:
            document: what was read.
            location: from where.
            collection: whose item it is where the document does not say.

        Raises:
            ValueError: saying what is wrong.
        """
        if not isinstance(document, dict) or document.get("type") != "Feature":
            raise ValueError("not a STAC item")
        if not isinstance(document.get("id"), str) or not document["id"]:
            raise ValueError("the item has no id")
        for field in ("properties", "assets"):
            if not isinstance(document.get(field), dict):
                raise ValueError(f"{field} is not an object")
        if not document.get("collection"):
            document = document | {"collection": collection}
        if not isinstance(document["collection"], str):
            raise ValueError("collection is not a text")
        candidate = cls(document, location)
        _ = candidate.span, candidate.footprint
        return candidate

    @property
    def id(self) -> str:
        """Its id."""
        return str(self.document["id"])

    @property
    def collection(self) -> str:
        """Its collection; empty if it has none."""
        return str(self.document["collection"])

    @property
    def properties(self) -> Mapping[str, Any]:
        """Its properties."""
        properties: Mapping[str, Any] = self.document["properties"]
        return properties

    @cached_property
    def span(self) -> tuple[datetime, datetime]:
        """First and last moment. Raises ValueError if it has none."""
        times = self.properties
        start, end = (
            times.get(name) or times.get("datetime") for name in ("start_datetime", "end_datetime")
        )
        if not isinstance(start, str) or not isinstance(end, str):
            raise ValueError("datetime is missing or not a text")
        return parse_moment(start), parse_moment(end)

    @cached_property
    def footprint(self) -> BaseGeometry | None:
        """Geometry in WGS 84, else the bounding box; None if unknown. Raises ValueError."""
        geometry, bounds = self.document.get("geometry"), self.document.get("bbox")
        try:
            if geometry:
                return shape(geometry)
            if bounds:
                west, south, *_ = bounds
                east, north = bounds[len(bounds) // 2 : len(bounds) // 2 + 2]
                return box(west, south, east, north)
        except _BROKEN_GEOMETRY as error:
            raise ValueError(f"geometry or bbox is broken: {error}") from error
        return None
