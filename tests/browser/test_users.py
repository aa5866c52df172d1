"""Several people behind one proxy: each has their own pipelines and runs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.browsing import Browsing
from tests.browser.composing import Composing
from tests.browser.conftest import NewContext
from tests.browser.documents import chain
from tests.browser.served import Served
from tests.browser.signing import signed_in
from ui.drafting import normal
from ui.user_folders import USERS, folder_name
from ui.workspace import Workspace

WITHIN_MS = 60_000


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, components: Path) -> Iterator[Served]:
    """A page that believes the headers of its proxy."""
    behind = {"EOLOOM_PAGE_BEHIND_PROXY": "true"}
    served = Served(tmp_path_factory.mktemp("users-page"), components, settings=behind)
    served.start()
    yield served
    served.stop()


@pytest.fixture
def addresses(page: Served) -> Iterator[dict[str, str]]:
    """Where the page is for each person."""
    with contextlib.ExitStack() as stack:
        yield {user: stack.enter_context(signed_in(user, page.url)) for user in ("ada", "bob")}


def test_pipelines_and_runs_are_their_users_own(
    page: Served, addresses: dict[str, str], new_context: NewContext
) -> None:
    workspace = Workspace(page.workspace / USERS / folder_name("ada"))
    draft = workspace.new_draft(normal(chain()))
    own = Composing.open(new_context(), f"{addresses['ada']}/?draft={draft.id}")
    own.expect_runnable()
    own.button("Run").click()
    expect(own.page.get_by_text("succeeded")).to_be_visible(timeout=WITHIN_MS)
    run = max(path.name for path in (page.runs / USERS / folder_name("ada")).glob("chain-*"))
    assert list(page.runs.glob("chain-*")) == []

    other = Composing.open(new_context(), f"{addresses['bob']}/?draft={draft.id}")
    expect(other.nodes).to_have_count(0)
    other.button("Open").click()
    expect(other.page.get_by_text("Nothing is saved yet")).to_be_visible()
    theirs = Browsing.open(new_context(), addresses["bob"], "runs")
    expect(theirs.main).to_contain_text("There are no runs yet")
    theirs.go(f"runs?run={run}")
    expect(theirs.page.get_by_role("alert")).to_be_visible()
    expect(theirs.main).not_to_contain_text("succeeded")
    file = f"files/{run}/catalog.json"
    assert theirs.page.request.get(f"{addresses['bob']}/{file}").status == 404

    mine = Browsing.open(new_context(), addresses["ada"], "runs")
    expect(mine.page.get_by_role("link", name=run)).to_be_visible()
    assert mine.page.request.get(f"{addresses['ada']}/{file}").status == 200
    for tab in (own, other, theirs, mine):
        tab.assert_no_errors()


def test_without_the_proxy_nobody_gets_anything(page: Served, new_context: NewContext) -> None:
    tab = Browsing.open(new_context(), page.url, "runs")
    expect(tab.page.get_by_role("alert")).to_contain_text("has not told who you are")
    tab.assert_no_errors()
