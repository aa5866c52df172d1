"""A pipeline as a figure: boxes from left to right, ports, and arrows with their messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, PathPatch
from matplotlib.path import Path as Curve

from composer.contract import Kind
from ui.errors import EnvironmentFaultError
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

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes

    from ui.drawing import Arrow, Drawing, Port
    from ui.picture_layout import Layout, Placed

FORMATS: Final = (".svg", ".png")
PNG_DPI: Final = 200

_PORT_RADIUS: Final = 4.0
_CORNER: Final = 9.0
_BEND: Final = 32.0
_INK, _SOFT, _RULE, _ARROW, _FAULT = "#1c2733", "#5b6b7b", "#d5dde5", "#51606f", "#c62828"
_COLOURS: Final = {
    Kind.SOURCE: ("#e3effb", "#2a6fb5"),
    Kind.RELAY: ("#e6f3ea", "#2e7d4f"),
    Kind.SINK: ("#f6eafa", "#8a3fa3"),
}
"""Fill of the header, and line, by what a node is."""
_FAULTY: Final = ("#fdeaea", _FAULT)
_ON_TOP: Final[dict[str, Any]] = {"va": "center", "zorder": 6}


def save_picture(drawing: Drawing, path: Path) -> None:
    """Write the figure as SVG or PNG, by the suffix of `path`.

    Text stays text in SVG, and equal pipelines give equal files. Raises EnvironmentFaultError if
    the file cannot be written.
    """
    with mpl.rc_context(
        {
            "font.family": "DejaVu Sans",  # comes with matplotlib
            "svg.fonttype": "none",
            "svg.hashsalt": "eoloom",
            "text.parse_math": False,
        }
    ):
        figure = make_picture(drawing)
        metadata = {"Date": None} if path.suffix == ".svg" else {}
        try:
            figure.savefig(path, dpi=PNG_DPI, metadata=metadata)
        except OSError as error:
            reason = error.strerror or error
            raise EnvironmentFaultError(f"cannot write {path}: {reason}") from error


def make_picture(drawing: Drawing) -> Figure:
    """Return the figure, as large as the pipeline needs."""
    layout = arrange(drawing)
    size = (layout.width / POINTS_PER_INCH, layout.height / POINTS_PER_INCH)
    figure = Figure(figsize=size, facecolor="white")
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_xlim(0, layout.width)
    axes.set_ylim(layout.height, 0)
    axes.axis("off")
    axes.text(MARGIN, 28, drawing.title, size=HEADING_SIZE, weight="bold", color=_INK, va="center")
    for number, arrow in enumerate(drawing.arrows):
        _draw_arrow(axes, arrow, layout, layout.lanes.get(number))
    for placed in layout.boxes.values():
        _draw_box(axes, placed)
        _draw_rows(axes, placed, drawing)
    _draw_footer(axes, drawing, layout)
    return figure


def _draw_box(axes: Axes, placed: Placed) -> None:
    box = placed.box
    fill, line = _FAULTY if box.is_faulty else _COLOURS[box.kind]
    x, y = placed.x, placed.y
    outline = FancyBboxPatch(
        (x, y),
        placed.width,
        placed.height,
        boxstyle=f"round,pad=0,rounding_size={_CORNER}",
        facecolor="white",
        edgecolor=line,
        linewidth=1.3,
        zorder=3,
    )
    axes.add_patch(outline)
    axes.add_patch(PathPatch(_header(placed), facecolor=fill, edgecolor=line, lw=1.3, zorder=4))
    left = x + PADDING
    axes.text(left, y + 14, box.node, size=NAME_SIZE, weight="bold", color=_INK, **_ON_TOP)
    axes.text(left, y + 29, box.title, size=TITLE_SIZE, color=_INK, **_ON_TOP)
    axes.text(left, y + 42, box.reference, size=SMALL_SIZE, color=_SOFT, **_ON_TOP)
    if box.parameters:
        rule = placed.parameter_y(0) - LINE / 2 - SECTION / 2
        axes.plot([x + 8, placed.right - 8], [rule, rule], color=_RULE, lw=0.8, zorder=4)
    for number, parameter in enumerate(box.parameters):
        y_line = placed.parameter_y(number)
        axes.text(left, y_line, parameter, size=SMALL_SIZE, color=_SOFT, **_ON_TOP)


def _header(placed: Placed) -> Curve:
    """Return the upper part of a box: round above, straight below."""
    x, y, right, bottom = placed.x, placed.y, placed.right, placed.y + HEADER
    points = [
        (x, bottom),
        (x, y + _CORNER),
        (x, y),
        (x + _CORNER, y),
        (right - _CORNER, y),
        (right, y),
        (right, y + _CORNER),
        (right, bottom),
        (x, bottom),
    ]
    curve, line = Curve.CURVE3, Curve.LINETO
    return Curve(points, [Curve.MOVETO, line, curve, curve, line, curve, curve, line, line])


def _draw_rows(axes: Axes, placed: Placed, drawing: Drawing) -> None:
    """Draw the operations with their ports, and an arrow out of those that give results."""
    results = results_of(placed.box, drawing)
    for row in placed.box.rows:
        y = placed.operation_y(row.operation)
        middle = placed.x + placed.width / 2
        axes.text(middle, y, row.operation, size=ROW_SIZE, color=_INK, ha="center", **_ON_TOP)
        if row in results and row.output:
            end = placed.right + STUB
            _draw_curve(axes, Curve([(placed.right, y), (end, y)]), _SOFT)
            axes.text(end + 4, y, row.output.message, size=LABEL_SIZE, color=_SOFT, **_ON_TOP)
        for port, x in ((row.input, placed.x), (row.output, placed.right)):
            if port is not None:
                _draw_port(axes, port, x, y)


def _draw_port(axes: Axes, port: Port, x: float, y: float) -> None:
    fill = _ARROW if port.stream else "white"
    axes.add_patch(Circle((x, y), _PORT_RADIUS, facecolor=fill, edgecolor=_ARROW, lw=1.2, zorder=7))


def _draw_arrow(axes: Axes, arrow: Arrow, layout: Layout, lane: float | None) -> None:
    source, target = layout.boxes[arrow.source.node], layout.boxes[arrow.target.node]
    x0, y0 = source.right + _PORT_RADIUS, source.operation_y(arrow.source.operation)
    x1, y1 = target.x - _PORT_RADIUS, target.operation_y(arrow.target.operation)
    colour = _FAULT if arrow.is_faulty else _ARROW
    if lane is None:
        bend = (x1 - x0) / 2
        points = [(x0, y0), (x0 + bend, y0), (x1 - bend, y1), (x1, y1)]
        codes = [Curve.MOVETO, *[Curve.CURVE4] * 3]
        middle = ((x0 + x1) / 2, (y0 + y1) / 2)
    else:
        points = _around((x0, y0), (x1, y1), lane)
        codes = [Curve.MOVETO, *[Curve.CURVE4] * 3, Curve.LINETO, *[Curve.CURVE4] * 3]
        middle = ((x0 + x1) / 2, lane)
    _draw_curve(axes, Curve(points, codes), colour)
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


def _draw_curve(axes: Axes, curve: Curve, colour: str) -> None:
    axes.add_patch(
        FancyArrowPatch(
            path=curve,
            arrowstyle="-|>,head_length=5,head_width=2.6",
            color=colour,
            linewidth=1.4,
            shrinkA=0,
            shrinkB=0,
            zorder=1,
        )
    )


def _draw_footer(axes: Axes, drawing: Drawing, layout: Layout) -> None:
    y = layout.footer
    axes.text(MARGIN, y, LEGEND, size=SMALL_SIZE, color=_SOFT, va="center")
    for number, fault in enumerate(drawing.faults[:MOST_FAULTS], 1):
        words = str(fault)
        if number == MOST_FAULTS < len(drawing.faults):
            words = f"and {len(drawing.faults) - MOST_FAULTS + 1} more faults"
        y_line = y + LINE * number
        axes.text(MARGIN, y_line, words, size=LABEL_SIZE, color=_FAULT, va="center")
