"""Deploy: a saved pipeline on a cluster, and what is deployed there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import streamlit as st

from orchestrator.profiles import load_profile, profile_names
from ui.deploying import (
    Prepared,
    Site,
    archive,
    connected,
    object_views,
    prepare,
    prepare_pinned,
    saved_graph,
)
from ui.exports.formats import Format
from ui.formatting import format_bytes, plural
from ui.markdown import plain
from ui.views.deployed import deploy_now, show_changes, show_deployed
from ui.views.pages import compose_page
from ui.views.session import (
    guarded,
    orchestrator_settings,
    registry,
    tell_failure,
    told,
    user,
    workspace,
)
from ui.views.text_box import text_box

if TYPE_CHECKING:
    from collections.abc import Iterable

    from composer.graph import Graph

_KUBERNETES = "Kubernetes"
_DOCKER = "Docker Compose"
_MAX_TOLD = 30
_WITHOUT_CLUSTER = (
    "Without a cluster, what is shown below and the kustomize folder can still be used."
)


@guarded
def deploy() -> None:
    """Show the page."""
    st.markdown("### Deploy")
    st.session_state.setdefault("deploy-view", "Deploy a pipeline")
    if "deploy-go-to" in st.session_state:
        st.session_state["deploy-view"] = st.session_state.pop("deploy-go-to")
    chosen = st.segmented_control(
        "What is shown",
        ("Deploy a pipeline", "What is deployed"),
        required=True,
        label_visibility="collapsed",
        key="deploy-view",
    )
    if chosen == "What is deployed":
        show_deployed()
    else:
        _new()


def _new() -> None:
    versions = workspace().pipelines()
    if not versions:
        st.info("No pipeline is saved yet. Save one on the page Compose.", icon=":material/save:")
        st.page_link(compose_page())
        return
    pipeline, where = st.columns([2, 1])
    version = pipeline.selectbox(
        "Pipeline", versions, format_func=lambda each: f"{each.name}, version {each.number}"
    )
    backend = where.selectbox("Where", (_KUBERNETES, _DOCKER))
    source = f"{version.name}, version {version.number}"
    graph = saved_graph(workspace().text(version.name, version.number), source, registry())
    if backend == _DOCKER:
        _docker(graph)
    else:
        _kubernetes(graph)


def _docker(graph: Graph) -> None:
    st.markdown(
        "A folder with a Compose file: it runs the pipeline once, without EO Loom's command line. "
        "On this machine, `eoloom run FILE --backend docker` does the same and shows it among "
        "the runs."
    )
    _download(graph, Format.COMPOSE, Site("plain"))


def _kubernetes(graph: Graph) -> None:
    site = _site(graph)
    if site is None:
        return
    prepared = prepare(graph, site)
    if prepared.questions:
        st.session_state.setdefault(f"asked-{site.profile}", {}).update(
            {question.field: question.hint for question in prepared.questions}
        )
        if _unasked(prepared, site):
            st.rerun()  # now with inputs for them
        hints = [f"- **{plain(each.field)}**: {each.hint}" for each in prepared.questions]
        st.info("\n".join(["Answer what the profile leaves open:", "", *hints]))
        return
    if prepared.failure:
        tell_failure(plain(prepared.failure))
        return
    _actions(graph, site, prepared)
    _problems(prepared)
    _objects(prepared)


def _unasked(prepared: Prepared, site: Site) -> bool:
    return any(question.field not in site.answers for question in prepared.questions)


def _site(graph: Graph) -> Site | None:
    profile, namespace, name, context = st.columns([1.4, 1, 1, 1])
    chosen = profile.selectbox("Profile of the site", profile_names(), format_func=_profile_title)
    namespace_text = namespace.text_input("Namespace", placeholder="of the context")
    name_text = name.text_input("Name", placeholder=graph.pipeline.name)
    context.text_input("Context", placeholder="the current one", key="deploy-context")
    asked: dict[str, str] = st.session_state.get(f"asked-{chosen}", {})
    answers = {}
    columns = st.columns(max(len(asked), 1))
    for (field, hint), column in zip(asked.items(), columns, strict=False):
        answers[field] = column.text_input(field, key=f"answer-{chosen}-{field}", help=hint or None)
    return Site(chosen, answers, name_text.strip(), namespace_text.strip(), user())


def _profile_title(name: str) -> str:
    return load_profile(name).title or name


def _problems(prepared: Prepared) -> None:
    if not prepared.findings:
        st.markdown(
            f":green[:material/check_circle:] {plural(len(prepared.objects), 'object')}; the "
            "checks that need no cluster find nothing wrong."
        )
        return
    told = [f"- {plain(str(finding))}" for finding in prepared.findings[:_MAX_TOLD]]
    st.error("\n".join(["It would not work in a cluster:", *told]), icon=":material/error:")


def _objects(prepared: Prepared) -> None:
    views = object_views(prepared.objects)
    listed, text = st.columns([1, 1.6])
    with listed:
        st.markdown("##### What would be created")
        label = st.radio(
            "Object",
            range(len(views)),
            format_func=lambda number: (
                f"{views[number].kind} {views[number].name}"
                + (f" ({views[number].node})" if views[number].node else "")
            ),
            label_visibility="collapsed",
        )
    with text:
        text_box(views[label or 0].text, label="the object", key="object", height=520)


def _actions(graph: Graph, site: Site, prepared: Prepared) -> None:
    context = str(st.session_state.get("deploy-context", "")).strip()
    with st.container(horizontal=True, vertical_alignment="center"):
        compare = st.button(
            "What would change",
            icon=":material/difference:",
            disabled=not prepared.can_be_deployed,
            help="The cluster checks everything, and changes nothing",
        )
        begin = st.button(
            "Deploy",
            type="primary",
            icon=":material/cloud_upload:",
            disabled=not prepared.can_be_deployed,
        )
        stop_runs = st.toggle(
            "Stop a run at work", help="A run of an earlier deployment that is still at work"
        )
        pin = st.toggle(
            "Pin images",
            value=True,
            help="To the digests that their registries tell, so that a tag that moves changes "
            "nothing",
        )
        _download(graph, Format.KUSTOMIZE, site)
    if not (compare or begin):
        return
    with told(_WITHOUT_CLUSTER), connected(context, site.namespace) as cluster:
        # Addresses are in the namespace of the context where none is given.
        whole_site = replace(site, namespace=cluster.namespace)
        warnings: tuple[str, ...] = ()
        if pin:
            with st.spinner("Asking the registries …"):
                whole, warnings = prepare_pinned(graph, whole_site)
        else:
            whole = prepare(graph, whole_site)
        with st.spinner("Asking the cluster …"):
            if compare:
                _warn(warnings)
                show_changes(cluster, whole, stop_runs=stop_runs)
            else:
                deploy_now(cluster, whole, context, warnings, stop_runs=stop_runs)


def _download(graph: Graph, chosen: Format, site: Site) -> None:
    content, warnings = archive(graph, chosen, orchestrator_settings(), site)
    _warn(warnings)
    words = "kustomize folder" if chosen is Format.KUSTOMIZE else "Compose folder"
    st.download_button(
        f"{words} ({format_bytes(len(content))})",
        content,
        f"{graph.pipeline.name}-{chosen.value}.zip",
        "application/zip",
        icon=":material/download:",
    )


def _warn(warnings: Iterable[str]) -> None:
    for warning in warnings:
        st.warning(plain(warning))
