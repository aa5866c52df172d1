import json
from pathlib import Path
from typing import Any

import pytest

from composer import contract_match
from composer.blueprint_import import ImportedPipeline, import_blueprint
from composer.contract import Kind
from composer.errors import MissingContractsError, SolutionError
from composer.graph import compose
from composer.manifest import NodeType
from composer.onboarding import onboard
from composer.registry import Registry
from tests.composer.solutions import (
    BOARD,
    JUDGE,
    SOLVER,
    blueprint,
    dockerinfo,
    game,
    node,
    operation,
)

TRAINING = """
syntax = "proto3";
message Empty {}
message SharedFolderRequest { string path = 1; }
message SharedFolderStatus { bool ready = 1; }
message Settings { int32 epochs = 1; }
message Report { double loss = 1; }
service Training {
  rpc mountVolume(SharedFolderRequest) returns (SharedFolderStatus);
  rpc start(Empty) returns (Settings);
  rpc train(Settings) returns (Report);
}
"""
DISPLAY = """
syntax = "proto3";
message SharedFolderRequest { string path = 1; }
message SharedFolderStatus { bool ready = 1; }
service Display { rpc mountVolume(SharedFolderRequest) returns (SharedFolderStatus); }
"""


def imported(text: str, protos: dict[str, str], *known: Any, **options: Any) -> ImportedPipeline:
    return import_blueprint(text, None, protos, Registry(known), **options)


def test_a_whole_solution_becomes_a_pipeline_that_composes() -> None:
    text, addresses, protos = game()
    found = import_blueprint(text, addresses, protos, Registry([]))
    assert found.pipeline.name == "game-of-boards"
    assert {n: v.component for n, v in found.pipeline.nodes.items()} == {
        "board1": "board@1.5.0",
        "judge1": "judge@1.5.0",
        "solver1": "solver@1.5.0",
    }
    assert sorted(map(str, found.pipeline.links)) == [
        "board1.requestEvaluation -> judge1.evaluate",
        "judge1.callSolver -> solver1.solve",
        "judge1.evaluate -> board1.showVerdict",
        "solver1.solve -> judge1.takeAnswers",
    ]
    graph = compose(found.pipeline, found.registry, cycles=True)
    assert [o.operation.name for o in graph.sources] == ["requestEvaluation", "callSolver"]
    assert sum(o.kind is Kind.SINK for o in graph.operations) == 2
    component = found.registry.find("solver")
    assert component.manifest.image == "registry.example:7444/games/solver:1.5"


def test_names_are_lowered_in_dockerinfo_and_protos_in_any_case() -> None:
    text, addresses, protos = game()
    found = import_blueprint(text, addresses, protos, Registry([]))
    assert {node: str(address) for node, address in found.addresses.items()} == {
        "board1": "dns:///board1:30000",
        "judge1": "dns:///judge1:30001",
        "solver1": "dns:///solver1:30002",
    }
    entries = [{"container_name": "BOARD1", "ip_address": "::1", "port": 1}]
    partial = import_blueprint(
        text, json.dumps({"docker_info_list": entries}), protos, Registry([])
    )
    assert str(partial.addresses["board1"]) == "dns:///[::1]:1"
    assert "dockerinfo.json has no address of Judge1, Solver1" in partial.warnings


def test_a_game_has_nothing_to_warn_of() -> None:
    text, addresses, protos = game()
    assert import_blueprint(text, addresses, protos, Registry([])).warnings == ()


