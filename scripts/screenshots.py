"""Make the pictures of the page in docs/images: a page with the demonstration, in a real browser.

    python scripts/screenshots.py [NAME ...]

Needs Chromium and the `dev` packages. A further picture is one more line in SHOTS.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser.composing import Composing
from tests.browser.served import Served

IMAGES = Path(__file__).parents[1] / "docs" / "images"
ENDS_WITHIN_MS = 300_000


@dataclass(frozen=True)
class Shot:
    """One picture: its colours, and what is done with a tab before it is taken."""

    colours: Literal["light", "dark"]
    prepare: Callable[[Composing], None]


def compose_demo(tab: Composing) -> None:
    """Open the demonstration and choose a node."""
    tab.open_example("Change between two simulated")
    tab.expect_runnable()
    tab.select("change")


def run_demo(tab: Composing) -> None:
    """Run the demonstration to its end."""
    tab.open_example("Change between two simulated")
    tab.expect_runnable()
    tab.button("Run").click()
    done = tab.node("change").locator(".component-node.run-done")
    expect(done).to_be_attached(timeout=ENDS_WITHIN_MS)
    expect(tab.page.get_by_text("succeeded")).to_be_visible(timeout=ENDS_WITHIN_MS)


def results(tab: Composing) -> None:
    """Look at what the demonstration has left."""
    run_demo(tab)
    _go(tab, "Results")
    expect(tab.page.locator(".eoloom-map img.leaflet-tile-loaded").first).to_be_visible()
    tab.page.wait_for_timeout(4000)  # until all tiles have come


def runs(tab: Composing) -> None:
    """Look at a run of the demonstration."""
    run_demo(tab)
    _go(tab, "Runs")
    tab.page.get_by_text("demo-").first.click()
    tab.page.wait_for_timeout(3000)


def discover(tab: Composing) -> None:
    """Look at the components."""
    _go(tab, "Discover")
    expect(tab.page.get_by_text("Sentinel-2 change detection").first).to_be_visible()


def deploy(tab: Composing) -> None:
    """Look at what a cluster would get."""
    run_demo(tab)
    _go(tab, "Deploy")
    tab.page.wait_for_timeout(4000)


def _go(tab: Composing, page: str) -> None:
    tab.page.get_by_role("link", name=page, exact=True).first.click()
    tab.page.wait_for_timeout(2000)


SHOTS = {
    "compose-light": Shot("light", compose_demo),
    "compose-dark": Shot("dark", compose_demo),
    "compose-run": Shot("light", run_demo),
    "results": Shot("light", results),
    "runs": Shot("light", runs),
    "discover": Shot("light", discover),
    "deploy": Shot("light", deploy),
}


def take(browser: Browser, url: str, name: str) -> None:
    """Take one picture."""
    shot = SHOTS[name]
    context = browser.new_context(
        viewport={"width": 1366, "height": 768}, color_scheme=shot.colours, device_scale_factor=1.5
    )
    tab = Composing.open(context, url)
    shot.prepare(tab)
    tab.page.wait_for_timeout(1000)  # until messages and movements have gone
    tab.page.mouse.move(2, 2)
    tab.page.screenshot(path=IMAGES / f"{name}.png")
    context.close()
    print(f"docs/images/{name}.png")


def main() -> None:
    """Take the pictures that are named, or all."""
    names = sys.argv[1:] or list(SHOTS)
    unknown = [name for name in names if name not in SHOTS]
    if unknown:
        sys.exit(f"there is no picture {unknown[0]}; there are {', '.join(SHOTS)}")
    expect.set_options(timeout=60_000)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        served = Served(Path(folder))
        served.start()
        program = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-gpu"]
        )
        for name in names:
            take(browser, served.url, name)
        browser.close()
        served.stop()


if __name__ == "__main__":
    main()
