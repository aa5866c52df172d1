"""The page of somebody whose runs are made at an orchestrator service that wants a token."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from orchestrator.journal import Journal
from tests.browser.browsing import Browsing
from tests.browser.composing import Composing
from tests.browser.conftest import NewContext
from tests.browser.documents import chain
from tests.browser.served import Served
from tests.browser.signing import signed_in
from tests.serving import Serving
from ui.drafting import normal
from ui.user_folders import USERS, folder_name
from ui.workspace import Workspace

WITHIN_MS = 60_000
TOKENS = {"the-token-of-ada-0123456789": "ada", "the-token-of-bob-0123456789": "bob"}
TOKEN, OTHER_TOKEN = TOKENS
WRONG_TOKEN = TOKEN[::-1]


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory, components: Path) -> Iterator[Serving]:
    """The orchestrator."""
    service = Serving(tmp_path_factory.mktemp("service"), components, TOKENS)
    service.start()
    yield service
    service.stop()


@pytest.fixture(scope="module")
def page(
    tmp_path_factory: pytest.TempPathFactory, components: Path, serving: Serving
) -> Iterator[Served]:
    """A page whose runs are made there."""
    settings = {"EOLOOM_SERVER": serving.address, "EOLOOM_SERVER_CONTACT": "help@eo.example"}
    served = Served(tmp_path_factory.mktemp("server-page"), components, settings=settings)
    served.start()
    yield served
    served.stop()


@pytest.fixture
def service(serving: Serving) -> Iterator[Serving]:
    """The orchestrator, which the test may kill."""
    yield serving
    if serving.stopped:
        serving.start()


def fill_in(tab: Page, token: str) -> None:
    tab.get_by_label("Token").fill(token)
    tab.get_by_role("button", name="Sign in", exact=True).click()


def files_with(text: str, *folders: Path) -> list[Path]:
    """Every file in which a text stands."""
    files = (path for folder in folders for path in folder.rglob("*") if path.is_file())
    return [path for path in files if text.encode() in path.read_bytes()]


def test_a_run_is_made_there_after_a_sign_in(
    page: Served, service: Serving, new_context: NewContext
) -> None:
    draft = Workspace(page.workspace).new_draft(normal(chain()))
    context = new_context()
    tab = Browsing.open(context, page.url, f"?draft={draft.id}")
    expect(tab.main).to_contain_text("wants to know who you are", timeout=WITHIN_MS)
    expect(tab.main).to_contain_text("help@eo.example")
    expect(tab.page.get_by_label("Token")).to_have_attribute("type", "password")
    tab.assert_accessible()

    fill_in(tab.page, WRONG_TOKEN)
    expect(tab.page.get_by_role("alert")).to_contain_text("does not take the token")
    assert WRONG_TOKEN not in tab.page.content()
    expect(tab.page.get_by_label("Token")).to_have_value("")

    fill_in(tab.page, TOKEN)
    own = Composing(tab.page)
    own.wait()
    own.expect_runnable()
    expect(tab.page.get_by_text(f"Runs at {service.address}")).to_be_visible()
    own.button("Run").click()
    expect(tab.page.get_by_text("succeeded")).to_be_visible(timeout=WITHIN_MS)
    expect(tab.page.locator('[data-id="change"] .run-done')).to_be_visible()
    tab.page.get_by_role("link", name="Results").last.click()
    expect(tab.main).to_contain_text("change", timeout=WITHIN_MS)

    with contextlib.closing(Journal("", page.runs)) as journal:
        run = next(record for record in journal.runs() if record.pipeline == "chain")
    assert files_with(run.id, service.folder), "it was not made at the service"
    assert TOKEN not in tab.page.url
    assert context.cookies() == [] or TOKEN not in str(context.cookies())
    assert TOKEN not in tab.page.evaluate("JSON.stringify([localStorage, sessionStorage])")
    assert files_with(TOKEN, page.folder, service.folder) == []
    tab.assert_no_errors()


def test_a_run_there_is_stopped_and_goes_on(
    page: Served, service: Serving, new_context: NewContext, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    document = chain() | {"name": "slow"}
    document["nodes"]["scenes"]["params"] = {"count": 60, "delay_s": 0.5, "wait_for": str(gate)}
    draft = Workspace(page.workspace).new_draft(normal(document))
    tab = Browsing.open(new_context(), page.url, f"?draft={draft.id}")
    fill_in(tab.page, TOKEN)
    own = Composing(tab.page)
    own.wait()
    own.button("Run").click()
    tab.page.get_by_role("link", name="Stop, logs and more").click(timeout=WITHIN_MS)
    expect(tab.page.locator('[data-id="scenes"] .run-state')).to_contain_text(
        re.compile(r"working\s*\d+ out"), timeout=WITHIN_MS
    )
    tab.button("Stop").click()
    expect(tab.main).to_contain_text("cancelled", timeout=WITHIN_MS)
    gate.touch()
    tab.button("Resume").click()
    expect(tab.main).to_contain_text("succeeded", timeout=WITHIN_MS)
    expect(tab.page.locator('[data-id="change"] .run-done')).to_be_visible()
    run = tab.page.url.rpartition("run=")[2]
    with contextlib.closing(Journal("", page.runs)) as journal:
        assert journal.run(run).operations["scenes.generate"]["answered"] == 60
    assert files_with(TOKEN, page.folder, service.folder) == []
    tab.assert_no_errors()


def test_who_signs_out_has_to_sign_in_again(
    page: Served, service: Serving, new_context: NewContext
) -> None:
    tab = Browsing.open(new_context(), page.url, "runs")
    fill_in(tab.page, TOKEN)
    expect(tab.page.get_by_label("Token")).to_have_count(0)
    tab.page.get_by_role("link", name="Compose").click()
    Composing(tab.page).wait()
    tab.button("Sign out").click()
    expect(tab.main).to_contain_text("wants to know who you are")
    tab.page.get_by_role("link", name="Discover").click()  # starts nothing
    expect(tab.page.get_by_label("Token")).to_have_count(0)
    # Another tab is another sign-in.
    other = Browsing.open(new_context(), page.url, "runs")
    expect(other.page.get_by_label("Token")).to_be_visible()
    tab.assert_no_errors()


def test_an_orchestrator_that_is_gone_is_named_until_it_is_back(
    page: Served, service: Serving, new_context: NewContext
) -> None:
    draft = Workspace(page.workspace).new_draft(normal(chain()))
    tab = Browsing.open(new_context(), page.url, f"?draft={draft.id}")
    fill_in(tab.page, TOKEN)
    own = Composing(tab.page)
    own.wait()
    service.kill()
    # By itself: nobody has to press anything.
    alert = tab.page.get_by_test_id("stAlertContainer")
    expect(alert).to_contain_text(f"{service.address} cannot be reached", timeout=WITHIN_MS)
    own.expect_runnable()  # the drawing can be used
    tab.settle()
    expect(own.button("Run")).to_be_disabled()
    tab.assert_accessible()
    tab.button("Try again").click()
    expect(alert).to_contain_text("cannot be reached")
    service.start()
    tab.button("Try again").click()
    expect(alert).to_have_count(0, timeout=WITHIN_MS)
    # Until the page is drawn anew, the old button stands beside the new one.
    tab.settle()
    expect(own.button("Run")).to_have_count(1, timeout=WITHIN_MS)
    expect(own.button("Run")).to_be_enabled()
    tab.assert_no_errors()


def test_behind_a_proxy_the_token_comes_with_the_sign_in_there(
    tmp_path: Path, components: Path, service: Serving, new_context: NewContext
) -> None:
    settings = {"EOLOOM_SERVER": service.address, "EOLOOM_PAGE_BEHIND_PROXY": "true"}
    served = Served(tmp_path / "page", components, settings=settings)
    served.start()
    try:
        workspace = Workspace(served.workspace / USERS / folder_name("bob"))
        draft = workspace.new_draft(normal(chain()))
        with signed_in("bob", served.url, token=OTHER_TOKEN) as address:
            own = Composing.open(new_context(), f"{address}/?draft={draft.id}")
            own.expect_runnable()
            expect(own.button("Sign out")).to_have_count(0)
            own.button("Run").click()
            expect(own.page.get_by_text("succeeded")).to_be_visible(timeout=WITHIN_MS)
            own.assert_no_errors()
        with signed_in("bob", served.url, token=WRONG_TOKEN) as address:
            refused = Browsing.open(new_context(), address, "runs")
            expect(refused.page.get_by_role("alert")).to_contain_text("Reload this page")
            expect(refused.page.get_by_label("Token")).to_have_count(0)
    finally:
        served.stop()
    assert files_with(OTHER_TOKEN, served.folder, service.folder) == []
