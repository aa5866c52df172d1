"""Parameters of the preparation and of the co-registration."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Grid(BaseModel):
    """A grid in the words of the STAC projection extension."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: str = Field(
        description="Coordinate reference system, an EPSG code.", examples=["EPSG:32633"]
    )
    transform: tuple[float, float, float, float, float, float] = Field(
        description="Row-major affine of the pixels: pixel width, 0, left, 0, -pixel height, top.",
        examples=[[10, 0, 499980, 0, -10, 5100000]],
    )
    shape: tuple[int, int] = Field(description="Rows and columns.", examples=[[1024, 1024]])

    @model_validator(mode="after")
    def _has_pixels(self) -> Self:
        if min(self.shape) < 1 or max(self.shape) > 200_000:
            raise ValueError(f"a grid of {self.shape[0]} x {self.shape[1]} pixels")
        if self.transform[0] <= 0 or self.transform[4] >= 0:
            raise ValueError("the pixels must have width > 0 and height < 0 (north is up)")
        return self


class Parameters(BaseModel):
    """What to make of each scene. The defaults need no resampling for any Sentinel-2 product."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bands: tuple[str, ...] = Field(
        default=("B02", "B03", "B04", "B08"),
        min_length=1,
        max_length=13,
        description=(
            "Bands in the order of the output, by ESA's or by common name; all for every band of "
            "the scene. The default is the four bands of 10 m."
        ),
        examples=[["B02", "B03", "B04", "B08"], ["red", "nir"], ["all"]],
    )
    resolution: float | None = Field(
        default=None,
        gt=0,
        description=(
            "Pixel size in units of the CRS, metres for UTM. Default: the finest of the bands. "
            "Other than the bands' own, pixel edges are multiples of it."
        ),
        examples=[10, 20, 60],
    )
    crs: str | None = Field(
        default=None,
        description="Coordinate reference system of the output. Default: the scene's UTM zone.",
        examples=["EPSG:3035"],
    )
    bbox: tuple[float, float, float, float] | None = Field(
        default=None,
        description="Clip to west, south, east, north, degrees (WGS 84).",
        examples=[[15.2, 45.4, 15.6, 45.7]],
    )
    grid: Grid | None = Field(
        default=None,
        description="Exact grid of the output, instead of resolution, crs and bbox.",
    )
    resampling: Literal["auto", "nearest", "bilinear", "cubic", "average"] = Field(
        default="auto",
        description=(
            "How reflectance is resampled, where it must be. auto: average where pixels get "
            "larger, else bilinear. Classes always by nearest neighbour."
        ),
    )
    mask: Literal["auto", "scl", "classi", "s2cloudless", "none"] = Field(
        default="auto",
        description=(
            "Where clouds are known from. scl: scene classification (Level-2A). classi: "
            "MSK_CLASSI, or before baseline 04.00 MSK_CLOUDS. s2cloudless: computed for Level-1C "
            "(extra s2cloudless). auto: scl, else classi, else a warning. none: nothing is masked."
        ),
    )
    mask_classes: tuple[int, ...] = Field(
        default=(0, 1, 3, 8, 9, 10),
        description=(
            "Classes of the scene classification that are masked: 0 no data, 1 saturated or "
            "defective, 2 dark area, 3 cloud shadow, 4 vegetation, 5 not vegetated, 6 water, "
            "7 unclassified, 8 and 9 cloud, 10 thin cirrus, 11 snow or ice. Other masks use 9, "
            "10 and 11."
        ),
        examples=[[0, 1, 3, 8, 9, 10, 11]],
    )
    dilation_m: float = Field(
        default=0.0,
        ge=0,
        le=5000,
        description="Distance around masked clouds and shadows that is masked too, metres.",
        examples=[0, 100],
    )
    cloud_probability: float = Field(
        default=0.4,
        gt=0,
        lt=1,
        description="Probability from which s2cloudless calls a pixel cloud (0 to 1).",
    )
    offset: Literal["auto", "metadata", "applied", "not-applied"] = Field(
        default="auto",
        description=(
            "Whether ESA's added 1000 was taken out of the digital numbers. metadata: as the "
            "product or item says. auto: too, but where dark pixels of a catalogue item "
            "contradict it, they win; SAFE metadata always wins. Every contradiction is a warning. "
            "applied: it was taken out; not-applied: it was not."
        ),
    )
    keep_classification: bool = Field(
        default=False,
        description="Also write the scene classification on the grid of the output, asset scl.",
    )
    quicklook: bool = Field(
        default=True, description="Also write a small true-colour picture, asset thumbnail."
    )
    align_band: str = Field(
        default="B08",
        description=(
            "align: the band that is compared, by ESA's or by common name. Near infrared has the "
            "most contrast and the least haze."
        ),
        examples=["B08", "red"],
    )
    align_max_shift: float = Field(
        default=5.0,
        gt=0,
        le=50,
        description="align: largest shift that is believed, pixels of the first scene.",
    )
    align_resampling: Literal["nearest", "bilinear", "cubic"] = Field(
        default="cubic", description="align: how the shift is applied."
    )

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.grid is not None:
            others = {"resolution": self.resolution, "crs": self.crs, "bbox": self.bbox}
            given = [name for name, value in others.items() if value is not None]
            if given:
                raise ValueError(f"give either grid or {' and '.join(given)}, not both")
        if self.bbox is not None:
            west, south, east, north = self.bbox
            if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
                raise ValueError(f"bbox {list(self.bbox)} is not west, south, east, north")
        unknown = [number for number in self.mask_classes if not 0 <= number <= 11]
        if unknown:
            raise ValueError(f"mask_classes {unknown} are not classes (0 to 11)")
        if len(set(self.bands)) < len(self.bands):
            raise ValueError("a band is given twice")
        return self
