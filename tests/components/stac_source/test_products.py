"""Folders of Sentinel products."""

import logging
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from components.kit.items import asset, properties
from components.stac_source.products import parse_product_name
from protos.common.v1.item_pb2 import Item

Search = Callable[..., list[Item]]
S2 = "S2B_MSIL2A_20220413T150759_N0400_R025_T33XWJ_20220414T082126"
S1 = "S1A_IW_SLC__1SDV_20200511T135117_20200511T135144_032518_03C421_7768"
MANIFEST = (
    '<x xmlns:gml="http://www.opengis.net/gml"><gml:coordinates>'
    "50.0 10.0 50.0 11.0 51.0 11.0 51.0 10.0 50.0 10.0</gml:coordinates></x>"
)
METADATA = (
    "<n1:a xmlns:n1='urn:x'><PROCESSING_BASELINE>04.00</PROCESSING_BASELINE>"
    "<n1:b><Cloud_Coverage_Assessment>12.5</Cloud_Coverage_Assessment></n1:b></n1:a>"
)


def _write(folder: Path, manifest: str | bytes = MANIFEST, metadata: str = METADATA) -> Path:
    folder.mkdir(parents=True)
    content = manifest if isinstance(manifest, bytes) else manifest.encode()
    (folder / "manifest.safe").write_bytes(content)
    (folder / "MTD_MSIL2A.xml").write_text(metadata)
    return folder


@pytest.mark.parametrize(
    ("name", "collection", "time"),
    [
        (f"{S2}.SAFE", "sentinel-2-l2a", "2022-04-13T15:07:59Z"),
        (f"{S2}.SAFE.zip", "sentinel-2-l2a", "2022-04-13T15:07:59Z"),
        ("S2A_MSIL1C_20210908T042701_N0301_R133_T46RER_20210908T070248.zip", "sentinel-2-l1c",
         "2021-09-08T04:27:01Z"),
        (f"{S1}.zip", "sentinel-1-slc", "2020-05-11T13:51:17Z"),
        ("S1B_IW_GRDH_1SDV_20211223T051122_20211223T051147_030148_039993_5371.SAFE",
         "sentinel-1-grd", "2021-12-23T05:11:22Z"),
    ],
)  # fmt: skip
def test_names_say_collection_and_time(name: str, collection: str, time: str) -> None:
    product = parse_product_name(name)
    assert product is not None
    assert (product.collection, product.properties["datetime"]) == (collection, time)


@pytest.mark.parametrize("name", ["scene.SAFE", f"{S2}.tar.gz", f"{S2}", f"x{S2}.SAFE", "a.zip"])
def test_other_names_are_no_products(name: str) -> None:
    assert parse_product_name(name) is None


def test_a_folder_of_products(search: Search, tmp_path: Path, shared: Path) -> None:
    _write(tmp_path / "products" / f"{S2}.SAFE")
    (tmp_path / "products" / "notes.txt").touch()
    (item,) = search(tmp_path / "products", query={"eo:cloud_cover": {"lt": 20}},
                     bbox=[10.5, 50.5, 10.6, 50.6])  # fmt: skip
    assert (item.id, item.collection) == (S2, "sentinel-2-l2a")
    assert list(item.bbox) == [10, 50, 11, 51]
    found = properties(item)
    assert found["s2:processing_baseline"] == "04.00"
    assert found["grid:code"] == "MGRS-33XWJ"
    assert found["platform"] == "sentinel-2b"
    href = asset(item, "product").href
    assert href.endswith(f"{S2}.SAFE")
    assert (shared / href / "manifest.safe").read_text() == MANIFEST


def test_a_product_itself_may_be_given_also_zipped(
    search: Search, tmp_path: Path, shared: Path
) -> None:
    folder = _write(tmp_path / f"{S2}.SAFE")
    assert search(folder)[0].id == S2
    archive = tmp_path / f"{S2}.SAFE.zip"
    with zipfile.ZipFile(archive, "w") as target:
        for file in folder.iterdir():
            target.write(file, f"{S2}.SAFE/{file.name}")
    (item,) = search(archive)
    assert properties(item)["eo:cloud_cover"] == 12.5
    assert item.assets[0].media_type == "application/zip"
    assert zipfile.is_zipfile(shared / item.assets[0].href)


ENTITIES = '<!DOCTYPE x [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;&a;">]><x>&b;</x>'


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        (b"not xml", "syntax error"),
        (ENTITIES, "declares a document type"),
        (ENTITIES.encode("utf-16"), "declares a document type"),
        ("<x/>", "no footprint"),
        (MANIFEST.replace("50.0 10.0", "50.0 ten", 1), "could not convert"),
    ],
)
def test_metadata_that_cannot_be_read_is_a_warning(
    search: Search,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    manifest: str | bytes,
    said: str,
) -> None:
    _write(tmp_path / f"{S2}.SAFE", manifest)
    with caplog.at_level(logging.WARNING):
        (item,) = search(tmp_path / f"{S2}.SAFE")
    assert not item.bbox
    assert any(said in record.message for record in caplog.records)


def test_a_damaged_archive_is_a_warning(
    search: Search, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / f"{S2}.SAFE.zip").write_bytes(b"PK\x03\x04 and no more")
    assert search(tmp_path)[0].id == S2
    assert any("its metadata cannot be read" in record.message for record in caplog.records)


def test_a_link_out_of_a_product_is_not_read(
    search: Search, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = _write(tmp_path / "products" / f"{S2}.SAFE")
    (tmp_path / "secret.xml").write_text(MANIFEST)
    (folder / "manifest.safe").unlink()
    (folder / "manifest.safe").symlink_to(tmp_path / "secret.xml")
    with pytest.raises(Exception, match="link to outside"):
        search(tmp_path / "products")
    assert any("link to outside" in record.message for record in caplog.records)


@pytest.mark.data
def test_real_metadata(search: Search, eoloom_data: Path, tmp_path: Path) -> None:
    for archive in sorted((eoloom_data / "s2_preprocess/metadata").glob("S2*.tar.gz")):
        with tarfile.open(archive) as source:
            source.extractall(tmp_path / "products", filter="data")
    found = search(tmp_path / "products")
    assert [item.collection for item in found] == ["sentinel-2-l1c", "sentinel-2-l2a"]
    first, second = map(properties, found)
    assert (first["s2:processing_baseline"], second["s2:processing_baseline"]) == ("03.01", "04.00")
    assert first["eo:cloud_cover"] == pytest.approx(88.2972)
    # 46RER begins at 93 degrees east; the product covers its western part.
    assert found[0].bbox[0] == pytest.approx(93.0, abs=0.01)
