"""Where the parts of a pipeline's figure go.

All lengths are points (1/72 inch); y grows downwards.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextToPath

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ui.drawing import Box, Drawing, Row

POINTS_PER_INCH: Final = 72.0
MARGIN: Final = 28.0
PADDING: Final = 14.0
HEADER: Final = 52.0
"""Height of the upper part of a box: its node, title and component."""
LINE: Final = 16.0
SECTION: Final = 9.0
"""Space above and below the operations of a box, and below its parameters."""
STUB: Final = 22.0
"""Length of the arrow from a port whose messages are results."""

NAME_SIZE, TITLE_SIZE, ROW_SIZE, SMALL_SIZE, LABEL_SIZE = 11.5, 9.0, 9.5, 8.0, 8.5
HEADING_SIZE: Final = 14.0
LEGEND: Final = "● stream of messages     ○ message by message"
MOST_FAULTS: Final = 8

_TOP: Final = 56.0
_LEAST_WIDTH: Final = 132.0
_COLUMN_GAP: Final = 52.0
_ROW_GAP: Final = 30.0
_LANE: Final = 22.0
_SLACK: Final = 1.06
"""Viewers of SVG may have a slightly wider font."""


@dataclass
class Placed:
    """A box with its upper left corner and its width."""

    box: Box
    width: float
    x: float = 0.0
    y: float = 0.0

    @property
    def height(self) -> float:
        """Header, operations, and parameters if there are any."""
        height = HEADER + 2 * SECTION + LINE * len(self.box.rows)
        number = len(self.box.parameters)
        return height + (LINE * number + SECTION if number else 0.0)

    @property
    def right(self) -> float:
        """The right side."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """The lower side."""
        return self.y + self.height

    def operation_y(self, operation: str) -> float:
        """Return the middle of an operation's line."""
        number = [row.operation for row in self.box.rows].index(operation)
        return self.y + HEADER + SECTION + LINE * (number + 0.5)

    def parameter_y(self, number: int) -> float:
        """Return the middle of a parameter's line."""
        rows = HEADER + 2 * SECTION + LINE * len(self.box.rows)
        return self.y + rows + LINE * (number + 0.5)


@dataclass(frozen=True)
class Layout:
    """A whole figure."""

    boxes: Mapping[str, Placed]
    lanes: Mapping[int, float]
    """y of each arrow, by its number, that passes below the boxes instead of between two."""
    footer: float
    """y of the legend; faults stand below it."""
    width: float
    height: float


def arrange(drawing: Drawing) -> Layout:
    """Give every part its place."""
    measure = Ruler()
    boxes = {box.node: Placed(box, _box_width(box, measure)) for box in drawing.boxes}
    labels = max((measure(arrow.message, LABEL_SIZE) for arrow in drawing.arrows), default=0.0)
    _place(boxes.values(), labels + _COLUMN_GAP)
    bottom = max((each.bottom for each in boxes.values()), default=_TOP)
    numbers = _passing_below(drawing)
    lanes = {number: bottom + _LANE * (i + 0.8) for i, number in enumerate(numbers)}
    footer = bottom + _LANE * len(lanes) + 30.0
    faults = [str(fault) for fault in drawing.faults[:MOST_FAULTS]]
    widest = max(
        *(each.right + _stub_width(each.box, drawing, measure) for each in boxes.values()),
        MARGIN + measure(LEGEND, SMALL_SIZE),
        MARGIN + measure(drawing.title, HEADING_SIZE, bold=True),
        *(MARGIN + measure(fault, LABEL_SIZE) for fault in faults),
    )
    height = footer + LINE * len(faults) + MARGIN
    return Layout(boxes, lanes, footer, widest + MARGIN, height)


def results_of(box: Box, drawing: Drawing) -> list[Row]:
    """Return the operations whose messages no other operation takes."""
    linked = {(arrow.source.node, arrow.source.operation) for arrow in drawing.arrows}
    return [row for row in box.rows if row.output and (box.node, row.operation) not in linked]


class Ruler:
    """Measures text as it will be drawn."""

    def __init__(self) -> None:
        self._text = TextToPath()

    def __call__(self, text: str, size: float, *, bold: bool = False) -> float:
        """Return the width of a text in points."""
        font = FontProperties(size=size, weight="bold" if bold else "normal")
        width, _, _ = self._text.get_text_width_height_descent(text, font, ismath=False)
        return _SLACK * float(width)


def _box_width(box: Box, measure: Ruler) -> float:
    widths = (
        measure(box.node, NAME_SIZE, bold=True),
        measure(box.title, TITLE_SIZE),
        measure(box.reference, SMALL_SIZE),
        *(measure(row.operation, ROW_SIZE) for row in box.rows),
        *(measure(parameter, SMALL_SIZE) for parameter in box.parameters),
    )
    return max(_LEAST_WIDTH, max(widths) + 2 * PADDING)


def _stub_width(box: Box, drawing: Drawing, measure: Ruler) -> float:
    """Return what stands to the right of a box: the name of its results, or an arrow's bend."""
    messages = [row.output.message for row in results_of(box, drawing) if row.output]
    return max((STUB + 8.0 + measure(name, LABEL_SIZE) for name in messages), default=STUB)


def _place(boxes: Iterable[Placed], gap: float) -> None:
    """Put the boxes into columns, those of one column as wide as its widest."""
    columns: dict[int, list[Placed]] = defaultdict(list)
    for each in boxes:
        columns[each.box.column].append(each)
    everything = [each for column in columns.values() for each in column]
    tallest = max((each.height for each in everything), default=0.0)
    first = min((each.box.row for each in everything), default=0.0)
    x = MARGIN
    for number in sorted(columns):
        width = max(each.width for each in columns[number])
        for each in columns[number]:
            each.width, each.x = width, x
            # By their tops, so that links between boxes of one row are mostly straight.
            each.y = _TOP + (each.box.row - first) * (tallest + _ROW_GAP)
        x += width + gap


def _passing_below(drawing: Drawing) -> list[int]:
    """Return the numbers of arrows that do not lead just one column to the right."""
    columns = {box.node: box.column for box in drawing.boxes}
    return [
        number
        for number, arrow in enumerate(drawing.arrows)
        if columns[arrow.target.node] != columns[arrow.source.node] + 1
    ]
