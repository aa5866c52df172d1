"""What makes two requests equal, and answers fit into another run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.call_memory.digests import FileDigests, Stamp
from orchestrator.call_memory.errors import NotRememberableError
from orchestrator.call_memory.references import (
    ITEM,
    SharedFolder,
    from_template,
    normalise,
    params_content,
    to_template,
)
from protos.common.v1.item_pb2 import Asset, Item


class Memory:
    """A store of digests that counts how often it was asked to keep one."""

    def __init__(self) -> None:
        self.kept: dict[Stamp, str] = {}

    def digest_of(self, stamp: Stamp) -> str | None:
        return self.kept.get(stamp)

    def keep_digest(self, stamp: Stamp, digest: str) -> None:
        assert stamp not in self.kept, "a file was read twice"
        self.kept[stamp] = digest


def item(*hrefs: str, properties: str = "") -> bytes:
    assets = [Asset(key=str(n), href=href, properties=properties) for n, href in enumerate(hrefs)]
    return Item(id="i", assets=assets).SerializeToString()


def key(folder: Path, request: bytes) -> bytes:
    return normalise(request, ITEM, SharedFolder(folder), FileDigests(Memory()))[0]


def write(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def test_files_count_by_name_and_content_wherever_they_lie(tmp_path: Path) -> None:
    write(tmp_path / "a" / "B02.tif", "one")
    write(tmp_path / "b" / "c" / "B02.tif", "one")
    write(tmp_path / "b" / "B02.tif", "two")
    write(tmp_path / "b" / "B03.tif", "one")
    same = key(tmp_path, item("a/B02.tif"))
    assert key(tmp_path, item("b/c/B02.tif")) == same
    assert key(tmp_path, item("b/B02.tif")) != same
    assert key(tmp_path, item("b/B03.tif")) != same


def test_a_part_of_a_product_counts_with_all_of_it(tmp_path: Path) -> None:
    href = "scenes/S2A_X.SAFE/MTD_MSIL2A.xml"
    write(tmp_path / href, "<xml/>")
    band = write(tmp_path / "scenes" / "S2A_X.SAFE" / "IMG_DATA" / "B02.jp2", "one")
    before = key(tmp_path, item(href))
    assert key(tmp_path, item("scenes/S2A_X.SAFE")) != before
    write(band, "two")
    assert key(tmp_path, item(href)) != before


def test_every_file_is_read_once(tmp_path: Path) -> None:
    path = write(tmp_path / "a" / "x.tif", "one")
    link = tmp_path / "b" / "x.tif"
    link.parent.mkdir()
    link.hardlink_to(path)
    store = Memory()
    for _ in range(2):
        digests = FileDigests(store)
        assert digests.of(path) == digests.of(path) == digests.of(link)
    assert len(store.kept) == 1


@pytest.mark.parametrize(
    "href", ["../outside.txt", "/etc/hostname", "a/../../outside.txt", "link.txt", "", "gone.txt"]
)
def test_nothing_outside_the_shared_folder_is_read(tmp_path: Path, href: str) -> None:
    write(tmp_path / "outside.txt", "secret")
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "link.txt").symlink_to(tmp_path / "outside.txt")
    with pytest.raises(NotRememberableError):
        key(shared, item(href))


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(NotRememberableError, match="not a file"):
        key(tmp_path, item("pipe"))


def test_remote_content_is_unknown_unless_the_message_says_it(tmp_path: Path) -> None:
    url = "https://example.org/B02.tif"
    with pytest.raises(NotRememberableError, match="not known"):
        key(tmp_path, item(url))
    one, two = (json.dumps({"file:checksum": f"1220{digit * 64}"}) for digit in "ab")
    assert key(tmp_path, item(url, properties=one)) != key(tmp_path, item(url, properties=two))


def test_other_messages_count_as_they_are(tmp_path: Path) -> None:
    request = b"\xff any bytes"
    found = normalise(request, "tests.Word", SharedFolder(tmp_path), FileDigests(Memory()))
    assert found == (request, [])


def test_files_in_parameters_count_with_their_content(tmp_path: Path) -> None:
    path = write(tmp_path / "area.geojson", "one")
    params = {"clip": [str(path)], "size": 3}
    before = params_content(params, FileDigests(Memory()))
    assert params_content(params, FileDigests(Memory())) == before
    write(path, "another")
    assert params_content(params, FileDigests(Memory())) != before


@pytest.mark.parametrize("value", ["https://example.org/area.json", "/vsis3/bucket/key"])
def test_remote_parameters_are_not_remembered(value: str) -> None:
    with pytest.raises(NotRememberableError, match="not known"):
        params_content({"where": {"it": value}}, FileDigests(Memory()))


def test_an_answer_comes_back_with_the_folders_of_another_run() -> None:
    answer = item("work/a/own.tif", "source/given.tif", "https://example.org/x.tif")
    template, own = to_template(answer, ITEM, "work", ["other/z.tif", "source/given.tif"])
    assert own == ["a/own.tif"]
    given = from_template(template, ITEM, "node", ["p/z.tif", "q/given.tif"])
    assert given == item("node/a/own.tif", "q/given.tif", "https://example.org/x.tif")


@pytest.mark.parametrize("href", ["other/file.tif", "work/../x.tif", "work", "eoloom-own:x"])
def test_answers_with_files_of_nobody_known_are_not_remembered(href: str) -> None:
    with pytest.raises(NotRememberableError):
        to_template(item(href), ITEM, "work", [])
