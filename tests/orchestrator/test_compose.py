"""A plan as a Compose file."""

from __future__ import annotations

from typing import Any

from orchestrator.compose import ComposeOptions, addresses, compose_document, orchestrator_name
from orchestrator.engine.plan import NodePlan, Plan

NODES = (
    NodePlan("ours", "x", "1", ("python",), image="eoloom/x:1", cpu=0.5, memory_bytes=2**30),
    NodePlan("theirs", "y", "1", (), image="other/y:1", gpus=1, shared_folder="/data/in"),
    NodePlan("orchestrator", "z", "1", ("python",), image="eoloom/z:1", replicas=3),
)
PLAN = Plan("p", "", NODES, (), ())


def services() -> dict[str, Any]:
    options = ComposeOptions(
        image="eoloom/orchestrator:1",
        run="p",
        ours=frozenset({"ours", "orchestrator"}),
        mounts={"ours": ("/data/scenes",)},
    )
    found: dict[str, Any] = compose_document(PLAN, options)["services"]
    return found


def test_our_components_are_restricted_limited_and_checked() -> None:
    ours = services()["ours"]
    assert (ours["cpus"], ours["mem_limit"]) == (0.5, 2**30)
    assert ours["read_only"]
    assert ours["user"] == "${EOLOOM_USER:-10001:10001}"
    assert ours["healthcheck"]["test"][-1] == "components.kit.health"
    assert "ports" not in ours
    assert ours["volumes"] == [
        {"type": "bind", "source": "./results/p/shared", "target": "/shared"},
        {"type": "bind", "source": "/data/scenes", "target": "/data/scenes", "read_only": True},
    ]


def test_components_of_others_run_as_they_were_made_with_their_page_on_loopback() -> None:
    theirs = services()["theirs"]
    assert "user" not in theirs
    assert "read_only" not in theirs
    assert theirs["cap_drop"] == ["ALL"]
    assert theirs["ports"] == ["127.0.0.1::8062"]
    assert theirs["environment"]["SHARED_FOLDER_PATH"] == "/data/in"
    assert "AWS_ACCESS_KEY_ID" not in theirs["environment"]
    assert theirs["deploy"]["resources"]["reservations"]["devices"][0]["count"] == 1


def test_the_orchestrator_waits_for_all_and_leaves_a_node_its_name() -> None:
    assert orchestrator_name(PLAN) == "orchestrator-of-run"
    assert services()["orchestrator"]["scale"] == 3
    assert services()["orchestrator-of-run"]["depends_on"] == {
        "ours": {"condition": "service_healthy"},
        "theirs": {"condition": "service_started"},
        "orchestrator": {"condition": "service_healthy"},
    }
    assert addresses(PLAN)["theirs"] == "dns:///theirs:8061"
