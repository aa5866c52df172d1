"""The map of the page Results as a person sees it: layers, and colours at places."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import Any

import morecantile
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Locator, Page, expect

_GRID = morecantile.tms.get("WebMercatorQuad")
_TILE = re.compile(r"/tiles/[^/]+/(\d+)/(\d+)/(\d+)\.png")


@dataclass
class Mapping:
    """The map on a page."""

    page: Page

    @property
    def frame(self) -> Locator:
        """The map with its layers."""
        return self.page.locator(".eoloom-map")

    @property
    def slider(self) -> Locator:
        """The line between two layers that are compared."""
        return self.frame.get_by_role("slider", name="From")

    def layer(self, title: str, group: str = "") -> Locator:
        """The checkbox of a layer."""
        groups = self.frame.locator(".group").filter(has_text=group)
        return groups.locator(f'li[data-layer="{title}"]').get_by_role("checkbox").first

    def tiles(self, layer: str) -> Locator:
        """The tiles of a layer, by the end of its id, that are there and can be seen."""
        return self.frame.locator(f'[data-layer$="{layer}"] img.leaflet-tile-loaded')

    def wait(self, layer: str) -> None:
        """Wait until all tiles of a layer have come."""
        expect(self.tiles(layer).first).to_be_visible()
        waiting = f'[data-layer$="{layer}"] img.leaflet-tile:not(.leaflet-tile-loaded)'
        expect(self.frame.locator(waiting)).to_have_count(0)
        self.page.wait_for_timeout(400)  # tiles fade in

    def place(self, layer: str, longitude: float, latitude: float) -> tuple[float, float]:
        """Where on the page a place lies, by the tiles of a layer."""
        for image in self.tiles(layer).all():
            box, tile = image.bounding_box(), _tile_of(image)
            edges = _GRID.bounds(tile)
            if box is None or not edges.left <= longitude <= edges.right:
                continue
            if edges.bottom <= latitude <= edges.top:
                x, y = _share(tile, longitude, latitude)
                return box["x"] + x * box["width"], box["y"] + y * box["height"]
        raise AssertionError(f"no tile of {layer} shows {longitude}, {latitude}")

    def seen(self, x: float, y: float) -> NDArray[Any]:
        """The colour (red, green, blue) that is seen at a point of the page."""
        self.page.mouse.move(2, 2)
        picture = self.page.screenshot()
        with Image.open(io.BytesIO(picture)) as image:
            pixels: NDArray[Any] = np.asarray(image.convert("RGB"), int)
        return np.asarray(pixels[int(y), int(x)])

    def drawn(self, layer: str, longitude: float, latitude: float) -> NDArray[Any]:
        """The colour of a layer's tile at a place."""
        for image in self.tiles(layer).all():
            tile = _tile_of(image)
            x, y = _share(tile, longitude, latitude)
            if 0 <= x < 1 and 0 <= y < 1:
                answer = self.page.request.get(str(image.get_attribute("src")))
                with Image.open(io.BytesIO(answer.body())) as content:
                    pixels: NDArray[Any] = np.asarray(content.convert("RGB"), int)
                return np.asarray(pixels[int(y * 256), int(x * 256)])
        raise AssertionError(f"no tile of {layer} shows {longitude}, {latitude}")


def _tile_of(image: Locator) -> morecantile.Tile:
    found = _TILE.search(str(image.get_attribute("src")))
    assert found is not None
    zoom, x, y = map(int, found.groups())
    return morecantile.Tile(x, y, zoom)


def _share(tile: morecantile.Tile, longitude: float, latitude: float) -> tuple[float, float]:
    """How far from the left and the top of a tile a place lies; 1 is its width."""
    edges = _GRID.xy_bounds(tile)
    x, y = _GRID.xy(longitude, latitude)
    return (
        (x - edges.left) / (edges.right - edges.left),
        (edges.top - y) / (edges.top - edges.bottom),
    )
