"""Texts and values of events, brought to a size that is safe to keep and to send."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

MAX_TEXT: Final = 8000
MAX_ITEMS: Final = 100
MAX_DEPTH: Final = 4


def shortened(text: str, limit: int = MAX_TEXT) -> str:
    """Return a text of at most `limit` characters that UTF-8 can hold."""
    cut = text if len(text) <= limit else f"{text[: limit - 1]}…"
    return cut.encode(errors="replace").decode()


def plain(value: Any, depth: int = 0) -> Any:
    """Return a value as google.protobuf.Struct holds it, bounded in size and depth."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, str):
        return shortened(value)
    if depth < MAX_DEPTH and isinstance(value, Mapping):
        items = list(value.items())[:MAX_ITEMS]
        return {shortened(str(key), 200): plain(below, depth + 1) for key, below in items}
    if depth < MAX_DEPTH and isinstance(value, list | tuple):
        return [plain(below, depth + 1) for below in value[:MAX_ITEMS]]
    return shortened(str(value))
