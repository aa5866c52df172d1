"""Static catalogues on disk, sound, broken and hostile."""

import json
import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from components.kit import InputError, MissingDataError
from components.kit.items import asset
from components.stac_source import static
from protos.common.v1.item_pb2 import Item
from tests.components.stac_source.conftest import make_item, write_catalogue, write_json

Search = Callable[..., list[Item]]


def _warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if record.levelno == logging.WARNING]


def test_local_files_are_brought_into_the_run(search: Search, tmp_path: Path, shared: Path) -> None:
    items = [make_item("late", datetime="2023-08-15T10:00:00Z"), make_item("early")]
    write_catalogue(tmp_path / "c", items)
    found = search(tmp_path / "c")
    assert [item.id for item in found] == ["early", "late"]
    for item in found:
        href = asset(item, "red").href
        assert href == f"source/{item.id}/red.tif"
        assert (shared / href).read_bytes() == item.id.encode()
    assert found[0].collection == "scenes"
    assert json.loads(found[0].properties)["eo:cloud_cover"] == 5.0


@pytest.mark.parametrize("start", ["c/collection.json", "c/early/early.json", "c/early", "c"])
def test_a_file_or_a_folder_may_be_given(search: Search, tmp_path: Path, start: str) -> None:
    write_catalogue(tmp_path / "c", [make_item("early")])
    assert [item.id for item in search(tmp_path / start)] == ["early"]


def test_item_collections_and_nested_catalogues(search: Search, tmp_path: Path) -> None:
    write_catalogue(tmp_path / "top/scenes", [make_item("one")])
    write_catalogue(tmp_path / "top/others", [make_item("two", datetime="2024-01-01T00:00:00Z")],
                    id="others")  # fmt: skip
    write_json(tmp_path / "top/catalog.json", {
        "type": "Catalog", "stac_version": "1.0.0", "id": "top", "description": "",
        "links": [{"rel": "child", "href": "./scenes/collection.json"},
                  {"rel": "child", "href": "./others/collection.json"}],
    })  # fmt: skip
    assert [item.id for item in search(tmp_path / "top")] == ["one", "two"]
    # Whole collections are passed over by their name.
    assert [item.id for item in search(tmp_path / "top", collections=["scenes"])] == ["one"]
    with pytest.raises(InputError, match=r"collections landsat has any; there also are others, sc"):
        search(tmp_path / "top", collections=["landsat"])
    features = {"type": "FeatureCollection", "features": [make_item("three")]}
    (tmp_path / "red.tif").touch()
    assert search(write_json(tmp_path / "items.json", features))[0].id == "three"


def test_an_item_without_a_collection_gets_that_of_its_parent(
    search: Search, tmp_path: Path
) -> None:
    item = make_item("one")
    del item["collection"]
    write_catalogue(tmp_path / "c", [item])
    assert search(tmp_path / "c", collections=["scenes"])[0].collection == "scenes"


def test_only_the_assets_asked_for(
    search: Search, tmp_path: Path, shared: Path, caplog: pytest.LogCaptureFixture
) -> None:
    item = make_item("one")
    item["assets"]["blue"] = {"href": "blue.tif"}
    write_catalogue(tmp_path / "c", [item, make_item("two")])
    (tmp_path / "c/one/blue.tif").touch()
    found = search(tmp_path / "c", assets=["red", "blue"])
    assert [[each.key for each in item.assets] for item in found] == [["red", "blue"], ["red"]]
    assert any("1 items lack an asset" in text and "two has no blue" in text
               for text in _warnings(caplog))  # fmt: skip
    with pytest.raises(InputError, match=r"'one' has none of the assets bleu; did you mean 'blue'"):
        search(tmp_path / "c", assets=["bleu"], ids=["one"])


