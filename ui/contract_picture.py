"""The contract of a component drawn: its operations with their messages, as SVG.

Nothing of a contract is taken for markup: every text is escaped, and the picture is an image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape

from ui.component_view import short_name
from ui.contract_tables import type_words

if TYPE_CHECKING:
    from composer.contract import Contract, Message, Operation

WIDTH: Final = 900
MAX_FIELDS: Final = 8
"""Fields of a message that are drawn; the tables have all."""
MAX_OPERATIONS: Final = 20

_CARD, _BOX, _ROW, _HEAD, _GAP = 300, 176, 19, 30, 26
_COLOURS: Final = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#888888")
"""Paul Tol's bright scheme, as on the canvas."""


@dataclass(frozen=True)
class Palette:
    """Colours of a theme."""

    ink: str
    soft: str
    line: str
    fill: str
    head: str


LIGHT: Final = Palette("#12161c", "#566071", "#c9d1db", "#ffffff", "#f3f5f8")
DARK: Final = Palette("#f2f4f7", "#aab4c3", "#49525f", "#1b1f26", "#262b34")


def contract_svg(contract: Contract, *, dark: bool = False) -> str:
    """Return the picture; one row per operation, its input on the left."""
    theme = DARK if dark else LIGHT
    colours: dict[str, str] = {}
    parts: list[str] = []
    top = 2
    operations = list(contract.operations.values())
    for operation in operations[:MAX_OPERATIONS]:
        height = max(_height(operation.input), _height(operation.output), 74)
        parts += _operation(operation, top, height, theme, colours)
        top += height + _GAP
    if operations[MAX_OPERATIONS:]:
        more = f"and {len(operations) - MAX_OPERATIONS} more operations"
        parts.append(_text((WIDTH / 2, top + 4), more, theme.soft, anchor="middle"))
        top += _GAP
    height = max(top - _GAP + 2, 20)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
        f'height="{height}" font-family="Source Sans, Source Sans 3, sans-serif" font-size="13">'
        f"{''.join(parts)}</svg>"
    )


def _height(message: Message) -> int:
    if not message.fields:
        return 0
    shown = min(len(message.fields), MAX_FIELDS) + (len(message.fields) > MAX_FIELDS)
    return _HEAD + shown * _ROW + 8


def _operation(
    operation: Operation, top: int, height: int, theme: Palette, colours: dict[str, str]
) -> list[str]:
    left, right = (WIDTH - _BOX) / 2, (WIDTH + _BOX) / 2
    middle = top + height / 2
    parts = [
        _box((left, middle - 27, _BOX, 54), theme.head, theme.line),
        _text(
            (WIDTH / 2, middle - 2),
            _short(operation.name, 24),
            theme.ink,
            weight=600,
            anchor="middle",
        ),
        _text((WIDTH / 2, middle + 15), operation.kind.value, theme.soft, anchor="middle"),
    ]
    for message, stream, x, at, end in (
        (operation.input, operation.input_stream, 0.0, left, _CARD),
        (operation.output, operation.output_stream, float(WIDTH - _CARD), right, WIDTH - _CARD),
    ):
        if not message.fields:
            continue
        number = len(colours) % len(_COLOURS)
        colour = colours.setdefault(message.name, _COLOURS[number])
        parts += _message(message, x, middle - _height(message) / 2, theme, colour)
        parts.append(_link(float(end), at, middle, colour, stream=stream))
    return parts


def _message(message: Message, x: float, y: float, theme: Palette, colour: str) -> list[str]:
    parts = [
        _box((x, y, _CARD, _height(message)), theme.fill, theme.line),
        _mark(x + 1, y + 1, _height(message) - 2, colour),
        _text((x + 16, y + 20), _short(short_name(message.name), 34), theme.ink, weight=600),
    ]
    line = y + _HEAD + 12
    for field in message.fields[:MAX_FIELDS]:
        parts.append(_text((x + 16, line), _short(field.name, 20), theme.ink))
        parts.append(
            _text((x + _CARD - 10, line), _short(type_words(field), 21), theme.soft, anchor="end")
        )
        line += _ROW
    if message.fields[MAX_FIELDS:]:
        more = f"and {len(message.fields) - MAX_FIELDS} more"
        parts.append(_text((x + 16, line), more, theme.soft))
    return parts


def _mark(x: float, y: float, height: float, colour: str) -> str:
    return f'<rect x="{x}" y="{y}" width="5" height="{height}" rx="2" fill="{colour}"/>'


def _link(card: float, box: float, y: float, colour: str, *, stream: bool) -> str:
    """Draw the way between a message and the operation; a stream as a double line."""
    x1, x2 = min(card, box), max(card, box)
    head = f"{x2 - 8},{y - 5} {x2},{y} {x2 - 8},{y + 5}"
    offsets = (-2.5, 2.5) if stream else (0.0,)
    lines = "".join(
        f'<line x1="{x1}" y1="{y + d}" x2="{x2 - 6}" y2="{y + d}" stroke="{colour}" '
        'stroke-width="2"/>'
        for d in offsets
    )
    return f'{lines}<polygon points="{head}" fill="{colour}"/>'


def _box(place: tuple[float, float, float, float], fill: str, line: str) -> str:
    x, y, width, height = place
    return (
        f'<rect x="{x + 0.5}" y="{y + 0.5}" width="{width - 1}" height="{height - 1}" rx="6" '
        f'fill="{fill}" stroke="{line}"/>'
    )


def _text(
    place: tuple[float, float], text: str, fill: str, *, weight: int = 400, anchor: str = "start"
) -> str:
    x, y = place
    return (
        f'<text x="{x}" y="{y}" fill="{fill}" font-weight="{weight}" '
        f'text-anchor="{anchor}">{escape(text)}</text>'
    )


def _short(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
