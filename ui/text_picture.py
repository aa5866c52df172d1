"""A pipeline as a picture of characters: layers from the top, links with their messages."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.text import Text

from composer.contract import Kind
from ui.character_canvas import Canvas

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ui.drawing import Arrow, Box, Drawing, Row

_GAP: Final = 3
"""Columns between boxes."""
_STYLES: Final = {Kind.SOURCE: "blue", Kind.RELAY: "green", Kind.SINK: "magenta"}
_FAULT: Final = "bold red"


@dataclass
class _Placed:
    """A box with its cells."""

    box: Box
    lines: tuple[tuple[str, str], ...]
    """Text and style of each line."""
    width: int
    x: int = 0
    y: int = 0

    @property
    def height(self) -> int:
        return len(self.lines) + 2

    @property
    def bottom(self) -> int:
        return self.y + self.height - 1

    @property
    def centre(self) -> int:
        return self.x + self.width // 2


@dataclass(frozen=True)
class _Route:
    """The columns of one arrow: where it leaves, where it arrives, and its lane if it has one."""

    arrow: Arrow
    source: _Placed
    target: _Placed
    leaves: int
    arrives: int
    lane: int | None

    @property
    def is_straight(self) -> bool:
        """Whether it runs straight down to the next layer."""
        return self.lane is None and self.leaves == self.arrives


def text_picture(drawing: Drawing) -> Text:
    """Return the picture; its width depends on the pipeline alone."""
    placed = {box.node: _place(box, drawing) for box in drawing.boxes}
    layers = _layers(placed.values())
    widths = [_line_up(layer) for layer in layers]
    for layer, width in zip(layers, widths, strict=True):
        for each in layer:
            each.x += (max(widths) - width) // 2
    routes = _routes(drawing, placed, lanes_at=max(widths, default=0) + _GAP)
    canvas = Canvas()
    y = 0
    channels = []
    for layer in [[], *layers]:
        for each in layer:
            each.y = y
        y += max((each.height for each in layer), default=0)
        channels.append(y)
        number = len(channels) - 1
        y += _channel_height(routes, number)
    for each in placed.values():
        _draw_box(canvas, each)
    for route in routes:
        _draw_route(canvas, route, routes, channels)
    return canvas.render()


def text_list(drawing: Drawing) -> Text:
    """Return the pipeline as lines, for terminals that are too narrow for the picture."""
    text = Text()
    for box in drawing.boxes:
        style = _FAULT if box.is_faulty else "bold"
        text.append_text(Text.assemble((box.node, style), f"  {box.title} ({box.reference})\n"))
    for arrow in drawing.arrows:
        style = _FAULT if arrow.is_faulty else ""
        text.append(f"  {arrow.source} -> {arrow.target}: {_message(arrow)}\n", style=style)
    text.rstrip()
    return text


def _place(box: Box, drawing: Drawing) -> _Placed:
    lines = [(box.title, ""), (box.reference, "dim")]
    lines += [(_row_text(row), "cyan") for row in box.rows]
    lines += [(parameter, "dim") for parameter in box.parameters]
    incoming = [arrow for arrow in drawing.arrows if arrow.target.node == box.node]
    outgoing = [arrow for arrow in drawing.arrows if arrow.source.node == box.node]
    needed = max(
        len(box.node) + 6,
        *(len(line) + 4 for line, _ in lines),
        _spacing(incoming) * len(incoming),
        4 * len(outgoing) + 2,
    )
    return _Placed(box, tuple(lines), needed)


def _row_text(row: Row) -> str:
    sides = [
        f"{'stream ' if port.stream else ''}{port.message}" if port else ""
        for port in (row.input, row.output)
    ]
    ports = " ".join(filter(None, (sides[0], "->", sides[1])))
    return f"{row.operation}: {ports}"


def _message(arrow: Arrow) -> str:
    return f"stream {arrow.message}" if arrow.is_stream else arrow.message


def _layers(placed: Iterable[_Placed]) -> list[list[_Placed]]:
    layers: dict[int, list[_Placed]] = defaultdict(list)
    for each in placed:
        layers[each.box.column].append(each)
    return [sorted(layers[n], key=lambda each: each.box.row) for n in sorted(layers)]


def _line_up(layer: list[_Placed]) -> int:
    """Put the boxes of a layer side by side; return the columns that they take."""
    x = 0
    for each in layer:
        each.x = x
        x += each.width + _GAP
    return x - _GAP


def _routes(drawing: Drawing, placed: dict[str, _Placed], lanes_at: int) -> list[_Route]:
    leaves = _spread(drawing, placed, outgoing=True)
    arrives = _spread(drawing, placed, outgoing=False)
    routes: list[_Route] = []
    lanes = 0
    for number, arrow in enumerate(drawing.arrows):
        source, target = placed[arrow.source.node], placed[arrow.target.node]
        lane = None
        if target.box.column != source.box.column + 1:
            lane = lanes_at + 2 * lanes
            lanes += 1
        routes.append(_Route(arrow, source, target, leaves[number], arrives[number], lane))
    return routes


def _spread(drawing: Drawing, placed: dict[str, _Placed], *, outgoing: bool) -> dict[int, int]:
    """Return for each arrow its column at one side of a box, so that neighbours do not cross."""
    columns: dict[int, int] = {}
    for each in placed.values():
        ends = [
            (number, arrow.target.node if outgoing else arrow.source.node)
            for number, arrow in enumerate(drawing.arrows)
            if (arrow.source.node if outgoing else arrow.target.node) == each.box.node
        ]
        ends.sort(key=lambda end: placed[end[1]].centre)
        step = 4 if outgoing else _spacing(drawing.arrows[number] for number, _ in ends)
        first = each.centre - step * (len(ends) - 1) // 2
        columns.update((number, first + step * i) for i, (number, _) in enumerate(ends))
    return columns


def _spacing(incoming: Iterable[Arrow]) -> int:
    """Return the columns between arrows into one box: their labels stand between them."""
    return max((len(_label(arrow)) + 4 for arrow in incoming), default=0)


def _label(arrow: Arrow) -> str:
    return f"{_message(arrow)} to {arrow.target.operation}"


def _channel_height(routes: list[_Route], channel: int) -> int:
    """Return the lines of the channel below layer `channel`, counted from 1.

    One out of the boxes, one for each arrow that turns, one for labels and one for arrowheads.
    """
    if any(_uses(route, channel) for route in routes):
        return 3 + sum(_turns_in(route, channel) for route in routes)
    return 0


def _uses(route: _Route, channel: int) -> bool:
    return channel in {route.source.box.column + 1, route.target.box.column}


def _turns_in(route: _Route, channel: int) -> bool:
    return _uses(route, channel) and not route.is_straight


def _draw_box(canvas: Canvas, placed: _Placed) -> None:
    box = placed.box
    style = _FAULT if box.is_faulty else _STYLES[box.kind]
    canvas.frame(placed.y, placed.x, placed.height, placed.width, style)
    canvas.text(placed.y, placed.x + 2, f" {box.node} ", f"bold {style}")
    for number, (line, line_style) in enumerate(placed.lines, 1):
        canvas.text(placed.y + number, placed.x + 2, line, line_style)


def _draw_route(canvas: Canvas, route: _Route, routes: list[_Route], channels: list[int]) -> None:
    style = _FAULT if route.arrow.is_faulty else ""
    arrow_y = route.target.y - 1
    below, above = route.source.box.column + 1, route.target.box.column
    row_below = channels[below] + 1 + _order(route, routes, below)
    if route.lane is None:
        turns = [] if route.is_straight else [(route.leaves, row_below, route.arrives)]
    else:
        row_above = channels[above] + 1 + _order(route, routes, above)
        turns = [(route.leaves, row_below, route.lane), (route.lane, row_above, route.arrives)]
    y = route.source.bottom
    for x, row, next_x in turns:
        canvas.vertical(x, min(y, row), max(y, row), style)
        canvas.horizontal(row, min(x, next_x), max(x, next_x), style)
        y = row
    canvas.vertical(route.arrives, y, arrow_y, style)
    canvas.text(arrow_y, route.arrives, "▼", style)
    canvas.text(arrow_y - 1, route.arrives + 2, _label(route.arrow), style or "dim")


def _order(route: _Route, routes: list[_Route], channel: int) -> int:
    """Return the line of an arrow among those that share a channel."""
    turning = [other for other in routes if _turns_in(other, channel)]
    return turning.index(route) if route in turning else 0