def test_a_shared_folder_is_mounted_and_no_node() -> None:
    text = blueprint(
        node(
            "/data/shared",
            operation(
                "provideFolder",
                "Empty",
                "SharedFolderRequest",
                ("trainer1", "mountVolume"),
                ("display1", "mountVolume"),
            ),
            node_type="SharedFolder",
        ),
        node("display1", operation("mountVolume", "SharedFolderRequest", "SharedFolderStatus")),
        node(
            "trainer1",
            operation("mountVolume", "SharedFolderRequest", "SharedFolderStatus"),
            operation("start", "Empty", "Settings", ("trainer2", "train")),
        ),
        node("trainer2", operation("train", "Settings", "Report")),
    )
    protos = {f"trainer{i}.proto": TRAINING for i in (1, 2)} | {"display1.proto": DISPLAY}
    found = imported(text, protos)
    assert found.warnings == ()
    folders = {n: v.shared_folder for n, v in found.pipeline.nodes.items()}
    assert folders == {"display1": "/data/shared", "trainer1": "/data/shared", "trainer2": None}
    graph = compose(found.pipeline, found.registry)
    assert [str(o) for o in graph.operations] == ["trainer1.start", "trainer2.train"]


def test_the_shared_folder_may_be_known_from_the_deployments_alone() -> None:
    """As in a solution.zip, from whose blueprint the original removes the SharedFolder."""
    text = blueprint(node("display1", operation("mountVolume", "", "")))
    protos = {"display1.proto": DISPLAY}
    found = imported(text, protos, shared_folders={"display1": "/mnt/x", "other": "/y"})
    assert found.pipeline.nodes["display1"].shared_folder == "/mnt/x"


JOIN = """
syntax = "proto3";
message Empty {}
message Word { string text = 1; int32 count = 2; }
message Pair { Word left = 1; Word right = 2; repeated string tags = 3; double weight = 4; }
service %s {
  rpc list(Empty) returns (stream Word);
  rpc join(Pair) returns (Pair);
  rpc show(Word) returns (Empty);
}
"""


def test_mappers_become_field_links_and_literals() -> None:
    lines = [
        {"source_name": "a1", "parameter_tag": "", "mapped_to_field": "1"},
        {"source_name": "b1", "parameter_tag": "1", "mapped_to_field": "3"},
        {"source_name": "", "mapped_to_field": "4", "other_attributes": "2.5"},
        {"source_name": "", "mapped_to_field": "9", "other_attributes": "1"},
        {"source_name": "b1", "parameter_tag": "7", "mapped_to_field": "2"},
    ]
    text = blueprint(
        node("a1", operation("list", "Empty", "Word", ("collator1", "collate"))),
        node("b1", operation("list", "Empty", "Word", ("collator1", "collate"))),
        node(
            "collator1",
            operation("collate", "", "Pair", ("c1", "join")),
            node_type="Collator",
            collator_map={
                "collator_type": "Parameter-based",
                "map_inputs": [{"input_field": line} for line in lines],
            },
        ),
        node("c1", operation("join", "Pair", "Pair", ("splitter1", "split"))),
        node(
            "splitter1",
            operation("split", "Pair", "", ("d1", "show")),
            node_type="Splitter",
            splitter_map={
                "splitter_type": "Parameter-based",
                "map_outputs": [
                    {"output_field": {"target_name": "d1", "mapped_to_field": "1"}},
                ],
            },
        ),
        node("d1", operation("show", "Word", "Empty")),
    )
    protos = {f"{n}1.proto": JOIN % n.upper() for n in "abcd"}
    found = imported(text, protos)
    assert sorted(map(str, found.pipeline.links)) == [
        "a1.list -> c1.join.left",
        "b1.list.text -> c1.join.tags",
        "c1.join.left -> d1.show",
    ]
    assert found.pipeline.nodes["c1"].values == {"join": {"weight": 2.5}}
    assert found.warnings == (
        "a literal for field 9 of c1.join: there is no such field",
        "Word of b1.list has no field 7; its link is left out",
    )
    compose(found.pipeline, found.registry)


