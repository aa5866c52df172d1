"""The compose page as a person uses it: what is seen there, and what can be done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from playwright.sync_api import BrowserContext, FilePayload, Locator, Page, expect

_FIRST_MS = 60_000
"""The first page of a server takes longer than all others."""


@dataclass
class Composing:
    """A tab with the canvas. Positions are relative to the drawing's upper left corner."""

    page: Page
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    @classmethod
    def open(cls, context: BrowserContext, url: str) -> Composing:
        """Open the page and wait until it can be used."""
        page = context.new_page()
        tab = cls(page)
        page.on("pageerror", lambda error: tab.errors.append(str(error)))
        page.on("request", lambda request: tab.requests.append(request.url))
        page.goto(url)
        tab.wait()
        return tab

    def wait(self) -> None:
        """Wait until the palette is there."""
        expect(self.page.locator(".palette li").first).to_be_visible(timeout=_FIRST_MS)
        # Everything has been moved into sight, and stands still.
        expect(self.page.locator(".react-flow[data-fitted=true]")).to_be_attached()

    def assert_no_errors(self) -> None:
        """Fail where JavaScript has failed, or the page shows a traceback."""
        assert self.errors == []
        expect(self.page.get_by_text("Traceback")).to_have_count(0)

    @property
    def drawing(self) -> Locator:
        """The canvas."""
        return self.page.locator(".eoloom-composer .react-flow")

    @property
    def nodes(self) -> Locator:
        """All nodes."""
        return self.page.locator(".react-flow__node-component")

    @property
    def links(self) -> Locator:
        """All links."""
        return self.page.locator(".react-flow__edge")

    @property
    def problems(self) -> Locator:
        """The list beside the canvas."""
        return self.page.locator(".problems")

    @property
    def refusal(self) -> Locator:
        """Why something was refused."""
        return self.page.locator(".refusal")

    @property
    def panel(self) -> Locator:
        """What can be set on the selected node."""
        return self.page.locator(".panel")

    def node(self, name: str) -> Locator:
        """A node by its name."""
        return self.page.locator(f'.react-flow__node-component[data-id="{name}"]')

    def port(self, node: str, side: str, operation: str, field: str = "") -> Locator:
        """A port, or one field of it."""
        handle = f"{side}:{operation}" + (f".{field}" if field else "")
        return self.page.locator(f'[data-nodeid="{node}"][data-handleid="{handle}"]')

    def in_palette(self, component: str) -> Locator:
        """A component in the palette, by its name."""
        return self.page.locator(f'.palette li[data-component="{component}"]')

    def parameter(self, name: str) -> Locator:
        """A parameter in the panel: label, control and what is wrong with it."""
        return self.panel.locator(f'[data-parameter="{name}"]')

    def set_parameter(self, name: str, text: str) -> None:
        """Type the value of a parameter."""
        control = self.parameter(name).get_by_role("textbox")
        control.fill(text)
        control.press("Enter")

    def drag_in(self, component: str, x: int, y: int) -> None:
        """Drag a component from the palette onto the canvas."""
        count = self.nodes.count()
        self.in_palette(component).drag_to(self.drawing, target_position={"x": x, "y": y})
        expect(self.nodes).to_have_count(count + 1)

    def draw(self, source: Locator, target: Locator) -> None:
        """Draw a link with the mouse."""
        self.begin_link(source)
        x, y = middle(target)
        self.page.mouse.move(x, y, steps=6)
        self.page.mouse.up()

    def begin_link(self, source: Locator) -> None:
        """Take a port with the mouse and leave it, with the button held down."""
        source.hover()  # waits until it stands still
        x, y = middle(source)
        self.page.mouse.down()
        self.page.mouse.move(x + 15, y + 15, steps=3)
        expect(self.page.locator(".react-flow__connection")).to_be_attached()

    def select(self, name: str) -> None:
        """Click on the title of a node."""
        self.node(name).locator("header strong").click()
        expect(self.panel.get_by_label("name of the node")).to_have_value(name)

    def rename(self, old: str, new: str) -> None:
        """Rename a node in the panel."""
        self.select(old)
        box = self.panel.get_by_label("name of the node")
        box.fill(new)
        box.press("Enter")
        expect(self.node(new)).to_be_visible()

    def button(self, name: str) -> Locator:
        """A button of the page."""
        return self.page.get_by_role("button", name=name, exact=True)

    def tool(self, name: str) -> Locator:
        """A button above the canvas."""
        return self.page.locator(".toolbar").get_by_role("button", name=name, exact=True)

    def expect_stored(self) -> None:
        """Wait until the page has got everything, and has checked it."""
        expect(self.page.locator(".editor[data-stored=true]")).to_be_attached()

    def expect_runnable(self) -> None:
        """Wait until the composer has said that the pipeline can run."""
        # While the page is drawn anew, the old list stands beside the new one.
        expect(self.problems.filter(has_text="can run").first).to_be_visible()

    def upload(self, name: str, content: bytes) -> None:
        """Give a file to the dialog of `Open`, instead of those that are there."""
        self.upload_all({name: content})

    def upload_all(self, files: Mapping[str, bytes]) -> None:
        """Give several files at once, instead of those that are there."""
        dialog = self.page.get_by_role("dialog")
        if dialog.count() == 0:
            self.button("Open").click()
            self.page.get_by_role("tab", name="File").click()
        removing = dialog.get_by_role("button", name="Remove")
        while removing.count():
            count = removing.count()
            removing.first.click()
            expect(removing).to_have_count(count - 1)
        self.add_files(files)

    def add_files(self, files: Mapping[str, bytes]) -> None:
        """Give further files to the dialog of `Open`."""
        self.page.locator('input[type="file"]').set_input_files(
            [
                FilePayload(name=name, mimeType="application/octet-stream", buffer=content)
                for name, content in files.items()
            ]
        )

    def open_example(self, title: str) -> None:
        """Open one of the examples."""
        self.button("Open").click()
        self.page.get_by_role("tab", name="Examples").click()
        self.page.get_by_role("button", name=title).click()
        expect(self.nodes.first).to_be_visible()


def middle(locator: Locator) -> tuple[float, float]:
    """The middle of what is seen of an element."""
    box = locator.bounding_box()
    assert box is not None, f"{locator} is not visible"
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
