"""Small Sentinel-2 products and items for tests, made up after ESA's schema.

A product is a tile of 60 x 60 pixels of "10 m" in the corner of the real tile 33UUP, with the
metadata that a real product has where the component reads it.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS

from components.kit.call import Call
from components.kit.storage import Storage
from components.s2_preprocess.params import Parameters
from protos.common import stac
from protos.common.v1.item_pb2 import Asset, Item

LEFT, TOP, EPSG = 300_000, 5_900_040, 32633
SIDE = 60
BAND_NUMBERS = {
    "B01": 0, "B02": 1, "B03": 2, "B04": 3, "B05": 4, "B06": 5, "B07": 6, "B08": 7, "B8A": 8,
    "B09": 9, "B10": 10, "B11": 11, "B12": 12,
}  # fmt: skip
NATIVE = {
    "B01": 60, "B02": 10, "B03": 10, "B04": 10, "B05": 20, "B06": 20, "B07": 20, "B08": 10,
    "B8A": 20, "B09": 60, "B10": 60, "B11": 20, "B12": 20, "SCL": 20,
}  # fmt: skip
GRANULE = "GRANULE/{level}_T33UUP_A012345_20230815T100000"


class RecordingCall(Call[Parameters]):
    """A call that keeps the warnings it was given."""

    def warn(self, message: str) -> None:
        self.__dict__.setdefault("warnings", []).append(message)

    @property
    def warned(self) -> list[str]:
        return list(self.__dict__.get("warnings", []))


def make_call(root: Path, *, node: str = "clean", **params: Any) -> RecordingCall:
    return RecordingCall(
        params=Parameters.model_validate(params),
        run="run",
        node=node,
        operation="prepare",
        storage=Storage(root, node),
    )


def random_dn(side: int, *, low: int = 1100, high: int = 4000, seed: int = 0) -> NDArray[Any]:
    return np.random.default_rng(seed).integers(low, high, (side, side), dtype=np.uint16)


def write_raster(
    path: Path,
    values: NDArray[Any],
    pixel: float,
    *,
    driver: str = "GTiff",
    georeferenced: bool = True,
    left: float = LEFT,
    top: float = TOP,
    epsg: int = EPSG,
) -> Path:
    """Write (y, x) or (band, y, x) without loss."""
    bands = values[np.newaxis] if values.ndim == 2 else values
    path.parent.mkdir(parents=True, exist_ok=True)
    profile: dict[str, Any] = {
        "driver": driver,
        "count": bands.shape[0],
        "height": bands.shape[1],
        "width": bands.shape[2],
        "dtype": bands.dtype,
    }
    if georeferenced:
        profile |= {"crs": CRS.from_epsg(epsg), "transform": Affine(pixel, 0, left, 0, -pixel, top)}
    if driver == "JP2OpenJPEG":
        profile |= {"QUALITY": 100, "REVERSIBLE": "YES"}
    with rasterio.open(path, "w", **profile) as dataset:
        dataset.write(bands)
    return path


def read(root: Path, asset: Asset) -> NDArray[Any]:
    with rasterio.open(root / asset.href) as dataset:
        return dataset.read()


def assets(item: Item) -> dict[str, Asset]:
    return {asset.key: asset for asset in item.assets}


def fields(item: Item) -> dict[str, Any]:
    return json.loads(item.properties)


def product_xml(
    level: str,
    baseline: str,
    images: Iterable[str],
    *,
    quantification: float = 10000,
    offsets: Mapping[str, float] | None = None,
    image_format: str = "JPEG2000",
) -> str:
    """The main metadata file with what it has before and after baseline 04.00."""
    digit = level[1:]
    name = (
        f"S2A_MSI{level}_20230815T095031_N{baseline.replace('.', '')}_R079_T33UUP_20230815T155057"
    )
    files = "".join(f"<IMAGE_FILE>{image}</IMAGE_FILE>" for image in images)
    prefix = "BOA" if level == "L2A" else "RADIO"
    added = "".join(
        f'<{prefix}_ADD_OFFSET band_id="{BAND_NUMBERS[band]}">{value:g}</{prefix}_ADD_OFFSET>'
        for band, value in (offsets or {}).items()
    )
    tag = "BOA_QUANTIFICATION_VALUE" if level == "L2A" else "QUANTIFICATION_VALUE"
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<n1:Level-{digit}_User_Product xmlns:n1="https://psd-14.sentinel2.eo.esa.int/PSD/User_Product">
<n1:General_Info><Product_Info>
<PRODUCT_START_TIME>2023-08-15T09:50:31.024Z</PRODUCT_START_TIME>
<PRODUCT_URI>{name}.SAFE</PRODUCT_URI>
<PROCESSING_LEVEL>Level-{digit}</PROCESSING_LEVEL>
<PROCESSING_BASELINE>{baseline}</PROCESSING_BASELINE>
<Datatake><SPACECRAFT_NAME>Sentinel-2A</SPACECRAFT_NAME>
<SENSING_ORBIT_NUMBER>79</SENSING_ORBIT_NUMBER></Datatake>
<Product_Organisation><Granule_List><Granule imageFormat="{image_format}"
 granuleIdentifier="S2A_OPER_MSI_{level}_TL_2APS_20230815T155057_A012345_T33UUP_N{baseline}">
{files}</Granule></Granule_List></Product_Organisation></Product_Info>
<Product_Image_Characteristics><{tag} unit="none">{quantification:g}</{tag}>
<{prefix}_ADD_OFFSET_VALUES_LIST>{added}</{prefix}_ADD_OFFSET_VALUES_LIST>
</Product_Image_Characteristics></n1:General_Info>
<n1:Geometric_Info><EXT_POS_LIST>53.20 12.02 53.21 12.04 53.19 12.04 53.20 12.02</EXT_POS_LIST>
</n1:Geometric_Info>
<n1:Quality_Indicators_Info><Cloud_Coverage_Assessment>12.5</Cloud_Coverage_Assessment>
</n1:Quality_Indicators_Info></n1:Level-{digit}_User_Product>"""


