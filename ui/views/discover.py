"""Discover: all components, and one with its contract."""

from __future__ import annotations

import streamlit as st

from ui.component_cards import (
    KINDS,
    Card,
    CardFilter,
    cards,
    choices,
    licence_words,
    select,
)
from ui.formatting import plural
from ui.markdown import code, plain
from ui.views.component import show_component
from ui.views.onboard_dialog import onboard_component
from ui.views.pages import discover_page
from ui.views.session import guarded, registry, stored

_COLUMNS = 3


@guarded
def discover() -> None:
    """Show the page."""
    reference = str(st.query_params.get("component", ""))
    if reference:
        show_component(reference)
    else:
        _catalogue()


def _catalogue() -> None:
    heading, button = st.columns([5, 1.4], vertical_alignment="center")
    heading.markdown("### Components")
    if button.button(
        "Onboard a component",
        icon=":material/add_box:",
        type="primary",
        use_container_width=True,
        help="A container image and its .proto file make a component",
    ):
        onboard_component()
    found = cards(registry(), stored())
    for broken in registry().broken[:10]:
        st.warning(f"{plain(str(broken.folder))} cannot be used: {plain(str(broken.error))}")
    shown = select(found, _filter(found))
    st.caption(
        plural(len(shown), "component")
        if len(shown) == len(found)
        else f"{len(shown):,} of {plural(len(found), 'component')}"
    )
    if not shown:
        st.info("No component fits. Take a filter away, or onboard one.")
    for begin in range(0, len(shown), _COLUMNS):
        columns = st.columns(_COLUMNS)
        for column, card in zip(columns, shown[begin : begin + _COLUMNS], strict=False):
            with column.container(border=True, height="stretch", gap="xsmall"):
                _card(card)


def _filter(found: tuple[Card, ...]) -> CardFilter:
    search, keywords, kind, licence, owner = st.columns([2.4, 2, 1.2, 1.2, 1.2])
    return CardFilter(
        text=search.text_input(
            "Search", placeholder="words of a name, description, message", max_chars=200
        ),
        keywords=tuple(
            keywords.multiselect(
                "Sensor, task",
                choices(word for card in found for word in card.keywords),
                placeholder="any",
            )
        ),
        kind=kind.selectbox(
            "Kind", (None, *KINDS), format_func=lambda each: KINDS[each] if each else "any"
        ),
        licence=licence.selectbox(
            "Licence",
            ("", *choices(card.licence for card in found)),
            format_func=lambda each: licence_words(each) if each else "any",
        ),
        owner=owner.selectbox(
            "Owner",
            ("", *choices(card.owner for card in found)),
            format_func=lambda each: each or "anybody",
        ),
    )


def _card(card: Card) -> None:
    st.page_link(
        discover_page(),
        label=f"**{plain(card.title)}**",
        icon=":material/deployed_code:",
        query_params={"component": card.name},
    )
    visibility = f", {plain(card.visibility)}" if card.visibility else ""
    st.markdown(
        f":gray[{code(f'{card.name}@{card.version}')} {plain(licence_words(card.licence))} · "
        f"{plain(card.owner)}{visibility}]"
    )
    description = card.description
    st.markdown(plain(description if len(description) <= 190 else f"{description[:189]}…"))
    for name, ports in card.operations[:4]:
        st.markdown(f"**{plain(name)}** {plain(ports)}")
    if card.operations[4:]:
        st.markdown(f"and {plural(len(card.operations) - 4, 'operation')} more")
    words = " · ".join(plain(word) for word in (*card.keywords, *_needs(card)))
    if words:
        st.markdown(f":gray[:small[{words}]]")


def _needs(card: Card) -> tuple[str, ...]:
    return (plural(card.gpu, "GPU"),) if card.gpu else ()
