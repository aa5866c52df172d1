"""The layers of a map: what each of them is, and how far they reach."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ui.result_bands import LayerBand
    from ui.result_items import ItemView


@dataclass(frozen=True)
class MapLayer:
    """One layer. The names are those of the map's contract, `ui/canvas/src/map/types.ts`.

    side: `image` for what lies below, `overlay` for what lies above. bounds: west, south, east,
    north. legend: how to read it. path, band: the first that it is drawn from.
    """

    id: str
    kind: str
    title: str
    group: str
    url: str
    side: str = "overlay"
    valueUrl: str = ""  # noqa: N815 - as in JavaScript
    bands: tuple[LayerBand, ...] = ()
    path: str = ""
    band: int = 1
    legend: Mapping[str, Any] = field(default_factory=dict)
    bounds: tuple[float, float, float, float] | None = None
    maxZoom: int = 18  # noqa: N815
    visible: bool = False
    opacity: float = 1.0


@dataclass(frozen=True)
class ItemLayers:
    """The layers of an item from the lowest to the topmost. notes: what cannot be shown, and why.

    left, right: the ids of the two layers that are compared first; empty where there are no two.
    """

    layers: tuple[MapLayer, ...]
    notes: tuple[str, ...]
    left: str = ""
    right: str = ""

    def as_data(self) -> list[dict[str, Any]]:
        """Return the layers for the map."""
        return [asdict(layer) for layer in self.layers]


def map_bounds(layers: Iterable[MapLayer], item: ItemView) -> list[float] | None:
    """Return west, south, east, north of the layers, else of the item; None where it has none."""
    boxes = [layer.bounds for layer in layers if layer.bounds is not None]
    if boxes:
        west, south, east, north = zip(*boxes, strict=True)
        return [min(west), min(south), max(east), max(north)]
    box = item.document.get("bbox")
    if isinstance(box, list) and len(box) == 6:
        box = [*box[:2], *box[3:5]]
    is_box = isinstance(box, list) and len(box) == 4
    return box if is_box and all(isinstance(edge, int | float) for edge in box or ()) else None
