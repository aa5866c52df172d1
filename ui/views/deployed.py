"""What is deployed on a cluster: how it stands, and scaling and removing it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from ui.deploying import (
    Prepared,
    connected,
    deployer,
    diff_text,
    own_deployments,
    require_own,
)
from ui.deployment_view import FUTURE, node_words
from ui.formatting import plural
from ui.markdown import code, plain
from ui.views.session import guarded, owner, told
from ui.views.text_box import text_box

if TYPE_CHECKING:
    from orchestrator.backends.kubernetes.cluster import Cluster
    from orchestrator.backends.kubernetes.deployments import Deployed
    from orchestrator.backends.kubernetes.readiness import Readiness

_REFRESH_S = 2.0
_MAX_REPLICAS = 1000
_MAX_DIFF_LINES = 2000


def show_changes(cluster: Cluster, prepared: Prepared, *, stop_runs: bool) -> None:
    """Show what deploying would change. Raises ClusterError, and UiError for another user's."""
    doing = deployer(cluster, prepared, stop_runs=stop_runs)
    require_own(cluster, doing.name, owner())
    changes = doing.preview()
    rows = [
        {
            "Object": plain(str(change.key)),
            "What": FUTURE[change.action],
            "Notes": plain("; ".join((*change.notes, *change.warnings))),
        }
        for change in changes
    ]
    changed = sum(1 for change in changes if change.action != "unchanged")
    st.markdown(
        f"**{changed} of {plural(len(changes), 'object')} would change** in the namespace "
        f"{code(cluster.namespace)}. Nothing was changed."
    )
    with st.expander("By object", expanded=False):
        st.table(rows, border="horizontal")
    lines = diff_text(changes).splitlines()
    if lines:
        text_box(
            "\n".join(lines[:_MAX_DIFF_LINES]), label="what would change", key="diff", diff=True
        )


def deploy_now(cluster: Cluster, prepared: Prepared, context: str, *, stop_runs: bool) -> None:
    """Deploy, and show how it becomes ready. Raises as `show_changes` does."""
    doing = deployer(cluster, prepared, stop_runs=stop_runs)
    require_own(cluster, doing.name, owner())
    doing.preview()  # what the cluster refuses is known before anything is made
    doing.apply()
    st.session_state["deployed-context"] = context
    st.session_state["deployed-namespace"] = cluster.namespace
    st.session_state["deployed-name"] = doing.name
    # The widget exists already in this run of the page; it is set before the next.
    st.session_state["deploy-go-to"] = "What is deployed"
    st.rerun()


def show_deployed() -> None:
    """List the deployments of a namespace, and show one."""
    context, namespace = st.columns(2)
    context_text = context.text_input(
        "Context", placeholder="the current one", key="deployed-context"
    )
    namespace_text = namespace.text_input(
        "Namespace", placeholder="of the context", key="deployed-namespace"
    )
    # Again and again: pods come up, fail and go without anybody's asking here.
    st.fragment(_shown, run_every=_REFRESH_S)(context_text.strip(), namespace_text.strip())


def _shown(context: str, namespace: str) -> None:
    guarded(lambda: _show(context, namespace))()


def _show(context: str, namespace: str) -> None:
    with told(), connected(context, namespace) as cluster:
        found = own_deployments(cluster, owner())
        if not found:
            whose = "Nothing" if owner() is None else "Nothing of yours"
            st.info(f"{whose} is deployed in the namespace {plain(cluster.namespace)}.")
            return
        chosen = st.selectbox("Deployment", [each.name for each in found], key="deployed-name")
        _deployment(cluster, next((each for each in found if each.name == chosen), found[0]))


def _deployment(cluster: Cluster, deployed: Deployed) -> None:
    from orchestrator.backends.kubernetes.deployments import readiness

    facts = (
        ("Pipeline", deployed.pipeline),
        ("Run", deployed.run),
        ("By", deployed.user),
        ("Since", deployed.created),
    )
    with st.container(horizontal=True, gap="large"):
        for label, value in facts:
            st.markdown(f":gray[{label}]  \n**{plain(value) or 'unknown'}**", width="content")
    if deployed.is_going:
        st.info("It is being removed.")
        return
    found = readiness(cluster, deployed.name)
    # Above what comes and goes, so that no button moves away below a click.
    actions = st.container(horizontal=True, vertical_alignment="bottom", key="deployed-actions")
    _readiness(found)
    if not found.is_ready:
        with st.container(gap="xsmall"):
            for reason in found.reasons:
                st.warning(plain(str(reason)), icon=":material/hourglass_empty:")
    with actions:
        workloads = [node for node in found.nodes if node.kind == "Deployment"]
        if workloads and st.button("Scale", icon=":material/stacks:"):
            _scale(cluster.namespace, deployed.name, {node.node: node.wanted for node in workloads})
        if st.button("Undeploy", icon=":material/delete:"):
            _undeploy(cluster.namespace, deployed.name)
        st.markdown(f"{code(f'eoloom deployments fetch {deployed.name}')} brings its results here.")


def _readiness(found: Readiness) -> None:
    ready = sum(1 for node in found.nodes if node.is_ready)
    total = len(found.nodes)
    if found.is_ready:
        st.markdown(":green[:material/check_circle:] **ready**")
    else:
        st.progress(
            ready / total if total else 0.0, text=f"{ready} of {plural(total, 'workload')} ready"
        )
    st.table(
        [
            {
                "Node": plain(node.node),
                "State": f"{_mark(is_ready=node.is_ready)} {node_words(node)}",
            }
            for node in found.nodes
        ],
        border="horizontal",
    )


def _mark(*, is_ready: bool) -> str:
    return ":green[:material/check:]" if is_ready else ":orange[:material/pending:]"


@st.dialog("Scale")
def _scale(namespace: str, name: str, nodes: dict[str, int]) -> None:
    from orchestrator.backends.kubernetes.deployments import scale

    st.caption("Until the next deployment, which has the replicas of the pipeline file.")
    # A form sends its numbers with the button; by itself, a number may come after it.
    with st.form("scale", border=False):
        wanted = {
            node: st.number_input(node, 0, _MAX_REPLICAS, value=replicas)
            for node, replicas in nodes.items()
        }
        if not st.form_submit_button("Scale", type="primary"):
            return
    context = str(st.session_state.get("deployed-context", ""))
    with told(), connected(context, namespace) as cluster:
        require_own(cluster, name, owner())
        for node, replicas in wanted.items():
            if replicas != nodes[node]:
                scale(cluster, name, node, int(replicas))
        st.rerun()


@st.dialog("Undeploy")
def _undeploy(namespace: str, name: str) -> None:
    from orchestrator.backends.kubernetes.deployments import undeploy

    st.markdown(f"{code(name)} is removed from the namespace {code(namespace)}.")
    delete_results = st.toggle("Delete the runs and results too", value=False)
    st.caption(
        "The claim with them is gone for ever then."
        if delete_results
        else "The claim with them is kept: a deployment of the same name finds them again."
    )
    if not st.button("Undeploy", type="primary"):
        return
    context = str(st.session_state.get("deployed-context", ""))
    with told(), connected(context, namespace) as cluster:
        require_own(cluster, name, owner())
        with st.spinner("Removing …"):
            undeploy(cluster, name, delete_results=delete_results, timeout_s=120.0)
        st.rerun()
