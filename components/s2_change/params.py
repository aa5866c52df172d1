"""Parameters of s2-change; their JSON schema is params.schema.json."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from components.s2_change.algorithm import Method
from components.s2_change.directions import MOST_CLASSES
from components.s2_change.thresholds import Rule


class Parameters(BaseModel):
    """What a pipeline may set; the defaults suit Sentinel-2 reflectance of any resolution."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: Method = Field(
        default="cva",
        description="How change is measured: change vector analysis (cva), multivariate alteration "
        "detection (mad), or its iteratively reweighted form (irmad).",
    )
    threshold: Rule | Literal["auto"] | float = Field(
        default="auto",
        description="What separates change from no change: a rule (em, rayleigh-rice, otsu), a "
        "number in units of the magnitude, or auto: em for cva, otsu for mad and irmad.",
        examples=["em", 3.0],
    )
    bands: tuple[str, ...] | None = Field(
        default=None,
        description="Bands to compare, by name; all that the scenes have in common by default.",
        examples=[["B02", "B03", "B04", "B08"]],
    )
    standardise: bool = Field(
        default=True,
        description="Compare bands by their z-scores over the common clear pixels, so that haze "
        "and the season's mean shift count for nothing (cva).",
    )
    minimum_area_ha: float | None = Field(
        default=None,
        ge=0,
        description="Smallest patch that counts, in hectares; also the smallest hole that stays. "
        "Nine pixels by default.",
        examples=[0.5],
    )
    connectivity: Literal[4, 8] = Field(
        default=4, description="Whether pixels that touch at a corner only make one patch (8)."
    )
    direction_classes: int | None = Field(
        default=None,
        ge=1,
        le=MOST_CLASSES,
        description="Number of kinds of change; chosen by the silhouette of the clusters if unset.",
    )
    minimum_coherence: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Moran's I that changed pixels must reach, without unit: a threshold that "
        "marks scattered pixels is raised until they lie together. 0 takes the rule's own; by "
        "default it is 0.65 for cva and 0.6 for mad and irmad.",
    )
    minimum_common_clear_percentage: float = Field(
        default=1.0,
        ge=0,
        le=100,
        description="Share of pixels, in percent, that must be clear on both dates. A scene that "
        "is cloudier is passed over and its neighbours are compared.",
    )
    quicklook: bool = Field(
        default=True, description="Make a picture of before, after and the changes."
    )
    seed: int = Field(default=0, ge=0, description="Of all random samples.")
