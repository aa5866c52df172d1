"""Saved pipelines, their versions and drafts: nothing that was drawn is lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from composer.pipeline import Pipeline
from composer.pipeline_file import load_pipeline
from ui import workspace as module
from ui.workspace import NewerVersionError, Workspace, WorkspaceError


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "pipelines")


def document(**params: Any) -> dict[str, Any]:
    return {"name": "forest", "nodes": {"a": {"component": "s2-change", "params": params}}}


def pipeline(**params: Any) -> Pipeline:
    return Pipeline.model_validate(document(**params))


def test_an_empty_workspace_has_nothing(workspace: Workspace) -> None:
    assert workspace.pipelines() == []
    assert workspace.versions("forest") == []
    assert workspace.drafts() == []
    assert not workspace.folder.exists()


def test_every_save_is_a_version_and_the_file_is_the_newest(workspace: Workspace) -> None:
    first = workspace.save(pipeline(method="cva"), 0)
    second = workspace.save(pipeline(method="mad"), first.number)
    assert [first.number, second.number] == [1, 2]
    assert [version.number for version in workspace.versions("forest")] == [2, 1]
    assert "cva" in workspace.text("forest", 1)
    file = load_pipeline(workspace.folder / "forest.yaml")
    assert file.pipeline == pipeline(method="mad")
    assert [version.number for version in workspace.pipelines()] == [2]


def test_saving_what_is_saved_makes_no_version(workspace: Workspace) -> None:
    workspace.save(pipeline(), 0)
    assert workspace.save(pipeline(), 1).number == 1


def test_the_difference_names_what_has_changed(workspace: Workspace) -> None:
    workspace.save(pipeline(method="cva"), 0)
    workspace.save(pipeline(method="mad"), 1)
    text = workspace.difference("forest", 1, 2)
    assert "-      method: cva" in text
    assert "+      method: mad" in text


def test_two_tabs_do_not_overwrite_each_other(workspace: Workspace) -> None:
    ours, theirs = (workspace.new_draft(document()) for _ in range(2))
    workspace.save_draft(ours)
    workspace.keep_draft(theirs, 1, document(method="mad"))
    with pytest.raises(NewerVersionError, match="version 1 of forest was saved elsewhere"):
        workspace.save_draft(theirs)
    assert workspace.save_draft(theirs, newer=True).number == 2
    assert "mad" not in workspace.text("forest", 1)


def test_a_draft_is_kept_with_its_faults(workspace: Workspace) -> None:
    draft = workspace.new_draft(document())
    faulty = {"name": "forest", "nodes": {"a": {"component": 3}}}
    workspace.keep_draft(draft, 7, faulty)
    again = Workspace(workspace.folder).draft(draft.id)
    assert again is not None
    assert (again.revision, again.document) == (7, faulty)
    assert not again.is_saved
    with pytest.raises(WorkspaceError, match="mend the faults"):
        workspace.save_draft(again)


def test_a_draft_knows_whether_it_is_saved(workspace: Workspace) -> None:
    draft = workspace.new_draft(document())
    assert not draft.is_saved
    workspace.save_draft(draft)
    assert draft.is_saved
    workspace.keep_draft(draft, 1, document(method="mad"))
    assert not draft.is_saved


@pytest.mark.parametrize("name", ["../evil", "/etc/passwd", "", "a/b", "A", "x" * 64])
def test_names_do_not_lead_outside(workspace: Workspace, name: str) -> None:
    with pytest.raises(WorkspaceError, match="the name"):
        workspace.versions(name)
    with pytest.raises(WorkspaceError, match="the name"):
        workspace.text(name, 1)


@pytest.mark.parametrize("name", ["../evil", "0" * 11, "zzzzzzzzzzzz", "000000000000"])
def test_drafts_that_there_are_not(workspace: Workspace, name: str) -> None:
    workspace.new_draft(document())
    assert workspace.draft(name) is None


def test_a_damaged_draft_is_no_draft(workspace: Workspace) -> None:
    draft = workspace.new_draft(document())
    path = workspace.folder / ".drafts" / f"{draft.id}.json"
    for text in ("", "{", "[]", '{"id": "x", "bad": 1}'):
        path.write_text(text)
        assert workspace.draft(draft.id) is None


def test_old_drafts_are_removed(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT_DRAFTS", 3)
    made = [workspace.new_draft(document()).id for _ in range(5)]
    assert {draft.id for draft in workspace.drafts()} == set(made[-3:])


def test_a_draft_may_not_grow_without_bound(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_DOCUMENT_BYTES", 1000)
    draft = workspace.new_draft(document())
    with pytest.raises(WorkspaceError, match="larger than"):
        workspace.keep_draft(draft, 1, document(text="x" * 1000))
