"""At which orchestrator runs are made, and the form to sign in there."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, ParamSpec

import streamlit as st

from orchestrator.service.tokens import MAX_TOKEN
from ui.markdown import plain
from ui.server_settings import load_server_settings
from ui.server_sign_in import (
    AGAIN_S,
    Answer,
    SignIn,
    Standing,
    token_of_proxy,
)
from ui.views.session import guarded, page_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.service_client.settings import ServerSettings

P = ParamSpec("P")

PLACE_KEY = "orchestrator"
"""Of the line that names the orchestrator."""

_SESSION_KEY = "sign_in"


@st.cache_resource
def _server_settings() -> ServerSettings | None:
    return load_server_settings()


def sign_in() -> SignIn | None:
    """Return the sign-in of this tab; None where runs are made on this machine."""
    settings = _server_settings()
    if settings is None:
        return None
    found: SignIn | None = st.session_state.get(_SESSION_KEY)
    if found is None:
        found = SignIn(settings, page_settings().server_contact)
        st.session_state[_SESSION_KEY] = found
    given = token_of_proxy(st.context.headers, behind_proxy=page_settings().page_behind_proxy)
    if given:
        found.take(given, by_proxy=True)
    return found


def environment() -> dict[str, str] | None:
    """Return the environment in which the command line makes runs; None for that of the page."""
    own = sign_in()
    return own.environment() if own else None


def may_run() -> bool:
    """Return whether a run can be started now; where not, the page is drawn anew and says why."""
    own = sign_in()
    if own is None:
        return True
    with st.spinner(f"Asking {own.address} …"):
        return own.confirm().can_run


def show_orchestrator() -> None:
    """Show in the header where runs are made, and how the orchestrator there stands."""
    if sign_in() is not None:
        st.fragment(guarded(_line), run_every=AGAIN_S / 2)()


def _line() -> None:
    own = sign_in()
    if own is None:
        return
    answer = own.poll()
    # What the page as a whole was drawn for, which `signed_in` has noted.
    drawn_for: Answer | None = st.session_state.get("orchestrator_answer")
    if answer is not None and drawn_for is not None and answer.standing != drawn_for.standing:
        st.session_state.orchestrator_answer = answer
        st.rerun()
    with st.container(
        key=PLACE_KEY, horizontal=True, vertical_alignment="center", width="content", gap="small"
    ):
        st.markdown(f":small[Runs at **{plain(own.address)}**{_words(answer)}]", width="content")
        is_refused = answer is not None and answer.needs_token
        if (
            own.has_token
            and not is_refused
            and st.button("Sign out", type="tertiary", help="Forget the token")
        ):
            own.forget()
            st.rerun()


def _words(answer: Answer | None) -> str:
    if answer is None or answer.can_run:
        return ""
    said = {Standing.UNREACHABLE: "no answer"}.get(answer.standing, "not signed in")
    return f" :red[{said}]"


def signed_in(show: Callable[P, None]) -> Callable[P, None]:
    """Return a page that starts or controls runs: without a sign-in it is a form for one."""

    @functools.wraps(show)
    def shown(*arguments: P.args, **named: P.kwargs) -> None:
        own = sign_in()
        if own is not None:
            answer = st.session_state.orchestrator_answer = own.answer()
            if answer.needs_token:
                _form(own, answer)
                return
            if not answer.can_run:
                _fault(own, answer)
        show(*arguments, **named)

    return shown


def _form(own: SignIn, answer: Answer) -> None:
    """Ask for a token. Whoever came through a proxy signs in there."""
    _, middle, _ = st.columns([1, 2, 1])
    with middle:
        st.markdown("### Sign in")
        if answer.standing is Standing.TOKEN_REFUSED:
            st.error(plain(answer.message), icon=":material/error:")
        else:
            st.markdown(plain(answer.message))
        st.markdown(plain(own.advice))
        if own.is_by_proxy:
            if st.button("Try again", icon=":material/refresh:"):
                own.ask_anew()
                st.rerun()
            return
        with st.form("sign-in", clear_on_submit=True):
            token = st.text_input("Token", type="password", autocomplete="off", max_chars=MAX_TOKEN)
            pressed = st.form_submit_button("Sign in", type="primary", use_container_width=True)
        st.caption(
            "The page keeps the token until you sign out, close this tab or reload it, and writes "
            "it nowhere."
        )
    if pressed and token.strip():
        own.forget()  # the same one may be taken by now
        own.take(token)
        with middle, st.spinner(f"Asking {own.address} …"):
            own.answer()
        st.rerun()


def _fault(own: SignIn, answer: Answer) -> None:
    """Say why no run can be started, above a page that can be used for everything else."""
    said, again = st.columns([8, 1], vertical_alignment="center")
    said.error(plain(answer.message), icon=":material/error:")
    if again.button("Try again", icon=":material/refresh:", key="ask-orchestrator"):
        with said, st.spinner(f"Asking {own.address} …"):
            own.confirm()
        st.rerun()
