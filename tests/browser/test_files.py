"""Files that are opened and exported: good ones, broken ones and hostile ones."""

from __future__ import annotations

import io
import json
import shutil
import zipfile

import pytest
import yaml
from playwright.sync_api import expect

from composer.graph import compose
from composer.pipeline_file import load_pipeline
from composer.registry import Registry
from composer.solution import export_solution
from tests.browser.composing import Composing
from tests.browser.conftest import NewContext, OpenDocument
from tests.browser.documents import chain
from tests.browser.served import Served
from tests.composer.solutions import game
from tests.data import ROOT
from ui.workspace import Workspace


def test_an_example_is_a_template(composing: Composing) -> None:
    composing.open_example("Change between two simulated")
    expect(composing.nodes).to_have_count(3)
    composing.expect_runnable()
    expect(composing.page.get_by_role("heading", name="demo")).to_be_visible()


def test_a_solution_is_opened_changed_and_exported_again(composing: Composing) -> None:
    demo = compose(load_pipeline(ROOT / "examples" / "demo.yaml"), Registry.discover())
    composing.upload("demo.zip", export_solution(demo).content)
    composing.page.get_by_role("button", name="Open demo").click()
    expect(composing.nodes).to_have_count(3)
    expect(composing.links).to_have_count(2)
    composing.rename("clean", "cloud-free")
    composing.expect_runnable()
    composing.button("More").click()
    composing.page.get_by_role("tab", name="Export").click()
    composing.button("Export").click()
    with composing.page.expect_download() as download:
        composing.button("Download").click()
    archive = zipfile.ZipFile(io.BytesIO(download.value.path().read_bytes()))
    blueprint = json.loads(archive.read("blueprint.json"))
    names = [node["container_name"] for node in blueprint["nodes"]]
    assert any("cloud-free" in name for name in names), names


def test_a_blueprint_is_opened_with_its_contracts_and_saved_as_one_again(
    composing: Composing,
) -> None:
    blueprint, dockerinfo, protos = game()
    composing.upload("blueprint.json", blueprint.encode())
    dialog = composing.page.get_by_role("dialog")
    # It says what is missing, and takes it beside what is there.
    expect(dialog.get_by_role("alert")).to_contain_text("there is no contract of Board1, Judge1")
    contracts = {name: text.encode() for name, text in protos.items()}
    composing.add_files({"dockerinfo.json": dockerinfo.encode(), **contracts})
    dialog.get_by_role("button", name="Open ").click()
    expect(composing.nodes).to_have_count(3)
    expect(composing.links).to_have_count(4)
    composing.expect_stored()
    composing.rename("judge1", "referee")
    composing.expect_runnable()
    composing.button("More").click()
    composing.page.get_by_role("tab", name="Export").click()
    composing.page.get_by_role("combobox", name="Other formats").click()
    composing.page.get_by_role("option", name="blueprint.json").click()
    composing.button("Export").click()
    with composing.page.expect_download() as download:
        composing.button("Download").click()
    content = download.value.path().read_bytes()
    assert "referee" in {node["container_name"] for node in json.loads(content)["nodes"]}
    composing.page.keyboard.press("Escape")
    # What the page has written opens alone, because it carries its components.
    composing.upload("again.json", content)
    dialog.get_by_role("button", name="Open ").click()
    expect(composing.node("referee")).to_be_visible()
    expect(composing.links).to_have_count(4)


def test_several_pipelines_at_once_are_not_opened(composing: Composing) -> None:
    file = yaml.safe_dump(chain()).encode()
    composing.upload_all({"one.yaml": file, "other.yaml": file})
    alert = composing.page.get_by_role("dialog").get_by_role("alert")
    expect(alert).to_contain_text("one.yaml is a whole pipeline")


def test_a_pipeline_file_is_exported_as_it_is_drawn(open_document: OpenDocument) -> None:
    tab = open_document(chain())
    tab.expect_runnable()
    tab.button("More").click()
    tab.page.get_by_role("tab", name="Export").click()
    with tab.page.expect_download() as download:
        tab.button("Pipeline file").click()
    assert download.value.suggested_filename == "chain.yaml"
    file = yaml.safe_load(download.value.path().read_text())
    assert file["links"] == chain()["links"]