def test_what_has_no_counterpart_is_left_out_with_a_warning() -> None:
    text = blueprint(
        node("Board_1", operation("requestEvaluation", "Empty", "Job")),
        node("Probe", node_type="Probe"),
        node("Half", node_type="Splitter"),
        node("Broker", node_type="DataBroker", data_broker_map={"script": "rm -rf /"}),
        node("New", node_type="Quantum"),
        node("Orchestrator", node_type="MLModel"),
        probeIndicator=[{"value": "true"}],
    )
    protos = {"board_1.proto": BOARD, "broker.proto": SOLVER, "new.proto": SOLVER}
    found = imported(text, protos)
    assert list(found.pipeline.nodes) == ["board-1", "broker", "new"]
    assert found.registry.find("broker").manifest.node_type is NodeType.DATA_BROKER
    assert found.warnings == (
        "Probe Probe: runs can be watched without one; it is left out",
        "Splitter Half: it does not say what it maps; it is left out",
        "probeIndicator: runs can be watched without a probe",
        "container Board_1: its node is called board-1",
        (
            "container Broker: its data_broker_map is left out; a component reads data by its "
            "own means"
        ),
        ("container New: 'Quantum' is no type of node that is known; it is taken for an MLModel"),
        ("container Board_1: nothing is linked to requestEvaluation, so it is not called"),
    )


def test_links_to_nowhere_are_left_out_with_a_warning() -> None:
    text = blueprint(
        node("solver", operation("solve", "", "", ("nobody", "f"), ("judge", "guess"))),
        node("judge", operation("evaluate", "", "")),
    )
    found = imported(text, {"solver.proto": SOLVER, "judge.proto": JUDGE})
    assert found.pipeline.links == ()
    assert found.warnings == (
        "a link names the container 'nobody', which there is not",
        "container judge: its contract has no operation 'guess'; its links are left out",
    )


def test_the_same_container_twice_is_one_component_and_another_contract_is_another() -> None:
    text = blueprint(
        node("solver1", operation("solve", "", "")),
        node("solver2", operation("solve", "", "")),
        node("solver3", operation("solve", "", "")),
    )
    other = SOLVER.replace("int32 number", "string number")
    protos = {"solver1.proto": SOLVER, "solver2.proto": SOLVER, "solver3.proto": other}
    found = imported(text, protos)
    references = [value.component for value in found.pipeline.nodes.values()]
    assert references == ["solver@1.5.0", "solver@1.5.0", "solver-2@1.5.0"]
    assert [c.reference for c in found.onboarded] == ["solver@1.5.0", "solver-2@1.5.0"]


def test_a_known_component_of_the_same_image_and_contract_is_used() -> None:
    image = "registry.example:7444/games/solver:1.5"
    text = blueprint(node("solver1", operation("solve", "", "")))
    same = onboard(image, SOLVER, name="ours", version="3.0.0")
    assert imported(text, {"solver1.proto": SOLVER}, same).onboarded == ()
    other = onboard(image, SOLVER.replace("string program", "bytes program"), name="ours")
    assert len(imported(text, {"solver1.proto": SOLVER}, other).onboarded) == 1


def test_a_solution_cannot_take_the_name_of_a_known_component() -> None:
    known = onboard("registry.example/ours:1", SOLVER, name="solver", version="0.1.0")
    text = blueprint(node("solver1", operation("solve", "", "")))
    found = imported(text, {"solver1.proto": SOLVER}, known)
    assert [c.reference for c in found.onboarded] == ["solver-2@1.5.0"]
    assert found.registry.find("solver") is known


def test_our_own_options_are_taken_and_others_ignored() -> None:
    known = onboard("registry.example/ours:1", SOLVER, name="solver", version="0.1.0")
    options = {"component": "solver", "on_error": "skip", "values": {"solve": {"program": "a"}}}
    text = blueprint(
        node("solver1", operation("solve", "", ""), eoloom=options),
        node("solver2", operation("solve", "", ""), eoloom={"component": 3}),
        node("solver3", operation("solve", "", ""), eoloom={"component": "solvent"}),
        node("judge1", operation("evaluate", "", ""), eoloom={"component": "solver"}),
    )
    protos = {f"solver{i}.proto": SOLVER for i in (1, 2, 3)} | {"judge1.proto": JUDGE}
    found = imported(text, protos, known)
    assert found.pipeline.nodes["solver1"].model_dump(exclude_defaults=True) == options
    assert found.pipeline.nodes["solver3"].component == "solver-2@1.5.0"
    assert found.pipeline.nodes["judge1"].component == "judge@1.5.0"
    assert found.warnings == (
        "container solver2: what stands under `eoloom` is not a node; it is left out",
        "container solver3: there is no component solvent here; its image is onboarded",
        "container judge1: solver@0.1.0 has another contract here; its image is onboarded",
    )
    bare = blueprint(node("s", operation("solve", "", ""), eoloom={"component": "solver"}))
    assert imported(bare, {}, known).pipeline.nodes["s"].component == "solver"
    with pytest.raises(MissingContractsError, match=r"no contract of s: s\.proto is missing"):
        imported(bare, {})


