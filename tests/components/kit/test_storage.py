"""Where hrefs may lead, and bringing files into the shared folder."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.kit.errors import InputError, MissingDataError, StorageError
from components.kit.storage import Storage


def test_relative_hrefs_are_files_of_the_shared_folder(storage: Storage) -> None:
    assert storage.resolve("clean/B04.tif") == str(storage.root / "clean" / "B04.tif")
    assert storage.resolve("clean/../scenes/B04.tif") == str(storage.root / "scenes" / "B04.tif")


@pytest.mark.parametrize(
    ("href", "opened"),
    [
        ("s3://eodata/S2/a b#1.jp2", "/vsis3/eodata/S2/a b#1.jp2"),
        ("S3://eodata/x.tif", "/vsis3/eodata/x.tif"),
        ("https://host/x.tif?sig=1", "/vsicurl/https://host/x.tif?sig=1"),
        ("HTTPS://host/x.tif", "/vsicurl/https://host/x.tif"),
        ("http://host:81/x.tif", "/vsicurl/http://host:81/x.tif"),
    ],
)
def test_urls_become_what_gdal_opens(storage: Storage, href: str, opened: str) -> None:
    assert storage.resolve(href) == opened


@pytest.mark.parametrize(
    "href",
    [
        "",
        "..",
        "../other/x.tif",
        "clean/../../x.tif",
        "/etc/passwd",
        "/vsizip/x.zip",
        "file:///etc/passwd",
        "ftp://host/x.tif",
        "gs://bucket/x.tif",
        "simplecache::file:///etc/passwd",
        "zip://x::https://host/x.zip",
        "a\0b",
        "http://[broken/x.tif",
    ],
)
@pytest.mark.parametrize("use", [Storage.resolve, Storage.read_bytes])
def test_hrefs_that_lead_elsewhere_are_refused(
    storage: Storage, use: Callable[[Storage, str], Any], href: str
) -> None:
    with pytest.raises(InputError):
        use(storage, href)


def test_links_that_lead_outside_are_refused(storage: Storage, tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "x.xml").write_text("secret")
    (storage.root / "folder").symlink_to(tmp_path / "secret")
    (storage.root / "x.xml").symlink_to(tmp_path / "secret" / "x.xml")
    (storage.root / "circle").symlink_to("circle")
    for href in ("folder/x.xml", "x.xml", "circle"):
        with pytest.raises(InputError, match=href):
            storage.read_bytes(href)


def test_links_inside_are_followed(storage: Storage) -> None:
    (storage.output / "x.xml").write_text("<x/>")
    (storage.root / "link.xml").symlink_to("clean/x.xml")
    assert storage.read_bytes("link.xml") == b"<x/>"


def test_a_shared_folder_that_is_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "shared").symlink_to("real")
    storage = Storage(tmp_path / "shared", "clean")
    path = storage.output / "x.txt"
    path.write_text("x")
    assert storage.href(path) == "clean/x.txt"
    assert storage.read_bytes("clean/x.txt") == b"x"


@given(parts=st.lists(st.sampled_from(["..", ".", "a", "b.tif", "", "/", "~", "clean"])))
def test_no_combination_of_parts_leaves_the_folder(
    tmp_path_factory: pytest.TempPathFactory, parts: list[str]
) -> None:
    storage = Storage(tmp_path_factory.getbasetemp() / "shared", "clean")
    try:
        path = Path(storage.resolve("/".join(parts)))
    except InputError:
        return
    assert path.is_relative_to(storage.root)
    assert Path(storage.resolve(storage.href(path))) == path if path != storage.root else True


def test_an_output_outside_has_no_href(storage: Storage, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="outside the shared folder"):
        storage.href(tmp_path / "elsewhere.tif")


def test_documents(storage: Storage, tmp_path: Path) -> None:
    (storage.output / "a.json").write_bytes(b"{}")
    os.mkfifo(storage.output / "pipe")
    assert storage.read_bytes("clean/a.json") == b"{}"
    assert storage.read_bytes("clean/a.json", limit=2) == b"{}"
    with pytest.raises(InputError, match=r"clean/a.json is larger than 1 bytes"):
        storage.read_bytes("clean/a.json", limit=1)
    with pytest.raises(MissingDataError, match=r"clean/b.json does not exist"):
        storage.read_bytes("clean/b.json")
    with pytest.raises(MissingDataError, match="clean is not a file"):
        storage.read_bytes("clean")
    with pytest.raises(MissingDataError, match="pipe is not a file"):
        storage.read_bytes("clean/pipe")


@pytest.fixture
def product(tmp_path: Path) -> Path:
    """A small product folder outside the shared folder."""
    folder = tmp_path / "X.SAFE"
    (folder / "GRANULE" / "IMG").mkdir(parents=True)
    (folder / "manifest.xml").write_text("<manifest/>")
    (folder / "GRANULE" / "IMG" / "B04.jp2").write_bytes(b"pixels")
    (folder / "GRANULE" / "AUX").mkdir()
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_a_file_is_linked(storage: Storage, product: Path) -> None:
    href = storage.stage(product / "manifest.xml")
    assert href == "clean/manifest.xml"
    assert storage.read_bytes(href) == b"<manifest/>"
    assert Path(storage.resolve(href)).samefile(product / "manifest.xml")


def test_staging_twice_changes_nothing(storage: Storage, product: Path) -> None:
    for _ in range(2):
        assert storage.stage(product / "manifest.xml", "m.xml") == "clean/m.xml"
        assert storage.stage(product) == "clean/X.SAFE"
    assert sorted(path.name for path in storage.output.iterdir()) == ["X.SAFE", "m.xml"]


def test_a_newer_file_replaces_the_staged_one(storage: Storage, tmp_path: Path) -> None:
    for text in ("old", "new"):
        (tmp_path / text).write_text(text)
        storage.stage(tmp_path / text, "x.txt")
    assert contents(storage.output) == {"x.txt": b"new"}
    assert (tmp_path / "old").read_text() == "old"


def test_a_folder_keeps_its_structure(storage: Storage, product: Path) -> None:
    href = storage.stage(product, "scenes/X.SAFE")
    staged = Path(storage.resolve(href))
    assert href == "clean/scenes/X.SAFE"
    assert contents(staged) == contents(product)


def test_an_empty_folder(storage: Storage, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert Path(storage.resolve(storage.stage(tmp_path / "empty"))).is_dir()


def test_another_file_system_means_a_copy(
    storage: Storage, product: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(source: object, target: object) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), source, None, target)

    monkeypatch.setattr(os, "link", refuse)
    before = contents(product)
    staged = Path(storage.resolve(storage.stage(product)))
    assert contents(staged) == before == contents(product)
    assert not (staged / "manifest.xml").samefile(product / "manifest.xml")


def test_links_of_a_product(storage: Storage, product: Path, tmp_path: Path) -> None:
    (product / "inside.xml").symlink_to("manifest.xml")
    staged = Path(storage.resolve(storage.stage(product)))
    assert (staged / "inside.xml").read_text() == "<manifest/>"
    assert not (staged / "inside.xml").is_symlink()
    (product / "GRANULE" / "IMG" / "outside.xml").symlink_to("/etc/hostname")
    with pytest.raises(InputError, match="link to outside"):
        storage.stage(product, "again")
    (product / "GRANULE" / "IMG" / "outside.xml").unlink()
    (product / "up").symlink_to("GRANULE")
    with pytest.raises(InputError, match="link to a folder"):
        storage.stage(product, "again")


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/../../x", ".", "..", "a\0b"])
def test_a_name_that_leads_out_of_the_nodes_folder(
    storage: Storage, product: Path, name: str
) -> None:
    with pytest.raises(InputError):
        storage.stage(product / "manifest.xml", name)


def test_what_is_not_there_cannot_be_staged(storage: Storage, tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match="gone does not exist"):
        storage.stage(tmp_path / "gone")


def test_what_cannot_be_read_is_not_blamed_on_the_output(
    storage: Storage, product: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(source: object, target: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)
    plain_open = Path.open

    def denied(path: Path, *arguments: Any, **keywords: Any) -> Any:
        if path.name == "manifest.xml":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return plain_open(path, *arguments, **keywords)

    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(MissingDataError, match=r"manifest.xml cannot be read: Permission denied"):
        storage.stage(product / "manifest.xml", "m.xml")
    assert contents(storage.output) == {}


def test_a_shared_folder_that_cannot_be_written(tmp_path: Path, product: Path) -> None:
    (tmp_path / "shared").write_text("a file where the folder should be")
    storage = Storage(tmp_path / "shared", "clean")
    with pytest.raises(StorageError, match="shared/clean: Not a directory"):
        storage.stage(product)


def test_a_folder_in_the_place_of_the_file(storage: Storage, product: Path) -> None:
    (storage.output / "manifest.xml").mkdir()
    with pytest.raises(StorageError, match="Is a directory"):
        storage.stage(product / "manifest.xml")
    assert [path.name for path in storage.output.iterdir()] == ["manifest.xml"]
