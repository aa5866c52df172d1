"""Users of one page have folders of their own, whatever they are called."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.settings import OrchestratorSettings
from ui.page_settings import PageSettings
from ui.user_folders import folder_name, settings_of, workspace_of

PAGE = PageSettings(workspace=Path("pipelines"), page_behind_proxy=True)
RUNS = OrchestratorSettings(runs_folder=Path("runs"), database_url="sqlite:///all.sqlite")


def test_where_nobody_signs_in_nothing_is_apart() -> None:
    page = PageSettings(workspace=Path("pipelines"))
    assert workspace_of("ada", page) == Path("pipelines")
    assert settings_of("ada", RUNS, page) is RUNS


def test_behind_a_proxy_pipelines_runs_and_journals_are_apart() -> None:
    ada, bob = (settings_of(name, RUNS, PAGE) for name in ("ada", "bob"))
    assert ada.runs_folder != bob.runs_folder
    assert ada.runs_folder.parent == Path("runs/users")
    assert ada.database_url == ""
    assert workspace_of("ada", PAGE) != workspace_of("bob", PAGE)
    assert workspace_of("ada", PAGE).parent == Path("pipelines/users")


@pytest.mark.parametrize(
    ("one", "other"),
    [("ada@a.example", "ada-a-example"), ("Ada", "ada"), ("..", "."), ("x" * 90, "x" * 91)],
)
def test_names_that_look_alike_have_two_folders(one: str, other: str) -> None:
    assert folder_name(one) != folder_name(other)


@given(st.text(min_size=1, max_size=200))
def test_no_name_leads_elsewhere(user: str) -> None:
    name = folder_name(user)
    assert Path(name).name == name
    assert name.isascii()
    assert not name.startswith(".")
    assert len(name) <= 60
