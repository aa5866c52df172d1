"""The draft of a tab: what is kept, and for whom."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ui.drafting import Editing, Owners, empty_document, normal
from ui.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


@pytest.fixture
def living() -> set[str]:
    return {"one", "two"}


@pytest.fixture
def owners(living: set[str]) -> Owners:
    return Owners(living.__contains__)


def document(**params: Any) -> dict[str, Any]:
    nodes = {"a": {"component": "s2-change", "params": params}}
    return {"name": "forest", "nodes": nodes, "links": [], "positions": {}}


def revision(editing: Editing, number: int, **changes: Any) -> dict[str, Any]:
    given = {"draft": editing.draft.id, "load": editing.load, "revision": number}
    return {**given, "document": document(number=number), **changes}


def test_a_tab_begins_empty_and_goes_on_after_a_reload(
    workspace: Workspace, owners: Owners, living: set[str]
) -> None:
    first = Editing.begin(workspace, "", owners, "one")
    assert first.draft.document == empty_document()
    assert first.revise(revision(first, 1))
    living.discard("one")
    again = Editing.begin(workspace, first.draft.id, owners, "two")
    assert again.draft.id == first.draft.id
    assert again.draft.document == document(number=1)
    assert not again.copied


def test_a_second_tab_of_a_draft_gets_a_copy(workspace: Workspace, owners: Owners) -> None:
    first = Editing.begin(workspace, "", owners, "one")
    first.revise(revision(first, 1))
    second = Editing.begin(workspace, first.draft.id, owners, "two")
    assert second.copied
    second.revise(revision(second, 1, document=document(number=99)))
    kept = workspace.draft(first.draft.id)
    assert kept is not None
    assert kept.document == document(number=1)


def test_a_draft_of_another_process_is_taken_over(workspace: Workspace, owners: Owners) -> None:
    draft = workspace.new_draft(document())
    assert not Editing.begin(workspace, draft.id, owners, "one").copied


@pytest.mark.parametrize(
    "changes",
    [
        {"load": 99},
        {"load": None},
        {"draft": "000000000000"},
        {"revision": "3"},
        {"document": None},
        {"document": []},
    ],
)
def test_what_belongs_to_another_document_is_not_kept(
    workspace: Workspace, owners: Owners, changes: dict[str, Any]
) -> None:
    editing = Editing.begin(workspace, "", owners, "one")
    assert not editing.revise(revision(editing, 3, **changes))
    assert editing.draft.document == empty_document()


def test_a_revision_that_comes_late_does_not_undo_a_newer_one(
    workspace: Workspace, owners: Owners
) -> None:
    editing = Editing.begin(workspace, "", owners, "one")
    editing.revise(revision(editing, 5))
    editing.revise(revision(editing, 4))
    assert editing.draft.document == document(number=5)


def test_opening_another_document_leaves_the_draft_before(
    workspace: Workspace, owners: Owners
) -> None:
    editing = Editing.begin(workspace, "", owners, "one")
    editing.revise(revision(editing, 1))
    before, load = editing.draft.id, editing.load
    editing.open({"name": "other", "nodes": {}}, base=3)
    assert editing.load > load
    assert editing.draft.base == 3
    kept = workspace.draft(before)
    assert kept is not None
    assert kept.document == document(number=1)


def test_a_renamed_pipeline_has_no_versions_yet(workspace: Workspace, owners: Owners) -> None:
    editing = Editing.begin(workspace, "", owners, "one")
    editing.revise(revision(editing, 1))
    assert editing.save().number == 1
    editing.rename("meadow")
    assert (editing.draft.name, editing.draft.base) == ("meadow", 0)
    assert editing.save().name == "meadow"
    with pytest.raises(ValueError, match="letters"):
        editing.rename("Not A Name")


def test_a_file_is_made_into_what_the_canvas_reads() -> None:
    assert normal({}) == empty_document()
    odd = {"name": 7, "nodes": {"a": "s2-change", 3: {"component": "x"}}, "links": "?"}
    assert normal(odd | {"positions": [], "title": "kept"}) == {
        "name": "7",
        "title": "kept",
        "nodes": {"a": {"component": "s2-change"}, "3": {"component": "x"}},
        "links": [],
        "positions": {},
    }
