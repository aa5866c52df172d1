"""One component: its contract, parameters, licence, versions, and who may use it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from composer.store import Visibility
from ui.component_cards import licence_words, owner_of
from ui.component_view import entry_of, operation_views, parameter_views, visibility_text
from ui.contract_picture import contract_svg
from ui.contract_tables import example_node, message_views, node_name
from ui.formatting import format_seconds
from ui.markdown import code, plain
from ui.onboarding import remove, share
from ui.views.pages import discover_page, open_in_compose
from ui.views.session import forget_components, registry, stored, user
from ui.views.text_box import text_box

if TYPE_CHECKING:
    from composer.component import Component
    from composer.store import StoredComponent

_SECTIONS = ("Contract", "Parameters", "Example", "Proto file")


def show_component(reference: str) -> None:
    """Show a component; reference: `name`, or `name@version`."""
    component = registry().find(reference)
    entry = entry_of(component, stored())
    _head(component, entry)
    _facts(component, entry)
    st.markdown(plain(component.manifest.description))
    chosen = st.segmented_control(
        "What is shown", _SECTIONS, default="Contract", required=True, label_visibility="collapsed"
    )
    if chosen == "Contract":
        _contract(component)
    elif chosen == "Parameters":
        _parameters(component)
    elif chosen == "Example":
        st.caption("A node of a pipeline file")
        st.code(example_node(component), language="yaml", wrap_lines=True)
    else:
        text_box(component.proto_text, label="proto file", key="proto", height=560)


def _head(component: Component, entry: StoredComponent | None) -> None:
    manifest = component.manifest
    back, title, buttons = st.columns([1.3, 5, 5], vertical_alignment="center")
    back.page_link(discover_page(), label="Components", icon=":material/arrow_back:")
    title.markdown(f"#### {plain(manifest.title)}")
    with buttons.container(horizontal=True, horizontal_alignment="right"):
        if entry is not None and entry.owner == user():
            if st.button("Who may use it", icon=":material/group:"):
                _share(entry)
            if st.button("Remove", icon=":material/delete:"):
                _remove(entry)
        if st.button("Use in a new pipeline", type="primary", icon=":material/hub:"):
            name = node_name(component)
            open_in_compose(
                {"name": name, "nodes": {name: {"component": component.reference}}, "links": []}
            )


def _facts(component: Component, entry: StoredComponent | None) -> None:
    manifest, resources = component.manifest, component.manifest.resources
    gpu = f", {resources.gpu} GPU" if resources.gpu else ""
    facts = [
        ("Name", manifest.name),
        ("Licence", licence_words(manifest.licence)),
        ("Owner", owner_of(component, entry)),
        ("Needs", f"{resources.cpu:g} CPU, {resources.memory}{gpu}"),
        ("Service", ", ".join(component.contract.services)),
    ]
    if entry is not None:
        facts.insert(3, ("May be used by", visibility_text(entry)))
    if manifest.image:
        facts.append(("Image", manifest.image))
    if manifest.keywords:
        facts.append(("About", ", ".join(manifest.keywords)))
    with st.container(horizontal=True, gap="large"):
        for label, value in facts:
            st.markdown(f":gray[{label}]  \n**{plain(value)}**", width="content")
        _versions(component)


def _versions(component: Component) -> None:
    manifest = component.manifest
    versions = registry().versions(manifest.name)
    if len(versions) == 1:
        st.markdown(f":gray[Version]  \n**{plain(manifest.version)}**", width="content")
        return
    with st.container(width=130):
        chosen = st.selectbox("Version", versions, index=versions.index(manifest.version))
    if chosen != manifest.version:
        st.query_params["component"] = f"{manifest.name}@{chosen}"
        st.rerun()


def _contract(component: Component) -> None:
    dark = st.context.theme.type == "dark"
    drawing, words = st.columns([2, 1], gap="medium")
    drawing.image(
        contract_svg(component.contract, dark=dark),
        alt=f"The operations of {component.manifest.title} with their messages",
        width="stretch",
    )
    with words:
        for view in operation_views(component):
            st.markdown(f"**{plain(view.name)}** {code(view.ports)}")
            st.markdown(plain(view.description))
            facts = [
                f"{label} {plain(value)}"
                for label, value in (
                    ("accepts", view.accepts),
                    ("emits", view.emits),
                    ("is", ", ".join(view.promises)),
                    ("timeout", format_seconds(view.timeout_s)),
                )
                if value
            ]
            st.caption(" · ".join(facts))
    st.markdown("##### Messages")
    for message in message_views(component.contract):
        with st.expander(message.name, expanded=False):
            st.table(
                [
                    {"Number": str(number), "Field": plain(name), "Type": plain(kind), "": more}
                    for number, name, kind, more in message.fields
                ],
                border="horizontal",
            )


def _parameters(component: Component) -> None:
    views = parameter_views(component.schema.schema)
    if not views:
        st.caption("It has no parameters.")
        return
    rows = [
        {
            "Parameter": f"**{plain(view.name)}**" + (" (required)" if view.is_required else ""),
            "Type": plain(view.type),
            "Unit": plain(view.unit),
            "Default": code(view.default) if view.default else "",
            "Bounds": plain(view.bounds),
            "What it does": plain(view.description),
        }
        for view in views
    ]
    st.table(rows, border="horizontal")


@st.dialog("Who may use it")
def _share(entry: StoredComponent) -> None:
    visibility = st.radio(
        "Visible to",
        list(Visibility),
        index=list(Visibility).index(entry.visibility),
        format_func=visibility_words,
    )
    users = st.text_input(
        "Share with",
        value=", ".join(entry.shared_with),
        placeholder="ada, bob",
        disabled=visibility is not Visibility.SHARED,
    )
    if st.button("Save", type="primary"):
        share(
            entry,
            visibility or Visibility.PRIVATE,
            users if visibility is Visibility.SHARED else "",
        )
        forget_components()
        st.rerun()


def visibility_words(visibility: Visibility) -> str:
    """Return who may use a component, in words."""
    return {
        Visibility.PRIVATE: "me only",
        Visibility.SHARED: "me and those named below",
        Visibility.PUBLIC: "everybody",
    }[visibility]


@st.dialog("Remove a component")
def _remove(entry: StoredComponent) -> None:
    st.markdown(
        f"{code(f'{entry.name}@{entry.version}')} is forgotten; its image stays where it is. "
        "Pipelines that use it can then be neither checked nor resumed."
    )
    if st.button("Remove it", type="primary"):
        remove(entry)
        forget_components()
        del st.query_params["component"]
        st.rerun()
