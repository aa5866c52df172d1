"""What the pages beside the canvas have in common, as a person sees them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.data import ROOT, require

if TYPE_CHECKING:
    from pathlib import Path

_AXE: Path = ROOT / "ui" / "canvas" / "node_modules" / "axe-core" / "axe.min.js"


@dataclass
class Browsing:
    """A tab with one of the pages."""

    page: Page
    url: str
    errors: list[str] = field(default_factory=list)

    @classmethod
    def open(cls, context: BrowserContext, url: str, path: str) -> Browsing:
        """Open a page, such as `runs`."""
        page = context.new_page()
        tab = cls(page, url)
        page.on("pageerror", lambda error: tab.errors.append(str(error)))
        tab.go(path)
        return tab

    def go(self, path: str) -> None:
        """Go to another page by its address."""
        self.page.goto(f"{self.url}/{path}")
        expect(self.main).to_be_visible()

    @property
    def main(self) -> Locator:
        """All that a page shows below the navigation."""
        return self.page.get_by_test_id("stMainBlockContainer")

    @property
    def dialog(self) -> Locator:
        """The dialog that is open."""
        return self.page.get_by_role("dialog")

    def button(self, name: str) -> Locator:
        """A button, with the name of its symbol before its words."""
        return self.page.get_by_role("button", name=name).last

    def text(self, label: str) -> Locator:
        """A long text in its box."""
        return self.page.get_by_role("region", name=label)

    def fill(self, label: str, text: str) -> None:
        """Fill in a field and leave it."""
        box = self.page.get_by_role("textbox", name=label, exact=True)
        box.fill(text)
        box.press("Tab")

    def choose(self, label: str, option: str) -> None:
        """Choose in a list."""
        self.page.get_by_role("combobox", name=label).click()
        self.page.get_by_role("option", name=option).click()

    def section(self, name: str) -> None:
        """Choose what is shown."""
        self.page.get_by_role("radio", name=name, exact=True).click()

    def settle(self) -> None:
        """Wait until nothing is about to be replaced: that is shown fainter, and may move."""
        expect(self.page.locator('[data-test-script-state="running"]')).to_have_count(0)
        expect(self.page.locator('[data-stale="true"]')).to_have_count(0)
        self.page.wait_for_timeout(500)

    def assert_no_errors(self) -> None:
        """Fail where JavaScript has failed, or the page shows a traceback."""
        assert self.errors == []
        expect(self.page.get_by_text("Traceback")).to_have_count(0)

    def assert_accessible(self) -> None:
        """Fail where axe-core finds a serious violation, three times.

        Streamlit draws what it is about to replace paler than anything is shown to last.
        """
        require("canvas")
        for _ in range(3):
            self.settle()
            serious = self._serious_violations()
            if not serious:
                return
            self.page.wait_for_timeout(500)
        raise AssertionError("\n".join(serious))

    def _serious_violations(self) -> list[str]:
        self.page.add_script_tag(path=_AXE)
        found: dict[str, Any] = self.page.evaluate("axe.run()")
        return [
            f"{each['id']}: {each['nodes'][0]['html']}"
            for each in found["violations"]
            if each["impact"] in {"serious", "critical"}
        ]
