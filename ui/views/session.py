"""What all pages need: settings, components, the journal, and errors shown as messages."""

from __future__ import annotations

import contextlib
import functools
import logging
from typing import TYPE_CHECKING, ParamSpec

import streamlit as st

from ui.exits import expected_failure
from ui.markdown import plain
from ui.page_settings import PageSettings
from ui.palette import palette
from ui.published import PALETTES
from ui.registry import find_components, read_stored
from ui.settings import load_settings, open_journal
from ui.signed_in import user_of
from ui.user_folders import settings_of, workspace_of
from ui.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from composer.registry import Registry
    from composer.store import StoredComponent
    from orchestrator.journal import Journal
    from orchestrator.settings import OrchestratorSettings

logger = logging.getLogger(__name__)

P = ParamSpec("P")


@st.cache_resource
def page_settings() -> PageSettings:
    """Return the settings of the pages."""
    return PageSettings()


def user() -> str:
    """Return the name of who uses the page."""
    return user_of(st.context.headers, behind_proxy=page_settings().page_behind_proxy)


def owner() -> str | None:
    """Return to whom the page is limited; None where it is one person's, who sees everything."""
    return user() if page_settings().page_behind_proxy else None


def keep_to_user() -> None:
    """Forget what another user had open: a tab can outlive a sign-in. Raises as `user` does."""
    name = user()
    if st.session_state.setdefault("user", name) != name:
        st.session_state.clear()
        st.session_state["user"] = name


def orchestrator_settings() -> OrchestratorSettings:
    """Return the settings of the runs that pages start and show: the user's own."""
    return settings_of(user(), _settings(), page_settings())


@st.cache_resource
def _settings() -> OrchestratorSettings:
    return load_settings()


def registry() -> Registry:
    """Return the components that the user may use; onboarded ones show within seconds."""
    return _registry_of(user())


def stored() -> list[StoredComponent]:
    """Return what the user may use of the onboarded components."""
    return _stored_of(user())


def palette_digest() -> str:
    """Publish the user's components for the canvas, and return their digest."""
    return _palette_of(user(), registry())


def forget_components() -> None:
    """Read the components anew: some were onboarded or removed."""
    _stored_of.clear()
    _registry_of.clear()
    _palette_of.clear()


@st.cache_resource(ttl=20)
def _stored_of(name: str) -> list[StoredComponent]:
    return read_stored(name)


@st.cache_resource(ttl=20)
def _registry_of(name: str) -> Registry:
    return find_components(page_settings().components_folders, _stored_of(name))


@st.cache_resource(ttl=20)
def _palette_of(name: str, _registry: Registry) -> str:
    return PALETTES.publish(palette(_registry))


def workspace() -> Workspace:
    """Return the pipelines of this person."""
    return Workspace(workspace_of(user(), page_settings()))


@contextlib.contextmanager
def journal() -> Iterator[Journal | None]:
    """Give the journal within a `with` statement; None where there were no runs yet."""
    opened = open_journal(orchestrator_settings())
    with contextlib.closing(opened) if opened else contextlib.nullcontext():
        yield opened


def guarded(show: Callable[P, None]) -> Callable[P, None]:
    """Return a page, or a dialog, that shows errors as messages: never a traceback."""

    @functools.wraps(show)
    def shown(*arguments: P.args, **named: P.kwargs) -> None:
        try:
            show(*arguments, **named)
        except Exception as error:
            failure = expected_failure(error)
            if failure is not None:
                tell_failure(failure.message, [str(fault) for fault in failure.faults])
                return
            if type(error).__module__.startswith("streamlit."):
                raise  # how Streamlit stops and reruns pages
            logger.exception("a fault in a page")
            tell_failure(f"a fault in this page: {type(error).__name__}: {error}")

    return shown


@contextlib.contextmanager
def told(advice: str = "") -> Iterator[None]:
    """Show an expected error that is raised within a `with` statement, and go on behind it.

    advice: shown below the error.
    """
    try:
        yield
    except Exception as error:
        failure = expected_failure(error)
        if failure is None:
            raise
        tell_failure(plain(failure.message), [plain(str(fault)) for fault in failure.faults])
        if advice:
            st.caption(advice)


def tell_failure(message: str, details: list[str] | None = None) -> None:
    """Show an error, and what belongs to it."""
    lines = [f"- {detail}" for detail in (details or [])[:20]] if details and details[1:] else []
    st.error("\n".join([message, *lines]), icon=":material/error:")
