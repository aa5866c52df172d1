"""What all figures have in common: colours, cards and arrows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, PathPatch
from matplotlib.path import Path as Curve

from composer.contract import Kind

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, SOFT, RULE, ARROW, FAULT = "#1c2733", "#5b6b7b", "#d5dde5", "#51606f", "#c62828"
COLOURS: Final = {
    Kind.SOURCE: ("#e3effb", "#2a6fb5"),
    Kind.RELAY: ("#e6f3ea", "#2e7d4f"),
    Kind.SINK: ("#f6eafa", "#8a3fa3"),
}
"""Fill of the header, and line, by what a node is."""
FAULTY: Final = ("#fdeaea", FAULT)

_CORNER: Final = 9.0


def draw_card(
    axes: Axes, place: tuple[float, float, float, float], header: float, fill: str, line: str
) -> None:
    """Draw a box with a header, both round; place: x, y, width and height in points."""
    x, y, width, height = place
    outline = FancyBboxPatch(
        (x, y),
        width,
        height,
        boxstyle=f"round,pad=0,rounding_size={_CORNER}",
        facecolor="white",
        edgecolor=line,
        linewidth=1.3,
        zorder=3,
    )
    axes.add_patch(outline)
    upper = _header(x, y, x + width, y + header)
    axes.add_patch(PathPatch(upper, facecolor=fill, edgecolor=line, lw=1.3, zorder=4))


def _header(x: float, y: float, right: float, bottom: float) -> Curve:
    """Return the upper part of a box: round above, straight below."""
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


def draw_curve(axes: Axes, curve: Curve, colour: str) -> None:
    """Draw an arrow along a curve."""
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