@pytest.mark.parametrize(
    ("format_", "suffix"),
    [
        ("blueprint.json of AI4Experiments", ".json"),
        ("docker-compose", ".zip"),
        ("Kubernetes, as a kustomize folder", "-kustomize.zip"),
    ],
)
def test_other_formats_are_downloaded(composing: Composing, format_: str, suffix: str) -> None:
    composing.open_example("Change between two simulated")
    composing.expect_runnable()
    composing.button("More").click()
    composing.page.get_by_role("tab", name="Export").click()
    composing.page.get_by_role("combobox", name="Other formats").click()
    composing.page.get_by_role("option", name=format_).click()
    composing.button("Export").click()
    with composing.page.expect_download() as download:
        composing.button("Download").click()
    assert download.value.suggested_filename.endswith(suffix)
    assert download.value.path().stat().st_size > 100


def _zip(**files: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return content.getvalue()


HOSTILE = {
    "no.yaml": b"nodes: [",
    "bytes.yaml": b"\xff\xfe\x00",
    "list.yaml": b"- 1\n- 2\n",
    "extra.yaml": b"name: a\nnodes: {}\nevil: 1\n",
    "tag.yaml": b"!!python/object/apply:os.system ['true']\n",
    "deep.yaml": b"name: " + b"[" * 30_000,
    "aliases.yaml": b"a: &a [1]\nb: [*a, *a]\n",
    "no.zip": b"PK\x03\x04 no",
    "empty.zip": _zip(),
    "path.zip": _zip(**{"../../blueprint.json": "{}"}),
    "list.zip": _zip(**{"blueprint.json": "[]", "dockerinfo.json": "{}"}),
}


def test_broken_and_hostile_files_give_a_message(composing: Composing) -> None:
    for name, content in HOSTILE.items():
        composing.upload(name, content)
        alert = composing.page.get_by_role("alert").filter(has_text=f"{name} cannot be read")
        expect(alert).to_be_visible()
        expect(alert).not_to_contain_text("a fault in this page")
        expect(composing.page.get_by_role("button", name="Open unnamed")).to_have_count(0)


def test_what_a_file_says_is_not_taken_for_markup(composing: Composing) -> None:
    evil = "<img src=x onerror=alert(1)> **bold** :red[x] [a](javascript:alert(1))"
    document = chain() | {"title": evil, "description": evil}
    document["positions"]["notes"] = [{"id": "n", "text": evil, "x": 0, "y": 200}]
    document["nodes"]["clean"]["component"] = evil
    composing.upload("evil.yaml", yaml.safe_dump(document).encode())
    composing.page.get_by_role("button", name="Open chain").click()
    expect(composing.node("clean").locator(".unknown")).to_contain_text(evil)
    expect(composing.page.get_by_label("text of the note")).to_have_value(evil)
    expect(composing.page.locator("img[src=x]")).to_have_count(0)


def test_a_component_that_is_removed_while_used_is_named(
    own_served: Served, new_context: NewContext
) -> None:
    draft = Workspace(own_served.workspace).new_draft(chain())
    url = f"{own_served.url}/?draft={draft.id}"
    tab = Composing.open(new_context(), url)
    tab.expect_runnable()
    assert own_served.components is not None
    shutil.rmtree(own_served.components / "fake-clean")
    own_served.kill()
    own_served.start()
    tab.page.goto(url)
    tab.wait()
    expect(tab.node("clean").locator(".unknown")).to_contain_text("no component fake-clean")
    expect(tab.problems).to_contain_text("clean: ")
    expect(tab.button("Run")).to_be_disabled()
    tab.select("clean")
    expect(tab.panel).to_contain_text("Onboard it, or delete this node")
    tab.tool("Delete").click()
    expect(tab.nodes).to_have_count(2)
    tab.assert_no_errors()
