"""A pipeline as a figure: boxes from left to right, ports, and arrows with their messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from matplotlib.figure import Figure
from matplotlib.patches import Circle
from matplotlib.path import Path as Curve

from ui.figure_files import save_figure
from ui.picture_layout import (
    HEADER,
    HEADING_SIZE,
    LABEL_SIZE,
    LEGEND,
    LINE,
    MARGIN,
    MOST_FAULTS,
    NAME_SIZE,
    PADDING,
    POINTS_PER_INCH,
    ROW_SIZE,
    SECTION,
    SMALL_SIZE,
    STUB,
    TITLE_SIZE,
    arrange,
    results_of,
)
from ui.picture_style import (
    ARROW,
    COLOURS,
    FAULT,
    FAULTY,
    INK,
    RULE,
    SOFT,
    draw_card,
    draw_curve,
)

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes

    from ui.drawing import Arrow, Drawing, Port
    from ui.picture_layout import Layout, Placed

_PORT_RADIUS: Final = 4.0
_BEND: Final = 32.0
_ON_TOP: Final[dict[str, Any]] = {"va": "center", "zorder": 6}


def save_picture(drawing: Drawing, path: Path) -> None:
    """Write the figure as SVG or PNG, by the suffix of `path`.

    Raises EnvironmentFaultError if the file cannot be written.
    """
    save_figure(lambda: make_picture(drawing), path)


def make_picture(drawing: Drawing) -> Figure:
    """Return the figure, as large as the pipeline needs."""
    layout = arrange(drawing)
    size = (layout.width / POINTS_PER_INCH, layout.height / POINTS_PER_INCH)
    figure = Figure(figsize=size, facecolor="white")
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_xlim(0, layout.width)
    axes.set_ylim(layout.height, 0)
    axes.axis("off")
    axes.text(MARGIN, 28, drawing.title, size=HEADING_SIZE, weight="bold", color=INK, va="center")
    for number, arrow in enumerate(drawing.arrows):
        _draw_arrow(axes, arrow, layout, layout.lanes.get(number))
    for placed in layout.boxes.values():
        _draw_box(axes, placed)
        _draw_rows(axes, placed, drawing)
    _draw_footer(axes, drawing, layout)
    return figure


def _draw_box(axes: Axes, placed: Placed) -> None:
    box = placed.box
    fill, line = FAULTY if box.is_faulty else COLOURS[box.kind]
    x, y = placed.x, placed.y
    draw_card(axes, (x, y, placed.width, placed.height), HEADER, fill, line)
    left = x + PADDING
    axes.text(left, y + 14, box.node, size=NAME_SIZE, weight="bold", color=INK, **_ON_TOP)
    axes.text(left, y + 29, box.title, size=TITLE_SIZE, color=INK, **_ON_TOP)
    axes.text(left, y + 42, box.reference, size=SMALL_SIZE, color=SOFT, **_ON_TOP)
    if box.parameters:
        rule = placed.parameter_y(0) - LINE / 2 - SECTION / 2
        axes.plot([x + 8, placed.right - 8], [rule, rule], color=RULE, lw=0.8, zorder=4)
    for number, parameter in enumerate(box.parameters):
        y_line = placed.parameter_y(number)
        axes.text(left, y_line, parameter, size=SMALL_SIZE, color=SOFT, **_ON_TOP)


def _draw_rows(axes: Axes, placed: Placed, drawing: Drawing) -> None:
    """Draw the operations with their ports, and an arrow out of those that give results."""
    results = results_of(placed.box, drawing)
    for row in placed.box.rows:
        y = placed.operation_y(row.operation)
        middle = placed.x + placed.width / 2
        axes.text(middle, y, row.operation, size=ROW_SIZE, color=INK, ha="center", **_ON_TOP)
        if row in results and row.output:
            end = placed.right + STUB
            draw_curve(axes, Curve([(placed.right, y), (end, y)]), SOFT)
            axes.text(end + 4, y, row.output.message, size=LABEL_SIZE, color=SOFT, **_ON_TOP)
        for port, x in ((row.input, placed.x), (row.output, placed.right)):
            if port is not None:
                _draw_port(axes, port, x, y)


def _draw_port(axes: Axes, port: Port, x: float, y: float) -> None:
    fill = ARROW if port.stream else "white"
    axes.add_patch(Circle((x, y), _PORT_RADIUS, facecolor=fill, edgecolor=ARROW, lw=1.2, zorder=7))


def _draw_arrow(axes: Axes, arrow: Arrow, layout: Layout, lane: float | None) -> None:
    source, target = layout.boxes[arrow.source.node], layout.boxes[arrow.target.node]
    x0, y0 = source.right + _PORT_RADIUS, source.operation_y(arrow.source.operation)
    x1, y1 = target.x - _PORT_RADIUS, target.operation_y(arrow.target.operation)
    colour = FAULT if arrow.is_faulty else ARROW
    if lane is None:
        bend = (x1 - x0) / 2
        points = [(x0, y0), (x0 + bend, y0), (x1 - bend, y1), (x1, y1)]
        codes = [Curve.MOVETO, *[Curve.CURVE4] * 3]
        middle = ((x0 + x1) / 2, (y0 + y1) / 2)
    else:
        points = _around((x0, y0), (x1, y1), lane)
        codes = [Curve.MOVETO, *[Curve.CURVE4] * 3, Curve.LINETO, *[Curve.CURVE4] * 3]
        middle = ((x0 + x1) / 2, lane)
    draw_curve(axes, Curve(points, codes), colour)
    axes.text(
        *middle,
        arrow.message,
        size=LABEL_SIZE,
        color=colour,
        ha="center",
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 2.0},
        **(_ON_TOP | {"zorder": 2}),
    )


def _around(
    start: tuple[float, float], end: tuple[float, float], lane: float
) -> list[tuple[float, float]]:
    """Return the points of a curve that passes along a lane, to the right or back to the left."""
    (x0, y0), (x1, y1) = start, end
    if x1 > x0:
        return [
            (x0, y0),
            (x0 + _BEND, y0),
            (x0, lane),
            (x0 + _BEND, lane),
            (x1 - _BEND, lane),
            (x1, lane),
            (x1 - _BEND, y1),
            (x1, y1),
        ]
    return [
        (x0, y0),
        (x0 + _BEND, y0),
        (x0 + _BEND, lane),
        (x0, lane),
        (x1, lane),
        (x1 - _BEND, lane),
        (x1 - _BEND, y1),
        (x1, y1),
    ]


def _draw_footer(axes: Axes, drawing: Drawing, layout: Layout) -> None:
    y = layout.footer
    axes.text(MARGIN, y, LEGEND, size=SMALL_SIZE, color=SOFT, va="center")
    for number, fault in enumerate(drawing.faults[:MOST_FAULTS], 1):
        words = str(fault)
        if number == MOST_FAULTS < len(drawing.faults):
            words = f"and {len(drawing.faults) - MOST_FAULTS + 1} more faults"
        y_line = y + LINE * number
        axes.text(MARGIN, y_line, words, size=LABEL_SIZE, color=FAULT, va="center")