def test_links_to_missing_items_are_one_warning(
    search: Search, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_catalogue(tmp_path / "c", [make_item("here")])
    document = json.loads(path.read_text())
    document["links"] += [{"rel": "item", "href": f"./gone-{n}.json"} for n in range(50)]
    write_json(path, document)
    assert [item.id for item in search(path)] == ["here"]
    (warning,) = _warnings(caplog)
    assert warning.startswith("50 linked documents are not there")
    assert "gone-0.json" in warning
    assert len(warning) < 1000


def test_broken_items_are_one_warning(
    search: Search, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    items = [make_item("good"), make_item("timeless", datetime=None), make_item("text")]
    path = write_catalogue(tmp_path / "c", items)
    (tmp_path / "c/text/text.json").write_text("<html>")
    document = json.loads(path.read_text())
    document["links"] += [{"rel": "item"}, {"rel": "item", "href": 7}, "text", None]
    write_json(path, document)
    assert [item.id for item in search(path)] == ["good"]
    (warning,) = _warnings(caplog)
    assert warning.startswith("4 documents are not STAC")


def test_missing_local_assets_are_left_out(
    search: Search, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    item = make_item("one")
    item["assets"] |= {"nir": {"href": "./nir.tif"}, "remote": {"href": "https://x.org/a.tif"},
                       "tape": {"href": "tape://x"}}  # fmt: skip
    write_catalogue(tmp_path / "c", [item, make_item("empty")])
    (tmp_path / "c/empty/red.tif").unlink()
    (found,) = search(tmp_path / "c")
    assert {each.key: each.href for each in found.assets} == {
        "red": "source/one/red.tif",
        "remote": "https://x.org/a.tif",
    }
    told = " | ".join(_warnings(caplog))
    assert "2 local assets are not there" in told
    assert "one/tape" in told
    assert "1 items have no asset that can be read" in told
    with pytest.raises(MissingDataError, match=r"such as empty, but none of their assets"):
        search(tmp_path / "c", ids=["empty"])


def test_two_files_of_one_name_stay_two(search: Search, tmp_path: Path, shared: Path) -> None:
    item = make_item("one")
    item["assets"] = {"fine": {"href": "10m/B02.tif"}, "coarse": {"href": "20m/B02.tif"}}
    write_catalogue(tmp_path / "c", [item])
    for name in ("10m", "20m"):
        (tmp_path / "c/one" / name).mkdir()
        (tmp_path / "c/one" / name / "B02.tif").write_text(name)
    (found,) = search(tmp_path / "c")
    hrefs = {each.key: each.href for each in found.assets}
    assert (shared / hrefs["fine"]).read_text() == "10m"
    assert (shared / hrefs["coarse"]).read_text() == "20m"


def test_ids_cannot_choose_where_files_go(search: Search, tmp_path: Path, shared: Path) -> None:
    items = [make_item("../../up"), make_item(".hidden"), make_item("a/b"), make_item("a_b")]
    for number, item in enumerate(items):
        item["assets"]["red"]["href"] = f"{number}.tif"
        (tmp_path / f"{number}.tif").write_text(str(number))
    features = {"type": "FeatureCollection", "features": items}
    found = search(write_json(tmp_path / "items.json", features))
    hrefs = {item.assets[0].href for item in found}
    assert len(hrefs) == 4
    for href in hrefs:
        path = (shared / href).resolve()
        assert path.is_relative_to(shared / "source")
        assert path.is_file()
        assert not any(part.startswith(".") for part in Path(href).parts)


@pytest.mark.parametrize(
    "href",
    ["../../secret.tif", "/etc/passwd", "file:///etc/passwd", "..\\..\\x/../../../secret.tif",
     "%2e%2e/%2e%2e/secret.tif", "link.tif", "loop.tif", "a\0b", "x" * 5000],
)  # fmt: skip
def test_assets_outside_of_the_catalogue_are_refused(
    search: Search, tmp_path: Path, href: str
) -> None:
    (tmp_path / "secret.tif").write_text("secret")
    item = make_item("one")
    item["assets"]["red"]["href"] = href
    write_catalogue(tmp_path / "c", [item])
    (tmp_path / "c/one/link.tif").symlink_to(tmp_path / "secret.tif")
    (tmp_path / "c/one/loop.tif").symlink_to("loop.tif")
    with pytest.raises((InputError, MissingDataError)) as caught:
        search(tmp_path / "c")
    if isinstance(caught.value, InputError):
        assert "'one', asset 'red'" in str(caught.value)
        assert "leaves the catalogue's folder" in str(caught.value)
    assert not list((tmp_path / "shared").rglob("*secret*"))
    assert not list((tmp_path / "shared").rglob("passwd"))


def test_links_out_of_a_plain_folder_are_not_followed(
    search: Search, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "folder"
    write_json(folder / "inside.json", make_item("inside"))
    (folder / "red.tif").touch()
    write_json(tmp_path / "elsewhere/outside.json", make_item("outside"))
    (folder / "link.json").symlink_to(tmp_path / "elsewhere/outside.json")
    (folder / "link").symlink_to(tmp_path / "elsewhere")
    (folder / "again").symlink_to(folder)
    (folder / "loop.json").symlink_to("loop.json")
    assert [item.id for item in search(folder)] == ["inside"]
    assert any(text.startswith("4 links lead out of") for text in _warnings(caplog))


@pytest.mark.parametrize("href", ["", ".", "..", "sub"])
def test_a_folder_is_no_asset_unless_it_is_a_product(
    search: Search, tmp_path: Path, href: str, caplog: pytest.LogCaptureFixture
) -> None:
    item = make_item("one")
    item["assets"]["folder"] = {"href": href}
    write_catalogue(tmp_path / "c", [item])
    (tmp_path / "c/one/sub").mkdir()
    (found,) = search(tmp_path / "c")
    assert [each.key for each in found.assets] == ["red"]
    assert any("one/folder" in text for text in _warnings(caplog))


def test_what_would_wait_for_ever_is_not_opened(search: Search, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "catalog.json")
    with pytest.raises(MissingDataError, match=r"catalog.json is not a file"):
        search(tmp_path / "catalog.json")


def test_items_of_one_id_keep_their_own_files(search: Search, tmp_path: Path, shared: Path) -> None:
    items = [make_item("same"), make_item("same")]
    for name, item in zip(("one.tif", "two.tif"), items, strict=True):
        item["assets"]["red"]["href"] = name
        (tmp_path / name).write_text(name)
    features = {"type": "FeatureCollection", "features": items}
    found = search(write_json(tmp_path / "items.json", features))
    contents = {(shared / asset(item, "red").href).read_text() for item in found}
    assert contents == {"one.tif", "two.tif"}


def test_an_item_with_odd_values_does_not_stop_the_others(
    search: Search, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    odd = [make_item(f"odd{n}") for n in range(4)]
    odd[0]["assets"]["red"]["raster:bands"] = [{"scale": "big"}]
    odd[1]["assets"] = {"red": {"href": 7}}
    odd[2]["bbox"] = [10**400] * 4
    odd[2]["geometry"] = None
    odd[3]["links"] = 7
    write_catalogue(tmp_path / "c", [make_item("good"), *odd])
    assert "good" in [item.id for item in search(tmp_path / "c")]
    assert any("are not valid STAC" in text for text in _warnings(caplog))


def test_links_out_of_the_catalogue_are_not_followed(
    search: Search, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_json(tmp_path / "outside.json", make_item("outside"))
    path = write_catalogue(tmp_path / "c", [make_item("inside")])
    document = json.loads(path.read_text())
    document["links"] += [
        {"rel": "item", "href": "../outside.json"},
        {"rel": "item", "href": "https://127.0.0.1:1/item.json"},
        {"rel": "child", "href": "/etc/passwd"},
    ]
    write_json(path, document)
    assert [item.id for item in search(path)] == ["inside"]
    assert any(text.startswith("3 links lead out of") for text in _warnings(caplog))


def test_cycles_end_and_items_come_once(search: Search, tmp_path: Path) -> None:
    path = write_catalogue(tmp_path / "c", [make_item("one")])
    document = json.loads(path.read_text())
    document["links"] += [
        {"rel": "child", "href": "./collection.json"},
        {"rel": "child", "href": "./other.json"},
        {"rel": "item", "href": "one/one.json"},
        {"rel": "item", "href": "./one/../one/one.json"},
    ]
    write_json(path, document)
    back = {
        "type": "Catalog",
        "id": "other",
        "links": [{"rel": "child", "href": "collection.json"}],
    }
    write_json(tmp_path / "c/other.json", back)
    assert [item.id for item in search(path)] == ["one"]


def test_an_endless_catalogue_is_refused(
    search: Search, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(static, "DOCUMENT_LIMIT", 20)
    write_catalogue(tmp_path / "c", [make_item(f"i{n}") for n in range(30)])
    with pytest.raises(InputError, match="more than 20 documents"):
        search(tmp_path / "c")


def test_a_huge_document_is_refused(
    search: Search, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("components.stac_source.documents.DOCUMENT_LIMIT_BYTES", 1000)
    (tmp_path / "catalog.json").write_text(" " * 2000)
    with pytest.raises(InputError, match=r"catalog.json is larger than"):
        search(tmp_path / "catalog.json")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("not json", "is not JSON"),
        ("[" * 100_000, "nested too deeply"),
        ("[]", "has no items"),
        ('{"type": "Catalog", "links": 7}', "has no items"),
        ('{"type": "FeatureCollection", "features": {"a": 1}}', "has no items"),
        ("\ud800".encode("utf-8", "surrogatepass"), "is not JSON"),
    ],
)
def test_what_is_no_catalogue_is_an_input_error(
    search: Search, tmp_path: Path, content: str | bytes, said: str
) -> None:
    path = tmp_path / "catalog.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=said):
        search(path)


def test_a_catalogue_that_is_not_there_is_named(search: Search, tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match=r"nothing does not exist"):
        search(tmp_path / "nothing")
    with pytest.raises(InputError, match=r"s3://bucket/catalog.json: only paths, http"):
        search("s3://bucket/catalog.json")
    with pytest.raises(InputError, match=r"neither catalog.json nor collection.json"):
        search(tmp_path)


def test_more_matches_than_the_limit_is_a_warning(
    search: Search, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_catalogue(tmp_path / "c", [make_item(f"i{n}") for n in range(5)])
    assert [item.id for item in search(tmp_path / "c", limit=2)] == ["i0", "i1"]
    assert any("`limit` (2)" in text for text in _warnings(caplog))


@pytest.mark.data
def test_the_real_catalogue(
    search: Search, eoloom_data: Path, shared: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = eoloom_data / "s2_preprocess/mapchete_l2a_120m"
    found = search(folder, collections=["sentinel-2-l2a"], datetime="2023-08-13/2023-08-15")
    assert [item.id for item in found] == ["S2B_33TWL_20230813_0_L2A", "S2A_33TWL_20230815_0_L2A"]
    assert any("7 linked documents are not there" in text for text in _warnings(caplog))
    for item in found:
        for key, name in (("blue", "B02.tif"), ("scl", "SCL.tif"),
                          ("granule_metadata", "granule_metadata.xml")):  # fmt: skip
            href = asset(item, key).href
            original = folder / item.id / name
            assert (shared / href).stat().st_size == original.stat().st_size
        assert asset(item, "aot").href.startswith("https://sentinel-cogs.s3.us-west-2")
        band = asset(item, "red").bands[0]
        assert (band.name, band.scale, band.offset) == ("red", 0.0001, -0.1)
    clear = search(folder, query={"eo:cloud_cover": {"lt": 1}})
    assert [item.id for item in clear] == ["S2A_33TWL_20230815_0_L2A"]


@pytest.mark.data
def test_a_plain_folder_of_real_items(search: Search, eoloom_data: Path) -> None:
    folder = eoloom_data / "earthqa/stac_items_s2_l2a"
    found = search(folder, bbox=[15.0, 45.5, 15.2, 45.6], datetime="2023-08-13/2023-08-15")
    assert [item.id for item in found][:2] == [
        "S2B_33TWL_20230813_0_L2A",
        "S2A_33TWL_20230815_0_L2A",
    ]
