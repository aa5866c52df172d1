"""Parameters of the search."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from shapely.errors import ShapelyError
from shapely.geometry import shape

from components.kit.documents import display_url
from components.stac_source.interval import parse_interval
from components.stac_source.query import check_query

_BBOX_EXAMPLE = (15.0, 45.5, 15.5, 46.0)


class Parameters(BaseModel):
    """Where to look and for what. All conditions must hold."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    catalogue: str = Field(
        min_length=1,
        max_length=4096,
        description=(
            "A STAC catalogue, collection, item or item collection (file, folder or http(s) URL), "
            "the URL of a STAC API, or a folder of items or of Sentinel products "
            "(.SAFE, .SAFE.zip)."
        ),
        examples=["/data/scenes/collection.json", "https://earth-search.aws.element84.com/v1"],
        json_schema_extra={"format": "path-or-url"},
    )
    collections: tuple[str, ...] = Field(
        default=(),
        description="Take items of these collections only; none for all.",
        examples=[["sentinel-2-l2a"]],
    )
    datetime: str | None = Field(
        default=None,
        description=(
            "Moment or interval in UTC; bare dates mean whole days, `..` an open end. "
            "Items that overlap it are taken."
        ),
        examples=["2023-08-13/2023-08-18", "2023-08/..", "2023-08-13T10:00:00Z/.."],
    )
    bbox: tuple[float, float, float, float] | None = Field(
        default=None,
        description=(
            "West, south, east, north in degrees (WGS 84); items that touch it are taken. West "
            "greater than east crosses the antimeridian."
        ),
        examples=[_BBOX_EXAMPLE],
    )
    intersects: str | None = Field(
        default=None,
        max_length=500_000,
        description="GeoJSON geometry (WGS 84) as text, instead of `bbox`.",
        examples=['{"type": "Point", "coordinates": [15.2, 45.7]}'],
    )
    query: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description="Conditions on properties: eq, neq, lt, lte, gt, gte, in.",
        examples=[{"eo:cloud_cover": {"lt": 40}}],
    )
    ids: tuple[str, ...] = Field(
        default=(),
        description="Take items with these ids only; none for all.",
        examples=[["S2B_33TWL_20230813_0_L2A"]],
    )
    sort: str = Field(
        default="datetime",
        pattern=r"^[+-]?[A-Za-z0-9_][A-Za-z0-9_:.-]*$",
        description=(
            "`datetime`, `id` or the name of a property; with `-` before it in falling order."
        ),
        examples=["datetime", "-eo:cloud_cover"],
    )
    limit: int = Field(
        default=100,
        ge=1,
        le=10_000,
        description="Take at most so many items, the first in the order of `sort`.",
        examples=[100],
    )
    assets: tuple[str, ...] = Field(
        default=(),
        description="Keys of the assets to take; none for all.",
        examples=[["blue", "green", "red", "nir", "scl"]],
    )

    @property
    def shown_catalogue(self) -> str:
        """The catalogue for messages: without what may be secret in a URL."""
        return display_url(self.catalogue) if "://" in self.catalogue else self.catalogue

    @field_validator("catalogue")
    @classmethod
    def _is_place(cls, text: str) -> str:
        if "://" in text:
            display_url(text)  # raises ValueError for what is no URL
        return text

    @field_validator("datetime")
    @classmethod
    def _is_interval(cls, text: str | None) -> str | None:
        if text is not None:
            parse_interval(text)
        return text

    @field_validator("bbox")
    @classmethod
    def _is_box(
        cls, box: tuple[float, float, float, float] | None
    ) -> tuple[float, float, float, float] | None:
        if box is not None:
            west, south, east, north = box
            if not (-180 <= west <= 180 and -180 <= east <= 180 and -90 <= south <= north <= 90):
                raise ValueError(
                    "not west, south, east, north in degrees with south below north, "
                    f"such as {_BBOX_EXAMPLE}"
                )
        return box

    @field_validator("intersects")
    @classmethod
    def _is_geometry(cls, text: str | None) -> str | None:
        if text is not None:
            try:
                geometry = shape(json.loads(text))
            except (ValueError, TypeError, KeyError, AttributeError, ShapelyError) as error:
                raise ValueError(f"not a GeoJSON geometry: {error}") from error
            if geometry.is_empty:
                raise ValueError("the geometry is empty")
        return text

    @field_validator("query")
    @classmethod
    def _can_be_evaluated(cls, query: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        check_query(query)
        return query

    @model_validator(mode="after")
    def _one_place(self) -> Parameters:
        if self.bbox is not None and self.intersects is not None:
            raise ValueError("bbox and intersects exclude each other; give one of them")
        return self
