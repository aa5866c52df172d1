"""The form by which a container image becomes a component."""

from __future__ import annotations

import streamlit as st

from composer.errors import ComposerError, ProtoError
from composer.onboarding import FIRST_VERSION
from composer.store import Visibility
from ui.errors import UiError
from ui.exits import expected_failure
from ui.markdown import plain
from ui.onboarding import NODE_TYPES, OnboardForm, decode_proto, excerpt, onboard
from ui.views.component import visibility_words
from ui.views.session import forget_components, page_settings, tell_failure, user
from ui.views.text_box import text_box


@st.dialog("Onboard a component", width="large")
def onboard_component() -> None:
    """Ask for everything, and keep it; what is wrong is said in the form."""
    st.caption("The image is neither fetched nor started; its contract says what it can do.")
    image, version = st.columns([3, 1])
    image_text = image.text_input("Container image", placeholder="registry.example/team/name:1.2")
    version_text = version.text_input("Version", value=FIRST_VERSION)
    proto = _proto()
    title, name = st.columns([2, 1])
    title_text = title.text_input("Title", placeholder="what people see")
    name_text = name.text_input("Name", placeholder="from the image")
    description = st.text_area("Description", height=68)
    licence, keywords = st.columns([1, 2])
    licence_text = licence.text_input("Licence", placeholder="SPDX, such as Apache-2.0")
    keywords_text = keywords.text_input("Sensor, task", placeholder="sentinel-2, segmentation")
    visible, shared = st.columns([1, 1])
    visibility = visible.selectbox("Visible to", list(Visibility), format_func=visibility_words)
    users = shared.text_input(
        "Share with", placeholder="ada, bob", disabled=visibility is not Visibility.SHARED
    )
    with st.expander("More"):
        service = st.text_input("Service", help="One of several services of the contract; else all")
        node_type = st.selectbox("What it is in AI4Experiments", NODE_TYPES)
        parameters = st.text_area(
            "JSON schema of its parameters",
            help="If it takes them as EO Loom's components do",
        )
    if not st.button("Onboard", type="primary"):
        return
    form = OnboardForm(
        image=image_text,
        proto=proto,
        name=name_text,
        version=version_text,
        service=service,
        title=title_text,
        description=description,
        licence=licence_text,
        keywords=keywords_text,
        node_type=node_type,
        parameters=parameters,
        visibility=visibility or Visibility.PRIVATE,
        shared_with=users if visibility is Visibility.SHARED else "",
    )
    _keep(form)


def _proto() -> str:
    file, text = st.tabs(["Upload the .proto file", "Paste it"])
    upload = file.file_uploader("model.proto", type=["proto"], label_visibility="collapsed")
    pasted = text.text_area(
        "Contract", height=180, label_visibility="collapsed", placeholder='syntax = "proto3"; …'
    )
    if upload is None:
        return pasted
    try:
        return decode_proto(upload.getvalue(), upload.name)
    except UiError as error:
        tell_failure(plain(str(error)))
        return ""


def _keep(form: OnboardForm) -> None:
    try:
        stored = onboard(form, owner=user(), folders=page_settings().components_folders)
    except ProtoError as error:
        tell_failure(f"The contract is not accepted: {plain(str(error))}")
        if error.line is not None:
            text_box(excerpt(form.proto, error.line), label="the contract around it", key="excerpt")
        return
    except (ComposerError, UiError) as error:
        failure = expected_failure(error)
        tell_failure(plain(failure.message if failure else str(error)))
        return
    forget_components()
    st.query_params["component"] = f"{stored.name}@{stored.version}"
    st.rerun()
