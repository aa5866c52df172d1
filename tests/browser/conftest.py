"""A real browser at a real page.

Fixtures here live as long as the package: Playwright's event loop would disturb the asyncio tests
of the others.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright

from tests.browser.browsing import Browsing
from tests.browser.composing import Composing
from tests.browser.served import Served
from tests.composer.fakes import CHARTS, Shelf
from tests.data import require
from tests.ui.fake import put_components
from ui.drafting import normal
from ui.workspace import Workspace

VIEWPORT = {"width": 1366, "height": 768}
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_TIMEOUT_MS = 20_000

NewContext = Callable[..., BrowserContext]
OpenDocument = Callable[..., Composing]
OpenPage = Callable[[str], Browsing]


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium of the system."""
    require("browser")
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    expect.set_options(timeout=_TIMEOUT_MS)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=[*_ARGUMENTS])
        yield started
        started.close()


@pytest.fixture(scope="package")
def components(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Components beside the built-in ones: fakes, and `charts` with messages of its own."""
    folder = put_components(tmp_path_factory.mktemp("components"))
    Shelf(folder).put("charts", CHARTS, "fake.charts.Charts", {"measure": {}, "draw": {}})
    return folder


@pytest.fixture(scope="package")
def served(tmp_path_factory: pytest.TempPathFactory, components: Path) -> Iterator[Served]:
    """The page that most tests share; each has a draft of its own."""
    page = Served(tmp_path_factory.mktemp("served"), components)
    page.start()
    yield page
    page.stop()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, components: Path) -> Iterator[Served]:
    """The page of the tests of one module, with its own runs and components."""
    served = Served(tmp_path_factory.mktemp("page"), components)
    served.start()
    yield served
    served.stop()


@pytest.fixture
def own_served(tmp_path: Path, components: Path) -> Iterator[Served]:
    """A page of one test, which may kill it and change its components."""
    own = tmp_path / "components"
    shutil.copytree(components, own)
    page = Served(tmp_path / "served", own)
    page.start()
    yield page
    page.stop()


@pytest.fixture
def new_context(browser: Browser) -> Iterator[NewContext]:
    """Make browser profiles, such as of another person or with dark colours."""
    made: list[BrowserContext] = []

    def make(**options: Any) -> BrowserContext:
        context = browser.new_context(**{"viewport": VIEWPORT, **options})
        context.set_default_timeout(_TIMEOUT_MS)
        made.append(context)
        return context

    yield make
    for context in made:
        context.close()


@pytest.fixture
def open_page(page: Served, new_context: NewContext) -> Iterator[OpenPage]:
    """Open a tab of the module's page, such as `runs`; none may have had an error of JavaScript."""
    tabs: list[Browsing] = []

    def opened(path: str) -> Browsing:
        tabs.append(Browsing.open(new_context(), page.url, path))
        return tabs[-1]

    yield opened
    for tab in tabs:
        tab.assert_no_errors()


@pytest.fixture
def composing(served: Served, new_context: NewContext) -> Iterator[Composing]:
    """A tab with an empty canvas; no page of the test may have had an error of JavaScript."""
    tab = Composing.open(new_context(), served.url)
    yield tab
    tab.assert_no_errors()


@pytest.fixture
def open_document(served: Served, new_context: NewContext) -> Iterator[OpenDocument]:
    """Open a tab on a draft that has this document."""
    tabs: list[Composing] = []

    def opened(document: dict[str, Any], **options: Any) -> Composing:
        draft = Workspace(served.workspace).new_draft(normal(document))
        tabs.append(Composing.open(new_context(**options), f"{served.url}/?draft={draft.id}"))
        return tabs[-1]

    yield opened
    for tab in tabs:
        tab.assert_no_errors()
