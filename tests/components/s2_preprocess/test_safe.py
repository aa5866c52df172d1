import re
import shutil
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from components.kit.errors import InputError, MissingDataError
from components.kit.storage import Storage
from components.s2_preprocess.safe import product_href, read_product_scene
from components.s2_preprocess.scene import Scene
from protos.common.v1.item_pb2 import Asset, Item
from tests.components.s2_preprocess.products import (
    SIDE,
    product_item,
    random_dn,
    write_product,
    zip_product,
)

OFFSETS = {"B04": -1000.0, "B08": -1000.0}


@pytest.fixture
def safe(shared: Path) -> Path:
    bands = {"B04": random_dn(SIDE), "B08": random_dn(SIDE, seed=1)}
    scl = np.full((SIDE // 2, SIDE // 2), 4, np.uint8)
    return write_product(shared, bands, offsets=OFFSETS, scl=scl)


def read(shared: Path, path: Path) -> Scene:
    item = product_item(shared, path)
    href = product_href(item)
    assert href is not None
    return read_product_scene(item, href, Storage(shared, "clean"))


def test_a_folder_its_metadata_and_a_zip_are_the_same_scene(shared: Path, safe: Path) -> None:
    scenes = [read(shared, path) for path in (safe, safe / "MTD_MSIL2A.xml", zip_product(safe))]
    for scene in scenes:
        assert set(scene.bands) == {"B04", "B08"}
        assert scene.level == "L2A"
        assert scene.scl is not None
        assert scene.offset is not None
        assert dict(scene.offset.offsets) == OFFSETS
        assert scene.offset.certain
        assert scene.properties["s2:mgrs_tile"] == "33UUP"
        assert scene.properties["view:sun_elevation"] == 55.75
        assert scene.properties["eo:cloud_cover"] == 12.5
        assert scene.time == "2023-08-15T09:50:31.024Z"
        assert scene.outline[0] == (12.02, 53.2)
    assert scenes[2].bands["B04"][0].path.startswith("/vsizip/{")


@pytest.mark.parametrize(
    ("href", "found"),
    [
        ("a/S2A.SAFE", True),
        ("s3://eodata/x/S2A.SAFE/", True),
        ("a/S2A.zip", True),
        ("a/MTD_MSIL1C.xml", True),
        ("a/manifest.safe", True),
        ("a/product.xml", False),
        ("a/B04.jp2", False),
    ],
)
def test_products_are_known_by_their_names(href: str, found: bool) -> None:
    item = Item(id="i", assets=[Asset(key="x", href=href)])
    assert (product_href(item) == href) is found


def test_what_is_missing_is_named(shared: Path, safe: Path) -> None:
    with pytest.raises(MissingDataError, match=r"other.SAFE does not exist"):
        read(shared, shared / "other.SAFE")
    (safe / "MTD_MSIL2A.xml").unlink()
    with pytest.raises(MissingDataError, match=r"has no MTD_MSIL1C.xml or MTD_MSIL2A.xml"):
        read(shared, safe)


def test_a_product_without_tile_metadata(shared: Path, safe: Path) -> None:
    (tile,) = safe.rglob("MTD_TL.xml")
    tile.unlink()
    with pytest.raises(MissingDataError, match=r"MTD_TL.xml"):
        read(shared, safe)
    with pytest.raises(MissingDataError, match=r"has no .*MTD_TL.xml"):
        read(shared, zip_product(safe))


def test_a_truncated_zip(shared: Path, safe: Path) -> None:
    path = zip_product(safe)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(MissingDataError, match=r"is not a zip, or it is truncated"):
        read(shared, path)


def test_a_damaged_document_in_a_zip(shared: Path, safe: Path) -> None:
    path = zip_product(safe)
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        member = next(m for m in archive.infolist() if m.filename.endswith("MTD_MSIL2A.xml"))
        start = member.header_offset + 30 + len(member.filename)
    content[start : start + 100] = bytes(100)
    path.write_bytes(content)
    with pytest.raises((MissingDataError, InputError), match=r"MTD_MSIL2A.xml"):
        read(shared, path)


def test_a_zip_elsewhere_is_to_be_fetched() -> None:
    href = "https://example.org/S2A.zip"
    item = Item(id="i", assets=[Asset(key="product", href=href)])
    with pytest.raises(InputError, match="can only be read from the shared folder"):
        read_product_scene(item, href, Storage(Path("/tmp"), "clean"))  # noqa: S108 - not touched


def add_members(path: Path, names: list[str], content: bytes = b"x") -> Path:
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize("name", ["../escape.txt", "/etc/passwd", "S2A.SAFE/../../x", "a\\..\\b"])
def test_paths_that_lead_out_of_a_zip_are_refused(shared: Path, safe: Path, name: str) -> None:
    path = add_members(zip_product(safe), [name])
    with pytest.raises(InputError, match="a path that leads out of it"):
        read(shared, path)


def test_a_nameless_file_in_a_zip_is_refused(shared: Path, safe: Path) -> None:
    path = zip_product(safe)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(zipfile.ZipInfo(""), "content")
    with pytest.raises(InputError, match="holds a file without a name"):
        read(shared, path)


def test_a_bomb_is_refused_by_its_ratio(shared: Path, safe: Path) -> None:
    path = add_members(zip_product(safe), ["S2A.SAFE/bomb.jp2"], bytes(30_000_000))
    with pytest.raises(InputError, match=r"bomb.jp2' unpacks to 30000000 bytes from \d+"):
        read(shared, path)


def test_a_bomb_that_lies_about_its_size_is_not_unpacked(shared: Path, safe: Path) -> None:
    # The table of contents says 40 bytes; more is there, but reading stops and checks.
    path = zip_product(safe)
    content = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        member = next(m for m in archive.infolist() if m.filename.endswith("MTD_MSIL2A.xml"))
    true, lie = struct.pack("<L", member.file_size), struct.pack("<L", 40)
    path.write_bytes(content.replace(true, lie))
    with pytest.raises((MissingDataError, InputError), match=r"MTD_MSIL2A.xml"):
        read(shared, path)


def test_too_many_files_are_refused(shared: Path, safe: Path) -> None:
    path = add_members(zip_product(safe), [f"S2A.SAFE/{n}" for n in range(5001)])
    with pytest.raises(InputError, match="a product has at most 5000"):
        read(shared, path)


def test_links_in_a_zip_are_refused(shared: Path, safe: Path) -> None:
    path = zip_product(safe)
    link = zipfile.ZipInfo("S2A.SAFE/link")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(InputError, match=r"link', a link; it is refused"):
        read(shared, path)


def test_two_products_in_a_zip_are_refused(shared: Path, safe: Path) -> None:
    path = add_members(zip_product(safe), ["Other.SAFE/MTD_MSIL2A.xml"])
    with pytest.raises(InputError, match="holds 2 Sentinel-2 products"):
        read(shared, path)


def test_links_out_of_the_shared_folder_are_not_followed(
    shared: Path, safe: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside.xml"
    shutil.move(safe / "MTD_MSIL2A.xml", outside)
    (safe / "MTD_MSIL2A.xml").symlink_to(outside)
    with pytest.raises(InputError, match="leaves the shared folder"):
        read(shared, safe)


def test_image_paths_that_lead_out_are_refused(shared: Path, safe: Path) -> None:
    main = safe / "MTD_MSIL2A.xml"
    text = re.sub(r"<IMAGE_FILE>[^<]*B04", "<IMAGE_FILE>../../../x_B04", main.read_text())
    main.write_text(text)
    with pytest.raises(InputError, match="is not a path inside the product"):
        read(shared, safe)
