"""What a result was made from, as a figure: from the first messages on the left to the result."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from matplotlib.figure import Figure
from matplotlib.path import Path as Curve
from PIL import Image

from composer.contract import Kind
from ui.figure_files import save_figure
from ui.formatting import format_number
from ui.picture_layout import (
    HEADING_SIZE,
    MARGIN,
    NAME_SIZE,
    PADDING,
    POINTS_PER_INCH,
    SMALL_SIZE,
    TITLE_SIZE,
    Ruler,
)
from ui.picture_style import ARROW, COLOURS, INK, SOFT, draw_card, draw_curve

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from matplotlib.axes import Axes

    from orchestrator.lineage import Ancestor

MOST_ROWS: Final = 8
"""Messages of one column; the others are counted."""

_HEADER: Final = 40.0
_TIME: Final = 24.0
_PREVIEW: Final = 92.0
"""Height of previews, without the space around them; as wide as high at most."""
_PREVIEW_PIXELS: Final = (384, 384)
_GAP: Final = 24.0
_COLUMN_GAP: Final = 64.0
_TOP: Final = 58.0
_LEAST_WIDTH: Final = 130.0
_LONGEST: Final = 34
_ON_TOP: Final[dict[str, Any]] = {"va": "center", "zorder": 6}


@dataclass
class _Card:
    """A message, or several that are only counted, and where it stands."""

    message: str
    title: str
    subtitle: str
    kind: Kind
    column: int
    time: str = ""
    preview: np.ndarray[Any, Any] | None = None
    x: float = 0.0
    y: float = 0.0
    width: float = 0.0
    parents: list[str] = field(default_factory=list)

    @property
    def height(self) -> float:
        preview = _PREVIEW + PADDING if self.preview is not None else 0.0
        return _HEADER + (_TIME if self.time else 0.0) + preview

    @property
    def middle(self) -> float:
        return self.y + self.height / 2


def save_lineage(ancestor: Ancestor, path: Path) -> None:
    """Write the figure as SVG or PNG, by the suffix of `path`.

    Raises EnvironmentFaultError if the file cannot be written.
    """
    save_figure(lambda: draw_lineage(ancestor), path)


def draw_lineage(ancestor: Ancestor) -> Figure:
    """Return the figure, as large as the lineage needs."""
    columns = _shorten(_columns(_cards(ancestor)))
    title = f"What {_short(ancestor.item or ancestor.message, 60)} was made from"
    width, height = _place(columns, title)
    figure = Figure(figsize=(width / POINTS_PER_INCH, height / POINTS_PER_INCH), facecolor="white")
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.axis("off")
    axes.text(MARGIN, 28, title, size=HEADING_SIZE, weight="bold", color=INK, va="center")
    cards = {card.message: card for column in columns for card in column}
    for card in cards.values():
        for parent in dict.fromkeys(card.parents):
            _draw_arrow(axes, cards[parent], card)
    for card in cards.values():
        _draw_card(axes, card)
    return figure


def _cards(ancestor: Ancestor) -> Mapping[str, _Card]:
    """Return a card per message; its column is its longest way to the result."""
    found: dict[str, _Card] = {}

    def visit(each: Ancestor, column: int) -> None:
        card = found.get(each.message)
        if card is None:
            kind = Kind.RELAY if each.parents or each.is_repeated else Kind.SOURCE
            node = each.message.partition(".")[0]
            card = found[each.message] = _Card(
                each.message,
                _short(each.item or each.message, _LONGEST),
                f"{node}, {each.component}",
                kind if column else Kind.SINK,
                column,
                each.time,
                _read_preview(each.preview),
            )
        card.column = max(card.column, column)
        card.parents = card.parents or [parent.message for parent in each.parents]
        for parent in each.parents:
            visit(parent, column + 1)

    visit(ancestor, 0)
    return found


def _columns(cards: Mapping[str, _Card]) -> list[list[_Card]]:
    """Return the columns from the left, each in the order of what was made from its messages."""
    columns: dict[int, list[_Card]] = defaultdict(list)
    for card in cards.values():
        columns[card.column].append(card)
    ranks: dict[str, list[int]] = defaultdict(list)
    for number in sorted(columns):
        columns[number].sort(
            key=lambda card: (
                sum(ranks[card.message]) / len(ranks[card.message]) if ranks[card.message] else 0.0
            )
        )
        for rank, card in enumerate(columns[number]):
            for parent in card.parents:
                ranks[parent].append(rank)
    return [columns[number] for number in sorted(columns, reverse=True)]


def _shorten(columns: list[list[_Card]]) -> list[list[_Card]]:
    """Put what a column has too much of into one card; arrows follow it there."""
    moved: dict[str, str] = {}
    shown = []
    for column in columns:
        if len(column) <= MOST_ROWS:
            shown.append(column)
            continue
        rest = column[MOST_ROWS - 1 :]
        name = f"{rest[0].message} and more"
        moved |= {card.message: name for card in rest}
        parents = [parent for card in rest for parent in card.parents]
        more = _Card(
            name,
            f"and {format_number(len(rest))} more",
            rest[0].subtitle,
            rest[0].kind,
            rest[0].column,
            parents=parents,
        )
        shown.append([*column[: MOST_ROWS - 1], more])
    for card in (card for column in shown for card in column):
        card.parents = [moved.get(parent, parent) for parent in card.parents]
    return shown


def _place(columns: list[list[_Card]], title: str) -> tuple[float, float]:
    """Give every card its place; return width and height of the figure."""
    measure = Ruler()
    heights = [sum(card.height + _GAP for card in column) - _GAP for column in columns]
    tallest = max(heights)
    x = MARGIN
    for column, height in zip(columns, heights, strict=True):
        width = max(_LEAST_WIDTH, *(_width(card, measure) for card in column))
        y = _TOP + (tallest - height) / 2
        for card in column:
            card.x, card.y, card.width = x, y, width
            y += card.height + _GAP
        x += width + _COLUMN_GAP
    right = max(x - _COLUMN_GAP, MARGIN + measure(title, HEADING_SIZE, bold=True))
    return right + MARGIN, _TOP + tallest + MARGIN


def _width(card: _Card, measure: Ruler) -> float:
    widths = (
        measure(card.title, NAME_SIZE, bold=True),
        measure(card.subtitle, SMALL_SIZE),
        measure(card.time, TITLE_SIZE),
    )
    return max(widths) + 2 * PADDING


def _draw_card(axes: Axes, card: _Card) -> None:
    fill, line = COLOURS[card.kind]
    draw_card(axes, (card.x, card.y, card.width, card.height), _HEADER, fill, line)
    left = card.x + PADDING
    axes.text(left, card.y + 14, card.title, size=NAME_SIZE, weight="bold", color=INK, **_ON_TOP)
    axes.text(left, card.y + 29, card.subtitle, size=SMALL_SIZE, color=SOFT, **_ON_TOP)
    bottom = card.y + _HEADER
    if card.time:
        bottom += _TIME
        axes.text(left, bottom - 11, card.time, size=TITLE_SIZE, color=INK, **_ON_TOP)
    if card.preview is not None:
        rows, columns = card.preview.shape[:2]
        scale = min(_PREVIEW / rows, (card.width - 2 * PADDING) / columns)
        top = bottom + PADDING / 2 + (_PREVIEW - rows * scale) / 2
        axes.imshow(
            card.preview,
            extent=(left, left + columns * scale, top + rows * scale, top),
            aspect="auto",
            zorder=6,
        )


def _draw_arrow(axes: Axes, source: _Card, target: _Card) -> None:
    x0, x1 = source.x + source.width, target.x
    bend = max((x1 - x0) / 2, _COLUMN_GAP / 2)
    points = [
        (x0, source.middle),
        (x0 + bend, source.middle),
        (x1 - bend, target.middle),
        (x1, target.middle),
    ]
    draw_curve(axes, Curve(points, [Curve.MOVETO, *[Curve.CURVE4] * 3]), ARROW)


def _read_preview(path: str) -> np.ndarray[Any, Any] | None:
    """Return a small picture as an array (y, x, 3) of bytes; None if it cannot be read."""
    if not path:
        return None
    try:
        with Image.open(path, formats=("PNG", "JPEG")) as image:
            image.thumbnail(_PREVIEW_PIXELS)
            return np.asarray(image.convert("RGB"))
    except (OSError, ValueError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return None


def _short(text: str, longest: int) -> str:
    """Return a text without its middle, if it is too long."""
    if len(text) <= longest:
        return text
    half = (longest - 1) // 2
    return f"{text[:half]}…{text[-half:]}"