@pytest.mark.parametrize(
    ("text", "protos", "words"),
    [
        (
            game()[0],
            {},
            "of Board1, Judge1, Solver1: Board1.proto, Judge1.proto, Solver1.proto are missing",
        ),
        (
            blueprint(node("a", operation("f", "", ""))),
            {"a.proto": 'syntax = "proto3"; message'},
            "the contract of a: line 1: ",
        ),
        (
            blueprint(node("a", image="a b")),
            {"a.proto": SOLVER},
            "container a: image: 'a b' is not the name of an image",
        ),
        (blueprint(node("A"), node("a")), {"a.proto": SOLVER}, "a is there twice"),
        (
            blueprint(
                node("/a b", operation("f", "", "", ("s", "m")), node_type="SharedFolder"),
                node("s"),
            ),
            {"s.proto": SOLVER},
            "'/a b' is not an absolute path",
        ),
    ],
)
def test_what_cannot_be_imported(text: str, protos: dict[str, str], words: str) -> None:
    with pytest.raises(SolutionError) as caught:
        imported(text, protos)
    assert words in str(caught.value)


def test_names_of_containers_that_become_one_are_told_apart() -> None:
    text = blueprint(node("so_lver"), node("so.lver"), node("so-lver"))
    protos = {f"{name}.proto": SOLVER for name in ("so_lver", "so.lver", "so-lver")}
    found = imported(text, protos)
    assert list(found.pipeline.nodes) == ["so-lver", "so-lver-2", "so-lver-3"]


def test_a_container_without_an_image_can_be_served_but_not_started() -> None:
    text = blueprint(node("solver", operation("solve", "", ""), image=""))
    found = import_blueprint(text, dockerinfo("solver"), {"solver.proto": SOLVER}, Registry([]))
    assert found.warnings == ("container solver: it has no image and cannot be started here",)
    image = found.onboarded[0].manifest.image
    assert image is not None
    assert image.split("/")[0].endswith(".invalid")


def test_of_several_services_the_one_with_the_operations_is_meant() -> None:
    """Not the first one, and not only if it begins a line."""
    other = "\n  service Other { rpc wait(Task) returns (Answers); }"
    head, _, tail = SOLVER.partition("service")
    text = blueprint(node("solver", operation("solve", "Task", "Answers")))
    found = imported(text, {"solver.proto": f"{head}{other}\n  service{tail}"})
    assert found.onboarded[0].contract.service == "Solver"
    both = blueprint(node("solver", operation("wait", "", ""), operation("solve", "", "")))
    first = imported(both, {"solver.proto": f"{head}{other}\n  service{tail}"})
    assert first.onboarded[0].contract.service == "Other"


def test_contracts_that_take_too_long_together_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contract_match, "MAX_COMPILING_S", 0.0)
    text = blueprint(node("solver"), node("judge"))
    with pytest.raises(SolutionError, match="the contract of judge: the contracts before it took"):
        imported(text, {"solver.proto": SOLVER, "judge.proto": JUDGE})


def test_names_of_files_reach_neither_a_shell_nor_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names = ["x; touch pwned", "$(touch pwned)", "../../pwned", "-I/etc", "a\nb"]
    text = blueprint(*(node(name, image="example/solver:1") for name in names))
    protos = {f"{name}.proto": SOLVER for name in names}
    found = imported(text, protos | {"| touch pwned": "not a contract at all"})
    assert len(found.pipeline.nodes) == len(names)
    assert list(tmp_path.rglob("*")) == []
    assert not (tmp_path.parent.parent / "pwned").exists()
