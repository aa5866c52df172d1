"""How the states of runs and nodes look, on every page alike."""

from __future__ import annotations

from typing import Final

ACTION_KEY: Final = "run-action"
"""Of the place where a run is stopped or resumed; the style of the pages knows it."""

_LOOKS: Final = {
    "succeeded": ("green", "check_circle"),
    "running": ("blue", "autorenew"),
    "failed": ("red", "error"),
    "died": ("red", "heart_broken"),
    "cancelled": ("orange", "do_not_disturb_on"),
}


def state_text(state: str) -> str:
    """Return a state in Markdown: a symbol and a word, so that the colour does not matter."""
    colour, symbol = _LOOKS.get(state, ("gray", "help"))
    return f":{colour}[:material/{symbol}:] {state}"
