"""Parameters of the simulated scenes."""

from datetime import date
from itertools import pairwise

from pydantic import BaseModel, ConfigDict, Field, field_validator

from components.sample_scenes.bands import BandName
from components.sample_scenes.changes import CHANGE_KINDS, ChangeKind


class Parameters(BaseModel):
    """What to simulate. The defaults make the pair of scenes of the demonstration."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dates: tuple[date, ...] = Field(
        default=(date(2024, 7, 31), date(2024, 8, 30)),
        min_length=1,
        max_length=100,
        description="Days of the scenes, in increasing order. Vegetation follows the season.",
        examples=[["2024-07-31", "2024-08-30"]],
    )
    size: int = Field(
        default=1000,
        ge=64,
        le=10980,
        multiple_of=2,
        description="Pixels of 10 m per side; 10980 is a whole Sentinel-2 tile.",
        examples=[1000, 10980],
    )
    seed: int = Field(
        default=5,
        ge=0,
        le=2**32 - 1,
        description="The landscape, its changes, the clouds and the noise follow from it.",
        examples=[1],
    )
    cloud_percentage: float = Field(
        default=4.0,
        ge=0,
        le=90,
        description="Share of each scene under clouds, percent.",
        examples=[4.0],
    )
    nodata_percentage: float = Field(
        default=0.0,
        ge=0,
        le=60,
        description=(
            "Share of each scene beyond the edge of the swath, percent: in the east of the first "
            "scene, in the west of the second, and so on."
        ),
        examples=[0.0, 12.5],
    )
    changes: tuple[ChangeKind, ...] = Field(
        default=CHANGE_KINDS,
        description="Kinds of changes between the dates. Their truth is written beside.",
        examples=[["clear-cut", "flood"]],
    )
    changes_per_100_km2: float = Field(
        default=2.0,
        ge=0,
        le=20,
        description=(
            "Number of changes of each kind per 100 square kilometres, but at least one; "
            "0 for no changes."
        ),
        examples=[2.0],
    )
    bands: tuple[BandName, ...] = Field(
        default=("B02", "B03", "B04", "B08", "B11", "B12"),
        min_length=1,
        description="Bands to deliver, each at its own pixel size (10 or 20 m).",
        examples=[["B02", "B03", "B04", "B08"]],
    )
    epsg: int = Field(
        default=32633,
        description="UTM zone on WGS 84 as an EPSG code: 32601 to 32660 or 32701 to 32760.",
        examples=[32633],
    )
    easting: float = Field(
        default=300_000.0,
        ge=100_000,
        le=890_000,
        multiple_of=10,
        description=(
            "Upper left corner, m. The default is that of tile 33UUU in the north-east of Germany."
        ),
        examples=[300_000.0],
    )
    northing: float = Field(
        default=5_900_040.0,
        ge=0,
        le=9_300_000,
        multiple_of=10,
        description="Upper left corner, m.",
        examples=[5_900_040.0],
    )

    @field_validator("dates")
    @classmethod
    def _in_order(cls, dates: tuple[date, ...]) -> tuple[date, ...]:
        for before, after in pairwise(dates):
            if before >= after:
                raise ValueError(f"{after} does not come after {before}; give each day once")
        return dates

    @field_validator("bands", "changes")
    @classmethod
    def _once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(names)) < len(names):
            raise ValueError("a name is given twice")
        return names

    @field_validator("epsg")
    @classmethod
    def _is_utm(cls, epsg: int) -> int:
        if not (32601 <= epsg <= 32660 or 32701 <= epsg <= 32760):
            raise ValueError("not a UTM zone on WGS 84 (32601 to 32660, 32701 to 32760)")
        return epsg
