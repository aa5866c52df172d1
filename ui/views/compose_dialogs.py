"""The dialogs of the compose page: new, open, save, more, run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from composer.pipeline_file import load_pipeline, parse_pipeline
from ui.drafting import empty_document
from ui.exports.formats import Format, exporter_of
from ui.launching import launch
from ui.markdown import plain
from ui.registry import keep_components
from ui.running import ShownRun
from ui.uploads import FILE_TYPES, MAX_UPLOAD_BYTES, UploadError, read_uploads
from ui.views.orchestrator import environment, may_run
from ui.views.session import forget_components, guarded, registry, tell_failure, user, workspace
from ui.workspace import NewerVersionError, WorkspaceError

if TYPE_CHECKING:
    from orchestrator.settings import OrchestratorSettings
    from ui.drafting import Editing
    from ui.problems import Checked


EXAMPLES = Path(__file__).parents[2] / "examples"


def begin(editing: Editing) -> None:
    """Begin an empty pipeline; the draft before stays among the drafts."""
    editing.open(empty_document())
    _forget_run()
    st.rerun()


@st.dialog("Open a pipeline", width="large")
@guarded
def open_pipeline(editing: Editing) -> None:
    """Offer saved pipelines, examples, drafts and files."""
    saved, examples, drafts, files = st.tabs(["Saved", "Examples", "Drafts", "File"])
    with saved:
        _saved(editing)
    with examples:
        for path in sorted(EXAMPLES.glob("*.yaml")):
            file = load_pipeline(path)
            title = file.pipeline.title or path.stem
            if st.button(f"**{title}**", key=f"example-{path.stem}", use_container_width=True):
                _open(editing, file.pipeline.plain())
            if file.pipeline.description:
                st.caption(file.pipeline.description)
    with drafts:
        _drafts(editing)
    with files:
        _upload(editing)


def _saved(editing: Editing) -> None:
    versions = workspace().pipelines()
    if not versions:
        st.caption("Nothing is saved yet. Begin with an example.")
    for version in versions:
        time = version.saved.astimezone().strftime("%Y-%m-%d %H:%M")
        label = f"**{version.name}** version {version.number}, {time}"
        if st.button(label, key=f"saved-{version.name}", use_container_width=True):
            text = workspace().text(version.name, version.number)
            _open(editing, parse_pipeline(text).pipeline.plain(), version.number)


def _drafts(editing: Editing) -> None:
    found = [d for d in workspace().drafts() if d.id != editing.draft.id and d.document["nodes"]]
    if not found:
        st.caption("There are no other drafts.")
    for draft in found:
        count = len(draft.document["nodes"])
        state = "saved" if draft.is_saved else "not saved"
        label = f"**{plain(draft.name)}** {count} nodes, {state}"
        if st.button(label, key=f"draft-{draft.id}", use_container_width=True):
            _open(editing, draft.document, draft.base)


def _upload(editing: Editing) -> None:
    st.caption(
        "A pipeline file (.yaml); a solution.zip of AI4Experiments; or a blueprint.json, together "
        "with the .proto files of its containers and, if there is one, its dockerinfo.json."
    )
    files = st.file_uploader(
        "Files",
        type=FILE_TYPES,
        accept_multiple_files=True,
        max_upload_size=MAX_UPLOAD_BYTES >> 20,
        label_visibility="collapsed",
    )
    if not files:
        return
    try:
        uploaded = read_uploads([(file.name, file.getvalue()) for file in files], registry())
    except UploadError as error:
        tell_failure(plain(str(error)), [plain(detail) for detail in error.details])
        return
    for warning in uploaded.warnings:
        st.warning(plain(warning))
    if st.button(f"Open {uploaded.name}", type="primary"):
        keep_components(uploaded.onboarded, user())
        forget_components()
        _open(editing, uploaded.document)


def _open(editing: Editing, document: dict[str, Any], base: int = 0) -> None:
    editing.open(document, base)
    _forget_run()
    st.rerun()


def save(editing: Editing) -> None:
    """Save at once; where another tab was faster, ask."""
    try:
        version = editing.save()
    except NewerVersionError as error:
        _save_newer(editing, error.newest)
        return
    st.toast(f"Saved {version.name} as version {version.number}", icon=":material/check:")
    st.rerun()


@st.dialog("Saved elsewhere meanwhile")
@guarded
def _save_newer(editing: Editing, newest: int) -> None:
    st.write(
        f"Version {newest} of {plain(editing.draft.name)} was saved in another tab since this one "
        "was opened. Nothing is lost: both stay among the versions."
    )
    if st.button(f"Save this as version {newest + 1}", type="primary"):
        editing.save(newer=True)
        st.rerun()
    name = st.text_input("or under another name", value=f"{editing.draft.name}-2")
    if st.button("Save under this name"):
        _rename(editing, name)
        editing.save()
        st.rerun()


@st.dialog("Versions, export, name", width="large")
@guarded
def more(editing: Editing, checked: Checked) -> None:
    """Offer the versions, the formats, and another name."""
    versions, export, name = st.tabs(["Versions", "Export", "Name"])
    with versions:
        _versions(editing)
    with export:
        _export(editing, checked)
    with name:
        text = st.text_input("Name", value=editing.draft.name)
        st.caption("Small letters, digits and hyphens. Saved versions keep their old name.")
        if st.button("Rename") and text != editing.draft.name:
            _rename(editing, text)
            st.rerun()


def _rename(editing: Editing, name: str) -> None:
    try:
        editing.rename(name)
    except ValueError as error:
        raise WorkspaceError(f"the name {name!r} {error}") from error


def _versions(editing: Editing) -> None:
    name = editing.draft.name
    versions = workspace().versions(name)
    if not versions:
        st.caption("Nothing is saved yet.")
        return
    numbers = [version.number for version in versions]
    times = {v.number: v.saved.astimezone().strftime("%Y-%m-%d %H:%M") for v in versions}
    chosen = st.selectbox(
        "Version", numbers, format_func=lambda number: f"{number}, saved {times[number]}"
    )
    if chosen > 1:
        st.code(workspace().difference(name, chosen - 1, chosen), language="diff")
    else:
        st.code(workspace().text(name, chosen), language="yaml")
    if st.button(f"Open version {chosen}"):
        _open(editing, parse_pipeline(workspace().text(name, chosen)).pipeline.plain(), chosen)


def _export(editing: Editing, checked: Checked) -> None:
    from ui.exports.base import ExportOptions
    from ui.exports.folder import zipped
    from ui.views.session import orchestrator_settings

    if checked.graph is None:
        st.caption("Mend the problems first; then it can be exported.")
        return
    name = editing.draft.name
    st.download_button(
        "Pipeline file", checked.graph.pipeline.to_yaml(), f"{name}.yaml", "application/yaml"
    )
    chosen = (
        st.selectbox("Other formats", list(Format), format_func=_format_name) or Format.SOLUTION
    )
    profile = ""
    if chosen is Format.KUSTOMIZE:
        profile = st.text_input("Profile of the cluster", value="kind")
    if not st.button("Export"):
        return
    options = ExportOptions(orchestrator_settings(), profiles=(profile,) if profile else ())
    try:
        exported = exporter_of(chosen)(checked.graph, options)
    except Exception as error:
        from ui.exits import expected_failure

        failure = expected_failure(error)
        if failure is None:
            raise
        tell_failure(failure.message)
        return
    for warning in exported.warnings:
        st.warning(warning)
    content, suffix = exported.content, "json" if chosen is Format.BLUEPRINT else "zip"
    data = content if isinstance(content, bytes) else zipped(content)
    st.download_button("Download", data, f"{name}-{chosen.value}.{suffix}", type="primary")


def _format_name(chosen: Format) -> str:
    return {
        Format.SOLUTION: "solution.zip of AI4Experiments",
        Format.BLUEPRINT: "blueprint.json of AI4Experiments",
        Format.KUSTOMIZE: "Kubernetes, as a kustomize folder",
        Format.COMPOSE: "docker-compose",
    }.get(chosen, chosen.value)


def run(editing: Editing, settings: OrchestratorSettings) -> None:
    """Save the pipeline and run that version."""
    try:
        version = editing.save()
    except NewerVersionError as error:
        _save_newer(editing, error.newest)
        return
    if may_run():
        file = workspace().folder / f"{version.name}.yaml"
        started = launch(["run", str(file)], settings, user(), environment())
        st.session_state.shown_run = ShownRun(started)
    st.rerun()


def _forget_run() -> None:
    st.session_state.pop("shown_run", None)
