import json
import re
import tarfile
from pathlib import Path

import pytest

from components.kit.errors import InputError
from components.s2_preprocess.product import Product, parse_granule, parse_product
from tests.components.s2_preprocess.products import GRANULE, granule_xml, product_xml

IMAGE = GRANULE.format(level="L2A") + "/IMG_DATA/R10m/T33UUP_20230815T095031_B04_10m"


def parse(text: str) -> Product:
    return parse_product(text.encode(), "MTD_MSIL2A.xml")


def test_offsets_are_read_per_band() -> None:
    product = parse(product_xml("L2A", "05.09", [IMAGE], offsets={"B04": -1000, "B8A": -1005}))
    assert product.offsets["B04"] == -1000
    assert product.offsets["B8A"] == -1005
    assert product.offsets["B02"] == 0


def test_metadata_without_offsets_has_none() -> None:
    assert set(parse(product_xml("L2A", "02.14", [IMAGE])).offsets.values()) == {0.0}


def test_level_1c_has_its_own_names() -> None:
    image = GRANULE.format(level="L1C") + "/IMG_DATA/T33UUP_20230815T095031_B10"
    text = product_xml("L1C", "05.09", [image], quantification=5000, offsets={"B10": -1000})
    product = parse_product(text.encode(), "MTD_MSIL1C.xml")
    assert (product.level, product.quantification) == ("L1C", 5000)
    assert product.offsets["B10"] == -1000
    assert [(i.name, i.resolution_m, i.path.suffix) for i in product.images] == [("B10", 0, ".jp2")]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("10000", "ten"), "BOA_QUANTIFICATION_VALUE 'ten' is not a number"),
        (("10000", "0"), "quantification value 0 is not positive"),
        (("10000", "inf"), "'inf' is not a number"),
        (('band_id="3"', 'band_id="99"'), "band '99', which does not exist"),
        (("PROCESSING_LEVEL", "LEVEL"), "has no PROCESSING_LEVEL"),
        (("Level-2A</", "Level-3A</"), "'Level-3A' is neither Level-1C nor Level-2A"),
        (("GRANULE/", "../../etc/"), "is not a path inside the product"),
        (("GRANULE/", "/etc/"), "is not a path inside the product"),
        (("_T33UUP_N", "_N"), "names no tile"),
        (("IMAGE_FILE", "IMAGE_ID"), "lists no image files"),
        (("</n1:General_Info>", ""), "is not XML"),
    ],
)
def test_metadata_without_sense_is_one_sentence(change: tuple[str, str], message: str) -> None:
    text = product_xml("L2A", "05.09", [IMAGE], offsets={"B04": -1000}).replace(*change)
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        parse(text)
    assert "MTD_MSIL2A.xml" in str(caught.value)


def test_several_tiles_are_refused() -> None:
    other = IMAGE.replace("L2A_T33UUP", "L2A_T33UVP")
    with pytest.raises(InputError, match="has 2 tiles"):
        parse(product_xml("L2A", "05.09", [IMAGE, other]))


@pytest.mark.parametrize(
    "doctype",
    [
        '<!DOCTYPE a [<!ENTITY x "1000">]>',
        '<!DOCTYPE a [<!ENTITY x "aa"><!ENTITY y "&x;&x;&x;">]>',
        '<!DOCTYPE a SYSTEM "file:///etc/passwd">',
    ],
)
def test_entities_are_refused(doctype: str) -> None:
    head, body = product_xml("L2A", "05.09", [IMAGE]).split("\n", 1)
    with pytest.raises(InputError, match="document type 'a' is declared"):
        parse(f"{head}\n{doctype}\n{body}")


