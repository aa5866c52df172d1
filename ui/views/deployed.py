"""What is deployed on a cluster: how it stands, and scaling and removing it."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

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
    from collections.abc import Iterable, Mapping, Sequence

    from orchestrator.backends.kubernetes.cluster import Cluster
    from orchestrator.backends.kubernetes.deployments import Deployed
    from orchestrator.backends.kubernetes.readiness import Readiness

_REFRESH_S = 2.0
_MAX_REPLICAS = 1000
_MAX_DIFF_LINES = 2000

_SEEN_KEY: Final = "deployed-seen"
_NAME_KEY: Final = "deployed-name"
_WANTED_KEY: Final = "deployed-wanted"


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


def deploy_now(
    cluster: Cluster,
    prepared: Prepared,
    context: str,
    warnings: Iterable[str] = (),
    *,
    stop_runs: bool,
) -> None:
    """Deploy, and show how it becomes ready, with what was told of it before and while deploying.

    Raises as `show_changes` does.
    """
    doing = deployer(cluster, prepared, stop_runs=stop_runs)
    require_own(cluster, doing.name, owner())
    doing.preview()  # what the cluster refuses is known before anything is made
    changes = doing.apply()
    notes = [
        f"{change.key}: {note}" for change in changes for note in (*change.notes, *change.warnings)
    ]
    st.session_state[_notes_key(cluster.namespace, doing.name)] = (*warnings, *notes)
    st.session_state["deployed-context"] = context
    st.session_state["deployed-namespace"] = cluster.namespace
    st.session_state[_WANTED_KEY] = doing.name
    st.session_state[_SEEN_KEY] = None
    # The widget exists already in this run of the page; it is set before the next.
    st.session_state["deploy-go-to"] = "What is deployed"
    st.rerun()


def _notes_key(namespace: str, name: str) -> str:
    return f"deployed-notes-{namespace}-{name}"


@dataclass(frozen=True)
class _Seen:
    """What a cluster had when it was read last.

    nodes: of each deployment that was shown, those that can be scaled, and to how many.
    """

    context: str
    namespace: str
    deployments: tuple[Deployed, ...]
    nodes: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


def show_deployed() -> None:
    """List the deployments of a namespace, and show one.

    What is chosen from and pressed stands outside the part that is drawn again by itself. A dialog
    that is opened within such a part belongs to it, and Streamlit drops what is sent from it where
    both are due at once.
    """
    context, namespace = st.columns(2)
    context_text = context.text_input(
        "Context", placeholder="the current one", key="deployed-context"
    ).strip()
    namespace_text = namespace.text_input(
        "Namespace", placeholder="of the context", key="deployed-namespace"
    ).strip()
    seen: _Seen | None = st.session_state.get(_SEEN_KEY)
    if seen is not None and (seen.context, seen.namespace) != (context_text, namespace_text):
        seen = st.session_state[_SEEN_KEY] = None
    with st.container():  # a place of its own, so that what follows keeps its own
        chosen = _choose(seen.deployments) if seen else None
        asks = seen is not None and chosen is not None and _deployment(seen, chosen)
    # Again and again: pods come up, fail and go without anybody's asking here.
    shown = st.fragment(guarded(_shown), run_every=_REFRESH_S)
    shown(context_text, namespace_text, chosen.name if chosen else "", asks=asks)
    if chosen is not None:
        for note in st.session_state.get(_notes_key(chosen.namespace, chosen.name), ()):
            st.info(plain(note), icon=":material/info:")


def _choose(deployments: Sequence[Deployed]) -> Deployed | None:
    """Let one be chosen; the one that was just made, at first."""
    if not deployments:
        return None
    names = [each.name for each in deployments]
    if (wanted := st.session_state.pop(_WANTED_KEY, None)) in names:
        st.session_state[_NAME_KEY] = wanted
    name = st.selectbox("Deployment", names, key=_NAME_KEY)
    return next((each for each in deployments if each.name == name), None)


def _deployment(seen: _Seen, deployed: Deployed) -> bool:
    """Show what a deployment is and what can be done with it; return whether a dialog asks."""
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
        return False
    with st.container(horizontal=True, vertical_alignment="bottom"):
        nodes = seen.nodes.get(deployed.name)
        scales = st.button("Scale", icon=":material/stacks:", disabled=not nodes)
        removes = st.button("Undeploy", icon=":material/delete:")
        st.markdown(f"{code(f'eoloom deployments fetch {deployed.name}')} brings its results here.")
    if scales and nodes:
        _scale(seen.context, deployed.namespace, deployed.name, nodes)
    elif removes:
        _undeploy(seen.context, deployed.namespace, deployed.name)
    return scales or removes


def _shown(context: str, namespace: str, name: str, *, asks: bool) -> None:
    """Read the cluster and show how the deployment `name` stands.

    asks: whether a dialog is open, which drawing the whole page anew would close.
    """
    from orchestrator.backends.kubernetes.deployments import readiness

    before: _Seen | None = st.session_state.get(_SEEN_KEY)
    waiting = st.spinner("Asking the cluster …") if before is None else contextlib.nullcontext()
    with told(), connected(context, namespace) as cluster:
        with waiting:
            deployments = tuple(own_deployments(cluster, owner()))
            chosen = next((each for each in deployments if each.name == name), None)
            found = readiness(cluster, name) if chosen and not chosen.is_going else None
        nodes = dict(before.nodes) if before else {}
        if found is not None:
            nodes[name] = {n.node: n.wanted for n in found.nodes if n.kind == "Deployment"}
        seen = st.session_state[_SEEN_KEY] = _Seen(context, namespace, deployments, nodes)
        if not asks and seen != before:
            st.rerun()
        if chosen is None and deployments:
            st.info(f"There is no {plain(name)} any more.")
        elif chosen is None:
            whose = "Nothing" if owner() is None else "Nothing of yours"
            st.info(f"{whose} is deployed in the namespace {plain(cluster.namespace)}.")
        elif found is None:
            st.info("It is being removed.")
        else:
            _readiness(found)


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
    for reason in () if found.is_ready else found.reasons:
        st.warning(plain(str(reason)), icon=":material/hourglass_empty:")


def _mark(*, is_ready: bool) -> str:
    return ":green[:material/check:]" if is_ready else ":orange[:material/pending:]"


@st.dialog("Scale", on_dismiss="rerun")
def _scale(context: str, namespace: str, name: str, nodes: Mapping[str, int]) -> None:
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
    with told(), connected(context, namespace) as cluster:
        require_own(cluster, name, owner())
        for node, replicas in wanted.items():
            if replicas != nodes[node]:
                scale(cluster, name, node, int(replicas))
        st.rerun()


@st.dialog("Undeploy", on_dismiss="rerun")
def _undeploy(context: str, namespace: str, name: str) -> None:
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
    with told(), connected(context, namespace) as cluster:
        require_own(cluster, name, owner())
        with st.spinner("Removing …"):
            undeploy(cluster, name, delete_results=delete_results, timeout_s=120.0)
        st.rerun()
