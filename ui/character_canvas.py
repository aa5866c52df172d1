"""A canvas of characters: lines that join where they meet, and text over them."""

from __future__ import annotations

from enum import IntFlag
from typing import Final

from rich.text import Text


class _Side(IntFlag):
    """To which sides of its cell a line leads."""

    UP = 1
    DOWN = 2
    LEFT = 4
    RIGHT = 8


# The characters of https://www.unicode.org/charts/PDF/U2500.pdf in the order of the flags.
_LINES: Final = " │││─╯╮┤─╰╭├─┴┬┼"


class Canvas:
    """Cells by line and column, both from 0; as large as what is drawn."""

    def __init__(self) -> None:
        self._lines: dict[tuple[int, int], _Side] = {}
        self._characters: dict[tuple[int, int], str] = {}
        self._styles: dict[tuple[int, int], str] = {}

    @property
    def width(self) -> int:
        """Columns in use."""
        return 1 + max((x for _, x in self._cells), default=-1)

    @property
    def height(self) -> int:
        """Lines in use."""
        return 1 + max((y for y, _ in self._cells), default=-1)

    @property
    def _cells(self) -> set[tuple[int, int]]:
        return {*self._lines, *self._characters}

    def text(self, y: int, x: int, text: str, style: str = "") -> None:
        """Write text to the right from a cell."""
        for offset, character in enumerate(text):
            self._characters[y, x + offset] = character
            self._styles[y, x + offset] = style

    def vertical(self, x: int, top: int, bottom: int, style: str = "") -> None:
        """Draw a line from the middle of one cell down to the middle of another."""
        for y in range(top, bottom + 1):
            sides = (_Side.UP if y > top else 0) | (_Side.DOWN if y < bottom else 0)
            self._draw(y, x, _Side(sides), style)

    def horizontal(self, y: int, left: int, right: int, style: str = "") -> None:
        """Draw a line from the middle of one cell to the middle of another on its right."""
        for x in range(left, right + 1):
            sides = (_Side.LEFT if x > left else 0) | (_Side.RIGHT if x < right else 0)
            self._draw(y, x, _Side(sides), style)

    def frame(self, y: int, x: int, height: int, width: int, style: str = "") -> None:
        """Draw a box with round corners around `height` x `width` cells, these included."""
        for line in (y, y + height - 1):
            self.horizontal(line, x, x + width - 1, style)
        for column in (x, x + width - 1):
            self.vertical(column, y, y + height - 1, style)

    def render(self) -> Text:
        """Return the whole canvas."""
        result = Text(no_wrap=True)
        for y in range(self.height):
            columns = [x for line, x in self._cells if line == y]
            for x in range(1 + max(columns, default=-1)):
                sides = self._lines.get((y, x), _Side(0))
                character = self._characters.get((y, x), _LINES[sides])
                result.append(character, style=self._styles.get((y, x), ""))
            result.append("\n" if y < self.height - 1 else "")
        return result

    def _draw(self, y: int, x: int, sides: _Side, style: str) -> None:
        self._lines[y, x] = self._lines.get((y, x), _Side(0)) | sides
        self._styles[y, x] = style or self._styles.get((y, x), "")