def test_granule_gives_grids_and_angles() -> None:
    path = "GRANULE/X/QI_DATA/MSK_CLASSI_B00.jp2"
    granule = parse_granule(granule_xml("L2A", {"MSK_CLASSI": path}).encode(), "MTD_TL.xml")
    assert granule.grids[20].shape == (30, 30)
    assert tuple(granule.grids[20].transform)[:6] == (20, 0, 300000, 0, -20, 5900040)
    assert str(granule.grids[20].crs) == "EPSG:32633"
    assert (granule.sun_zenith, granule.sun_azimuth) == (34.25, 151.5)
    assert {kind: str(file) for kind, file in granule.masks.items()} == {"MSK_CLASSI": path}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("EPSG:32633", "32633"), "HORIZONTAL_CS_CODE '32633' is not an EPSG code"),
        (("Size", "Extent"), "has no Size for resolution '10'"),
        (("ULX", "X"), "has no ULX"),
        (("Mean_Sun_Angle", "Sun"), "has no Mean_Sun_Angle"),
    ],
)
def test_granule_without_sense_is_one_sentence(change: tuple[str, str], message: str) -> None:
    text = granule_xml("L2A").replace(*change)
    with pytest.raises(InputError, match=re.escape(message)):
        parse_granule(text.encode(), "MTD_TL.xml")


# What the real products are, by their own names and the values printed in their metadata.
REAL = {
    "N0214": ("L2A", "02.14", "sentinel-2b", "22HBD", 0.0),
    "N0301": ("L1C", "03.01", "sentinel-2a", "46RER", 0.0),
    "N0400": ("L2A", "04.00", "sentinel-2b", "33XWJ", -1000.0),
}


def real_product(data: Path, baseline: str, folder: Path) -> Path:
    """Unpack the real metadata of a baseline."""
    (archive,) = (data / "s2_preprocess" / "metadata").glob(f"*_{baseline}_*.tar.gz")
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    return folder / archive.name.removesuffix(".tar.gz")


@pytest.mark.data
@pytest.mark.parametrize("baseline", REAL)
def test_real_metadata_equals_what_another_reader_made_of_it(
    eoloom_data: Path, baseline: str, tmp_path: Path
) -> None:
    safe = real_product(eoloom_data, baseline, tmp_path)
    (main,) = safe.glob("MTD_MSI*.xml")
    product = parse_product(main.read_bytes(), main.name)
    assert (
        product.level,
        product.baseline,
        product.platform,
        product.tile,
        product.offsets["B04"],
    ) == REAL[baseline]
    granule = parse_granule((safe / product.granule / "MTD_TL.xml").read_bytes(), "MTD_TL.xml")
    # expected_output.json was made by stactools-sentinel2.
    document = json.loads((safe / "expected_output.json").read_text(encoding="utf-8"))
    item = document["properties"]
    assert product.cloud_cover == item["eo:cloud_cover"]
    assert product.orbit == item["sat:relative_orbit"]
    assert f"EPSG:{granule.grids[10].crs.to_epsg()}" == item["proj:code"]
    assert 90 - granule.sun_zenith == pytest.approx(item["view:sun_elevation"])
    assert granule.sun_azimuth == pytest.approx(item["view:sun_azimuth"])
    reflectances = [a for a in document["assets"].values() if "reflectance" in a.get("roles", ())]
    assert reflectances
    for asset in reflectances:
        name, (stored,) = asset["eo:bands"][0]["name"], asset["raster:bands"]
        assert product.offsets[name] / product.quantification == stored["offset"]
        assert 1 / product.quantification == stored["scale"]
        assert asset["href"].removeprefix("./") in {str(image.path) for image in product.images}
        grid = granule.grids[round(asset["proj:transform"][0])]
        assert list(grid.shape) == asset["proj:shape"]
        assert list(grid.transform)[:6] == asset["proj:transform"]


@pytest.mark.data
def test_real_tile_metadata_of_baseline_05_09(eoloom_data: Path) -> None:
    folder = eoloom_data / "s2_preprocess" / "mapchete_l2a_120m" / "S2A_33TWL_20230815_0_L2A"
    granule = parse_granule((folder / "granule_metadata.xml").read_bytes(), "MTD_TL.xml")
    item = json.loads((folder / f"{folder.name}.json").read_text(encoding="utf-8"))
    assert 90 - granule.sun_zenith == pytest.approx(item["properties"]["view:sun_elevation"])
    assert list(granule.grids[10].transform)[:6] == item["assets"]["red"]["proj:transform"]
    assert granule.masks["MSK_CLASSI"].name == "MSK_CLASSI_B00.jp2"
