"""What a browser drops on the way, as it does when a container of this machine starts or ends."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.conftest import NewContext
from tests.browser.losing import losing
from tests.browser.served import Served

WITHIN_MS = 60_000
CODE = re.compile(r"/static/js/.*\.js$")
NEEDED_LATER = re.compile(r"/static/js/TextInput\..*\.js$")


def count_loads(page: Page) -> Callable[[], int]:
    loads: list[str] = []
    page.on("domcontentloaded", lambda _: loads.append(page.url))
    return lambda: len(loads)


def test_a_page_whose_code_is_lost_comes_all_the_same(
    served: Served, new_context: NewContext
) -> None:
    context = new_context()
    lost = losing(context, CODE, times=1)
    page = context.new_page()
    page.goto(f"{served.url}/discover")
    expect(page.get_by_role("textbox", name="Search")).to_be_visible(timeout=WITHIN_MS)
    assert len(lost) > 10


def test_a_part_that_is_needed_later_comes_all_the_same(
    served: Served, new_context: NewContext
) -> None:
    context = new_context()
    lost = losing(context, NEEDED_LATER, times=2)
    page = context.new_page()
    loads = count_loads(page)
    page.goto(f"{served.url}/discover")
    expect(page.get_by_role("textbox", name="Search")).to_be_visible(timeout=WITHIN_MS)
    expect(page.get_by_role("alert")).to_have_count(0)
    assert list(lost.values()) == [2]
    assert loads() == 3


def test_a_page_that_cannot_be_loaded_says_so_and_stops(
    served: Served, new_context: NewContext
) -> None:
    context = new_context()
    losing(context, CODE, times=1_000)
    page = context.new_page()
    loads = count_loads(page)
    page.goto(f"{served.url}/discover")
    expect(page.get_by_text("could not be loaded completely")).to_be_visible(timeout=WITHIN_MS)
    assert loads() == 6


def test_nothing_is_loaded_again_from_a_server_that_is_away(
    served: Served, new_context: NewContext
) -> None:
    """What is drawn in the page would be gone."""
    context = new_context()
    page = context.new_page()
    loads = count_loads(page)
    page.goto(f"{served.url}/discover")
    expect(page.get_by_role("textbox", name="Search")).to_be_visible(timeout=WITHIN_MS)
    context.route("**/_stcore/health", lambda route: route.abort("connectionrefused"))
    with page.expect_event("requestfailed"):
        page.evaluate("dispatchEvent(new Event('vite:preloadError'))")
    with page.expect_event("requestfailed"):
        pass
    assert loads() == 1
    with page.expect_event("domcontentloaded"):
        context.unroute("**/_stcore/health")
    expect(page.get_by_role("textbox", name="Search")).to_be_visible(timeout=WITHIN_MS)
