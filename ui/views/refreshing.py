"""Parts of a page that are drawn again and again, until nothing more will change."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, ParamSpec

import streamlit as st
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.scriptrunner_utils.script_run_context import ThreadState

from ui.views.session import guarded

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")


def refreshed(show: Callable[P, bool], every_s: float | None) -> Callable[P, None]:
    """Return a part of a page that is drawn again until `show` returns False.

    every_s: None for one that is drawn once. Errors are shown as messages.
    """

    @functools.wraps(show)  # Streamlit tells fragments apart by the names of their functions
    def drawn(*arguments: P.args, **named: P.kwargs) -> None:
        goes_on = True

        def once() -> None:
            nonlocal goes_on
            goes_on = show(*arguments, **named)

        guarded(once)()
        if every_s is not None and not goes_on:
            _stop()

    return st.fragment(drawn, run_every=every_s)


def _stop() -> None:
    """Tell the browser not to ask for this part again.

    Streamlit does so itself only where the whole page is drawn anew, under the hands of whoever
    uses it at that moment.
    """
    context, fragment = get_script_run_ctx(), ThreadState.get().fragment_id
    if context is not None and fragment is not None:
        message = ForwardMsg()
        message.stop_auto_rerun.fragment_ids.append(fragment)
        context.enqueue(message)
