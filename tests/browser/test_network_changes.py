"""What a browser drops on the way, as it does when a container of this machine starts or ends."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import NewContext
from tests.browser.losing import losing
from tests.browser.served import Served

WITHIN_MS = 60_000
CODE = re.compile(r"/static/js/.*\.js$")
NEEDED_LATER = re.compile(r"/static/js/TextInput\..*\.js$")


def opened(served: Served, context: BrowserContext) -> tuple[Page, Callable[[], int]]:
    """Open a page; return it, and how often it has been loaded."""
    page = context.new_page()
    loads: list[str] = []
    page.on("domcontentloaded", lambda _: loads.append(page.url))
    page.goto(f"{served.url}/discover")
    return page, lambda: len(loads)


def expect_usable(page: Page) -> None:
    expect(page.get_by_role("textbox", name="Search")).to_be_visible(timeout=WITHIN_MS)


def test_a_page_whose_code_is_lost_comes_all_the_same(
    served: Served, new_context: NewContext
) -> None:
    context = new_context()
    lost = losing(context, CODE, times=1)
    page, _ = opened(served, context)
    expect_usable(page)
    assert len(lost) > 10


def test_a_part_that_is_needed_later_comes_all_the_same(
    served: Served, new_context: NewContext
) -> None:
    context = new_context()
    lost = losing(context, NEEDED_LATER, times=2)
    page, loads = opened(served, context)
    expect_usable(page)
    expect(page.get_by_role("alert")).to_have_count(0)
    assert list(lost.values()) == [2]
    assert loads() == 3


def test_a_page_that_cannot_be_loaded_says_so_and_stops(
    served: Served, new_context: NewContext
) -> None:
    context = new_context()
    losing(context, CODE, times=1_000)
    page, loads = opened(served, context)
    expect(page.get_by_text("could not be loaded completely")).to_be_visible(timeout=WITHIN_MS)
    assert loads() == 6


def test_nothing_is_loaded_again_from_a_server_that_is_away(
    served: Served, new_context: NewContext
) -> None:
    """What is drawn in the page would be gone."""
    context = new_context()
    page, loads = opened(served, context)
    expect_usable(page)
    context.route("**/_stcore/health", lambda route: route.abort("connectionrefused"))
    with page.expect_event("requestfailed"):
        page.evaluate("dispatchEvent(new Event('vite:preloadError'))")
    with page.expect_event("requestfailed"):
        pass
    assert loads() == 1
    with page.expect_event("domcontentloaded"):
        context.unroute("**/_stcore/health")
    expect_usable(page)
