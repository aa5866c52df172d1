"""Deployments on a cluster, as a terminal and as JSON show them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rich.text import Text

from ui.tables import new_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.table import Table

    from orchestrator.backends.kubernetes.changes import Change
    from orchestrator.backends.kubernetes.deployments import Deployed
    from orchestrator.backends.kubernetes.logs import LogLine
    from orchestrator.backends.kubernetes.readiness import NodeState, Readiness
    from ui.output import Output

_ACTION_STYLES: Final = {
    "create": "green",
    "change": "yellow",
    "replace": "yellow",
    "prune": "red",
    "keep": "cyan",
    "unchanged": "dim",
}
PAST: Final = {
    "create": "created",
    "change": "changed",
    "replace": "replaced",
    "prune": "removed",
    "keep": "kept",
    "unchanged": "unchanged",
}
FUTURE: Final = {
    "create": "would be created",
    "change": "would be changed",
    "replace": "would be replaced",
    "prune": "would be removed",
    "keep": "would be kept",
    "unchanged": "unchanged",
}
_DIFF_STYLES: Final = {"+++": "bold", "---": "bold", "@@": "cyan", "+": "green", "-": "red"}
_NODE_STYLES: Final = ("cyan", "green", "magenta", "yellow", "blue")


def show_diffs(changes: Iterable[Change], output: Output) -> None:
    """Write the unified diff of every object that would change."""
    for change in changes:
        lines = list(change.diff())
        for line in lines:
            output.line(line, _diff_style(line))
        if lines:
            output.line()


def show_changes(
    changes: Sequence[Change], name: str, namespace: str, output: Output, *, dry_run: bool
) -> None:
    """Write what was, or would be, done to each object, with notes and the cluster's warnings."""
    words = FUTURE if dry_run else PAST
    unchanged = 0
    for change in changes:
        if change.action == "unchanged":
            unchanged += 1
        else:
            text = Text(words[change.action], style=_ACTION_STYLES[change.action])
            output.show(text.append(f" {change.key}", style="default"))
        for note in change.notes:
            output.line(f"  {change.key}: {note}", "cyan")
        for warning in change.warnings:
            output.warn(f"{change.key}: {warning}")
    if unchanged:
        output.line(f"{unchanged} of {len(changes)} objects unchanged", "dim")
    if dry_run:
        output.line(f"nothing was changed: dry run of {name} in the namespace {namespace}", "bold")


class ReadinessLines:
    """Writes how a deployment becomes ready: a line for what is new."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._nodes: dict[tuple[str, str], NodeState] = {}
        self._reasons: set[str] = set()

    def tell(self, readiness: Readiness) -> None:
        """Write what has changed since the last time."""
        for node in readiness.nodes:
            if self._nodes.get((node.node, node.kind)) != node:
                self._nodes[node.node, node.kind] = node
                style = "green" if node.is_ready else "dim"
                self._output.line(f"{node.node}: {node_words(node)}", style)
        reasons = [str(reason) for reason in readiness.reasons]
        for reason in reasons:
            if reason not in self._reasons:
                self._output.line(reason, "yellow")
        self._reasons = set(reasons)

    def tell_failure(self, name: str, readiness: Readiness, timeout_s: float) -> None:
        """Write that it is not ready, why, and what stays."""
        late = "" if readiness.is_hopeless else f" within {timeout_s:g} s (--timeout)"
        self._output.error(f"{name} is not ready{late}")
        for reason in readiness.reasons:
            self._output.tell_error(f"  {reason}")
        self._output.tell_error(
            "It stays deployed: correct it and deploy again, look with "
            f"`eoloom deployments show {name}`, or `eoloom undeploy {name}`."
        )


def show_next_steps(name: str, readiness: Readiness, output: Output) -> None:
    """Write that it serves, and how to go on."""
    output.line(f"{name} is ready after {readiness.seconds:.0f} s", "bold green")
    if not output.as_json:
        output.line(f"`eoloom deployments logs {name} orchestrator --follow` shows the run", "dim")
        output.line(f"`eoloom deployments fetch {name}` brings its results here", "dim")


def deployments_table(deployments: Iterable[Deployed]) -> Table:
    """Return one row per deployment."""
    table = new_table("deployment", "pipeline", "run", "by", "since")
    for each in deployments:
        name = Text(each.name, style="bold")
        if each.is_going:
            name.append(" (being removed)", style="yellow")
        table.add_row(name, each.pipeline, each.run, each.user, each.created)
    return table


def nodes_table(readiness: Readiness) -> Table:
    """Return one row per node."""
    table = new_table("node", "state")
    for node in readiness.nodes:
        style = "green" if node.is_ready else "yellow"
        table.add_row(Text(node.node, style="bold"), Text(node_words(node), style=style))
    return table


def log_text(line: LogLine) -> Text:
    """Return a log line behind its node; of our JSON records the message."""
    import json

    text = line.text
    try:
        record = json.loads(text)
    except ValueError:
        record = None
    if isinstance(record, dict) and isinstance(record.get("message"), str):
        level = record.get("level", "INFO")
        text = record["message"] if level == "INFO" else f"{level}: {record['message']}"
    # By the name's letters, so that a node keeps its colour from call to call.
    style = _NODE_STYLES[sum(line.node.encode()) % len(_NODE_STYLES)]
    return Text.assemble((line.node, style), f": {text}")


def change_document(change: Change) -> dict[str, Any]:
    """Return a change for machines."""
    return {
        "kind": change.key.kind,
        "name": change.key.name,
        "action": str(change.action),
        "notes": list(change.notes),
        "warnings": list(change.warnings),
        "diff": list(change.diff()),
    }


def readiness_document(readiness: Readiness) -> dict[str, Any]:
    """Return how a deployment stands, for machines."""
    from dataclasses import asdict

    return {
        "ready": readiness.is_ready,
        "seconds": readiness.seconds,
        "nodes": [asdict(node) | {"is_ready": node.is_ready} for node in readiness.nodes],
        "reasons": [asdict(reason) for reason in readiness.reasons],
    }


def node_words(node: NodeState) -> str:
    """Return how a workload stands."""
    if node.kind == "Job":
        if node.done:
            return "has succeeded"
        if node.failed:
            return "has failed"
        return "is at work" if node.ready else "starts"
    return f"{node.ready} of {node.wanted} ready"


def _diff_style(line: str) -> str:
    return next((style for start, style in _DIFF_STYLES.items() if line.startswith(start)), "")