def granule_xml(level: str, masks: Mapping[str, str] | None = None, side: int = SIDE) -> str:
    grids = "".join(
        f'<Size resolution="{r}"><NROWS>{side * 10 // r}</NROWS><NCOLS>{side * 10 // r}</NCOLS>'
        f'</Size><Geoposition resolution="{r}"><ULX>{LEFT}</ULX><ULY>{TOP}</ULY>'
        f"<XDIM>{r}</XDIM><YDIM>-{r}</YDIM></Geoposition>"
        for r in (10, 20, 60)
    )
    files = "".join(
        f'<MASK_FILENAME type="{kind}">{path}</MASK_FILENAME>'
        for kind, path in (masks or {}).items()
    )
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<n1:Level-{level[1:]}_Tile_ID xmlns:n1="https://psd-14.sentinel2.eo.esa.int/PSD/Tile_Metadata">
<n1:General_Info><SENSING_TIME>2023-08-15T09:58:11.662Z</SENSING_TIME></n1:General_Info>
<n1:Geometric_Info><Tile_Geocoding><HORIZONTAL_CS_CODE>EPSG:{EPSG}</HORIZONTAL_CS_CODE>{grids}
</Tile_Geocoding><Tile_Angles><Mean_Sun_Angle><ZENITH_ANGLE>34.25</ZENITH_ANGLE>
<AZIMUTH_ANGLE>151.5</AZIMUTH_ANGLE></Mean_Sun_Angle></Tile_Angles></n1:Geometric_Info>
<n1:Quality_Indicators_Info><Pixel_Level_QI>
<MASK_FILENAME bandId="0" type="MSK_DETFOO">QI_DATA/MSK_DETFOO_B01.jp2</MASK_FILENAME>
{files}</Pixel_Level_QI></n1:Quality_Indicators_Info></n1:Level-{level[1:]}_Tile_ID>"""


def write_product(
    folder: Path,
    bands: Mapping[str, NDArray[Any]],
    *,
    level: str = "L2A",
    baseline: str = "05.09",
    offsets: Mapping[str, float] | None = None,
    quantification: float = 10000,
    scl: NDArray[Any] | None = None,
    masks: Mapping[str, NDArray[Any] | str] | None = None,
    georeferenced: bool = True,
) -> Path:
    """Write a SAFE folder and return it. Bands and SCL are in their native pixel sizes."""
    safe = folder / f"S2A_MSI{level}_20230815T095031_N{baseline.replace('.', '')}_R079.SAFE"
    granule = GRANULE.format(level=level)
    layers = dict(bands) | ({} if scl is None else {"SCL": scl})
    images = {}
    for name, values in layers.items():
        pixel = NATIVE[name]
        where = f"IMG_DATA/R{pixel}m" if level == "L2A" else "IMG_DATA"
        suffix = f"_{pixel}m" if level == "L2A" else ""
        images[name] = f"{granule}/{where}/T33UUP_20230815T095031_{name}{suffix}"
        write_raster(
            safe / f"{images[name]}.jp2", values, pixel,
            driver="JP2OpenJPEG", georeferenced=georeferenced,
        )  # fmt: skip
    listed = {}
    for kind, content in (masks or {}).items():
        extension = "gml" if isinstance(content, str) else "jp2"
        listed[kind] = f"{granule}/QI_DATA/{kind}_B00.{extension}"
        if isinstance(content, str):
            (safe / listed[kind]).parent.mkdir(parents=True, exist_ok=True)
            (safe / listed[kind]).write_text(content, encoding="utf-8")
        else:
            write_raster(safe / listed[kind], content, 60, driver="JP2OpenJPEG")
    main = product_xml(
        level, baseline, images.values(), quantification=quantification, offsets=offsets
    )
    (safe / f"MTD_MSI{level}.xml").write_text(main, encoding="utf-8")
    side = max(band.shape[0] * NATIVE[name] // 10 for name, band in bands.items())
    (safe / granule / "MTD_TL.xml").write_text(granule_xml(level, listed, side), encoding="utf-8")
    return safe


def zip_product(safe: Path) -> Path:
    path = safe.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(safe.rglob("*")):
            archive.write(file, file.relative_to(safe.parent))
    return path


def product_item(root: Path, path: Path, **values: Any) -> Item:
    """An item that knows only where its product lies."""
    href = path.relative_to(root).as_posix()
    return Item(id="scene", collection="sentinel-2-l2a", assets=[Asset(key="product", href=href)],
                **values)  # fmt: skip


def catalogue_item(
    files: Mapping[str, dict[str, Any]], properties: Mapping[str, Any], *, name: str = "scene"
) -> Item:
    """An item as `stac-source` makes it of a STAC document."""
    return stac.from_dict(
        {
            "type": "Feature",
            "stac_version": "1.0.0",
            "id": name,
            "collection": "sentinel-2-l2a",
            "geometry": None,
            "properties": {"datetime": "2023-08-15T09:58:11Z", **properties},
            "links": [],
            "assets": dict(files),
        }
    )
