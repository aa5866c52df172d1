"""Contracts of containers that are not called as their containers, or are not there at all."""

import pytest

from composer.blueprint_import import ImportedPipeline, import_blueprint
from composer.component import Component
from composer.errors import MissingContractsError, SolutionError
from composer.onboarding import onboard
from composer.registry import Registry
from tests.composer.solutions import BOARD, JUDGE, SOLVER, blueprint, game, node, operation

IMAGE = "registry.example:7444/games/solver:1.5"
SOLVE = operation("solve", "Task", "Answers")


def imported(text: str, protos: dict[str, str], *known: Component) -> ImportedPipeline:
    return import_blueprint(text, None, protos, Registry(known))


def test_a_contract_may_be_called_as_the_catalogue_calls_it() -> None:
    found = imported(blueprint(node("Solver1", SOLVE)), {"solver-1.5.0.proto": SOLVER})
    assert found.pipeline.nodes["solver1"].component == "solver@1.5.0"
    assert found.warnings == ()


def test_one_contract_is_enough_for_all_containers_of_an_image() -> None:
    text = blueprint(node("solver1", SOLVE, proto_uri=""), node("solver2", SOLVE, proto_uri=""))
    found = imported(text, {"solver2.proto": SOLVER})
    assert {n.component for n in found.pipeline.nodes.values()} == {"solver@1.0.0"}


def test_contracts_of_any_name_are_told_apart_by_their_operations() -> None:
    text, _, protos = game()
    files = {f"{number}/model.proto": proto for number, proto in enumerate(protos.values())}
    found = imported(text, files)
    assert len(found.pipeline.links) == 4
    assert found.warnings == (
        "container Board1: its contract is taken to be 0/model.proto, which has its operations",
        "container Judge1: its contract is taken to be 1/model.proto, which has its operations",
        "container Solver1: its contract is taken to be 2/model.proto, which has its operations",
    )


def test_a_file_that_cannot_be_read_is_named_beside_what_is_missing() -> None:
    text = blueprint(node("solver1", SOLVE))
    with pytest.raises(MissingContractsError) as caught:
        imported(text, {"model.proto": "no contract"})
    assert "solver1.proto is missing; model.proto: line 1: " in str(caught.value)
    found = imported(text, {"model.proto": "no contract", "other.proto": SOLVER})
    assert any("model.proto is no contract that can be read" in w for w in found.warnings)


def test_where_two_contracts_have_the_operations_neither_is_taken() -> None:
    other = SOLVER.replace("int32 number", "string number")
    files = {"one.proto": SOLVER, "other.proto": other}
    with pytest.raises(MissingContractsError) as caught:
        imported(blueprint(node("solver1", SOLVE)), files)
    assert caught.value.containers == ("solver1",)


def test_two_contracts_of_one_container_are_refused() -> None:
    files = {"a/solver1.proto": SOLVER, "b/solver1.proto": BOARD}
    with pytest.raises(SolutionError, match=r"two contracts called solver1\.proto"):
        imported(blueprint(node("solver1", SOLVE)), files)


def test_the_contract_of_a_known_image_need_not_be_given() -> None:
    known = onboard(IMAGE, SOLVER, name="ours", version="3.0.0")
    found = imported(blueprint(node("solver1", SOLVE)), {}, known)
    assert found.pipeline.nodes["solver1"].component == "ours@3.0.0"
    assert (found.onboarded, found.warnings) == ((), ())


def test_a_known_image_with_other_operations_does_not_help() -> None:
    known = onboard(IMAGE, JUDGE, name="ours")
    with pytest.raises(MissingContractsError):
        imported(blueprint(node("solver1", SOLVE)), {}, known)


@pytest.mark.parametrize("name", ["solver", "anything"])
def test_a_contract_is_borrowed_from_a_component_with_the_same_operations(name: str) -> None:
    known = onboard("registry.example/other/solver:1.4", SOLVER, name=name, version="1.4.0")
    found = imported(blueprint(node("solver1", SOLVE)), {}, known)
    [component] = found.onboarded
    assert component.manifest.image == IMAGE
    assert component.proto_text == SOLVER
    assert found.warnings == (
        (
            "container solver1: its .proto is missing; the contract is that of "
            f"{known.reference}, which has the same operations"
        ),
    )


def test_components_that_differ_in_their_messages_are_not_guessed_between() -> None:
    other = SOLVER.replace("int32 number", "string number")
    known = [
        onboard("registry.example/one:1", SOLVER, name="one"),
        onboard("registry.example/two:1", other, name="two"),
    ]
    with pytest.raises(MissingContractsError):
        imported(blueprint(node("solver1", SOLVE)), {}, *known)


def test_a_blueprint_that_names_no_messages_is_not_guessed_at() -> None:
    known = onboard("registry.example/one:1", SOLVER, name="one")
    with pytest.raises(MissingContractsError):
        imported(blueprint(node("solver1", operation("solve", "", ""))), {}, known)


def test_a_container_without_image_and_contract_is_what_has_its_operations() -> None:
    known = onboard("registry.example/one:1", SOLVER, name="one")
    found = imported(blueprint(node("solver1", SOLVE, image="")), {}, known)
    assert found.pipeline.nodes["solver1"].component == "one@1.0.0"
    assert found.warnings == (
        "container solver1: it has no image; it is one@1.0.0 by its operations",
    )


def test_all_that_is_missing_is_said_at_once() -> None:
    text, _, protos = game()
    with pytest.raises(MissingContractsError) as caught:
        imported(text, {"judge1.proto": protos["judge1.proto"]})
    assert str(caught.value) == (
        "there is no contract of Board1, Solver1: Board1.proto, Solver1.proto are missing"
    )
    assert caught.value.containers == ("Board1", "Solver1")


def test_hundreds_of_missing_contracts_are_counted() -> None:
    with pytest.raises(MissingContractsError) as caught:
        imported(blueprint(*(node(f"c{number}") for number in range(300))), {})
    assert "and 280 more" in str(caught.value)
    assert len(str(caught.value)) < 1_000
