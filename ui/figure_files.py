"""Figures as files: SVG or PNG."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

import matplotlib as mpl

from ui.errors import EnvironmentFaultError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from matplotlib.figure import Figure

PNG_DPI: Final = 200


def save_figure(make: Callable[[], Figure], path: Path) -> None:
    """Write what `make` draws as SVG or PNG, by the suffix of `path`; see `figure_bytes`."""
    content = figure_bytes(make, path.suffix.removeprefix(".").lower())
    try:
        path.write_bytes(content)
    except OSError as error:
        reason = error.strerror or error
        raise EnvironmentFaultError(f"cannot write {path}: {reason}") from error


def figure_bytes(make: Callable[[], Figure], form: str) -> bytes:
    """Return what `make` draws as `svg` or `png`.

    Text stays text in SVG, and equal figures give equal bytes.
    """
    with mpl.rc_context(
        {
            "font.family": "DejaVu Sans",  # comes with matplotlib
            "svg.fonttype": "none",
            "svg.hashsalt": "eoloom",
            "text.parse_math": False,
        }
    ):
        content = io.BytesIO()
        metadata = {"Date": None} if form == "svg" else {}
        make().savefig(content, format=form, dpi=PNG_DPI, metadata=metadata)
    return content.getvalue()
