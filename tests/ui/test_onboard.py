"""Images of others as components, from the command line."""

from __future__ import annotations

import json
import sys
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any

import pytest

from tests.postgresql import Server
from tests.ui.conftest import Invoke

SENDER = """
syntax = "proto3";
package demo;
message Nothing {}
message Person { string name = 1; }
service Source { rpc people(Nothing) returns (stream Person); }
service Greeter { rpc greet(Person) returns (Person); }
"""
READER = """
syntax = "proto3";
message Reader { string full_name = 1; }
message Nothing {}
service Sink { rpc read(Reader) returns (Nothing); }
"""
PIPELINE = """
name: persons
nodes: {a: {component: people}, b: {component: reader@2.1.0}}
links: [a.people -> a.greet, a.greet -> b.read]
"""


@pytest.fixture
def contracts(workplace: Path) -> Path:
    (workplace / "people.proto").write_text(SENDER)
    (workplace / "reader.proto").write_text(READER)
    (workplace / "persons.yaml").write_text(PIPELINE)
    return workplace


@pytest.fixture
def onboarded(contracts: Path, eoloom: Invoke) -> Invoke:
    """With two components of the user of the system."""
    for name, version in (("people", "1.0.0"), ("reader", "2.1.0")):
        image = f"registry.example/team/{name}:1"
        result = eoloom(
            "onboard", "--image", image, "--proto", f"{name}.proto", "--version", version
        )
        assert result.exit_code == 0, result.stderr
    return eoloom


def listed(eoloom: Invoke) -> dict[str, Any]:
    components = json.loads(eoloom("components", "--json").stdout)["components"]
    return {component["name"]: component["onboarded"] for component in components}


def test_an_onboarded_image_is_shown_with_its_ports_and_what_comes_next(
    contracts: Path, eoloom: Invoke
) -> None:
    result = eoloom("onboard", "--image", "r.example/people:3", "--proto", "people.proto")
    assert result.exit_code == 0
    for words in (
        "onboarded people@1.0.0",
        "people: -> stream Person",
        "greet: Person -> Person",
        "component: people@1.0.0",
        "image      r.example/people:3",
    ):
        assert words in result.stdout
    assert ", private" in result.stdout
    assert "people: -> stream Person" in eoloom("components").stdout
    assert "r.example/people:3" in eoloom("components", "people@1.0.0").stdout


def test_pipelines_of_it_can_be_checked_drawn_and_exported(onboarded: Invoke) -> None:
    assert "valid: persons, 2 nodes, 2 links" in onboarded("validate", "persons.yaml").stdout
    assert "reader@2.1.0" in onboarded("graph", "persons.yaml").stdout
    result = onboarded("export", "persons.yaml", "--to", "blueprint", "--output", "b.json")
    assert "has the services demo.Source, demo.Greeter" in result.stderr


def test_as_json(contracts: Path, eoloom: Invoke) -> None:
    (contracts / "parameters.json").write_text(
        '{"type": "object", "properties": {"loud": {"type": "boolean"}}}'
    )
    result = eoloom(
        *("onboard", "--image", "r.example/reader:3", "--proto", "reader.proto", "--json"),
        *("--name", "books", "--licence", "MIT", "--node-type", "DataBroker"),
        *("--parameters", "parameters.json", "--visibility", "shared", "--share-with", "ada"),
    )
    document = json.loads(result.stdout)
    assert (document["name"], document["licence"]) == ("books", "MIT")
    assert document["onboarded"]["shared_with"] == ["ada"]
    assert [parameter["name"] for parameter in document["parameters"]] == ["loud"]
    assert document["proto_text"] == READER


def test_the_same_again_is_said_to_be_there_already(contracts: Path, eoloom: Invoke) -> None:
    arguments = ("onboard", "--image", "r.example/reader:3", "--proto", "reader.proto")
    assert eoloom(*arguments).stdout.startswith("onboarded reader@1.0.0\n")
    again = eoloom(*arguments)
    assert again.exit_code == 0
    assert again.stdout.startswith("reader@1.0.0 is there already, unchanged\n")
    shared = eoloom(*arguments, "--visibility", "public")
    assert shared.stdout.startswith("reader@1.0.0 is there already; it is public now\n")
    assert json.loads(eoloom(*arguments, "--json").stdout)["is_new"] is False
    newer = eoloom(*arguments, "--version", "1.1.0", "--json")
    assert json.loads(newer.stdout)["is_new"] is True


def test_a_contract_from_stdin(
    contracts: Path, eoloom: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ui.commands import onboard

    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(READER.encode())))
    assert onboard._read(Path("-")) == READER


def test_who_may_use_it(onboarded: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    def names_for(user: str) -> set[str]:
        monkeypatch.setenv("EOLOOM_USER", user)
        found = {name for name, entry in listed(onboarded).items() if entry}
        monkeypatch.delenv("EOLOOM_USER")
        return found

    assert names_for("ada") == set()
    shared = onboarded("share", "people", "--visibility", "shared", "--share-with", "ada")
    assert shared.stdout == "people@1.0.0 is shared with ada\n"
    assert onboarded("share", "reader@2.1.0", "--visibility", "public").exit_code == 0
    assert names_for("ada") == {"people", "reader"}
    assert names_for("bob") == {"reader"}
    assert onboarded("share", "people", "--visibility", "private").exit_code == 0
    assert names_for("ada") == {"reader"}
    monkeypatch.setenv("EOLOOM_USER", "ada")
    refused = onboarded("share", "people", "--visibility", "public")
    assert refused.exit_code == 2
    assert "ada has no onboarded component 'people'" in refused.stderr


def test_a_component_of_our_own_is_shared_as_its_image(
    eoloom: Invoke, workplace: Path, fake_components: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With all that its manifest says, for those who do not have its folder."""
    folder = str(fake_components / "fake-clean")
    result = eoloom("onboard", "--image", "r.example/clean:1", "--component", folder, "--json")
    assert result.exit_code == 0, result.stderr
    monkeypatch.delenv("EOLOOM_COMPONENTS_PATH")
    here, there = json.loads(result.stdout), json.loads(eoloom("components", "--json").stdout)
    (found,) = [each for each in there["components"] if each["name"] == "fake-clean"]
    assert found["operations"] == here["operations"]
    assert found["operations"][0]["emits"] == "eoloom-s2-reflectance"
    assert (found["version"], found["image"]) == ("1.2.0", "r.example/clean:1")
    details = json.loads(eoloom("components", "fake-clean", "--json").stdout)
    assert "count" in {parameter["name"] for parameter in details["parameters"]}
    result = eoloom("onboard", "--image", "a:1", "--component", folder, "--licence", "MIT")
    assert result.exit_code == 2
    assert "says itself what is in --licence" in result.stderr
    result = eoloom("onboard", "--image", "a:1")
    assert "--proto FILE, or --component DIR" in result.stderr


def test_what_is_removed_is_gone(onboarded: Invoke) -> None:
    onboarded(*("onboard", "--image", "reader:2", "--proto", "reader.proto", "--version", "2.2.0"))
    result = onboarded("remove", "reader")
    assert result.exit_code == 2
    assert "reader has the versions 2.2.0, 2.1.0; say which" in result.stderr
    assert onboarded("remove", "reader@2.1.0").stdout == "removed reader@2.1.0\n"
    assert onboarded("validate", "persons.yaml").exit_code == 2
    assert onboarded("remove", "reader").stdout == "removed reader@2.2.0\n"
    result = onboarded("remove", "peopel")
    assert "did you mean 'people'?" in result.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--image", "a b"], "is not the name of an image"),
        (["--proto", "missing.proto"], "cannot read missing.proto: No such file"),
        (["--proto", "broken.proto"], "broken.proto: line 2: "),
        (["--proto", "binary.proto"], "binary.proto: not UTF-8 text"),
        (["--name", "fake-clean"], "fake-clean is the name of a component that is built in or"),
        (["--service", "Sin"], "did you mean 'Sink'?"),
        (["--share-with", "ada"], "shared with nobody in particular"),
        (["--parameters", "reader.proto"], "reader.proto: not JSON"),
        (["--version", "one"], "version: 'one' is not a version"),
    ],
)
def test_mistakes_are_one_sentence(
    contracts: Path, eoloom: Invoke, options: list[str], words: str
) -> None:
    (contracts / "broken.proto").write_text('syntax = "proto3";\nmessage {')
    (contracts / "binary.proto").write_bytes(b"\xff\xfe")
    given = {"--image": "r.example/reader:1", "--proto": "reader.proto"}
    given |= dict(zip(options[::2], options[1::2], strict=True))
    result = eoloom("onboard", *(word for pair in given.items() for word in pair))
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert words in result.stderr
    assert all(entry is None for entry in listed(eoloom).values())


def test_a_version_does_not_change(onboarded: Invoke) -> None:
    again = ("onboard", "--image", "registry.example/team/people:1", "--proto", "people.proto")
    assert onboarded(*again).exit_code == 0
    other = onboarded("onboard", "--image", "people:2", "--proto", "people.proto")
    assert other.exit_code == 2
    assert "exists with other contents; onboard it as another version" in other.stderr


def test_nothing_is_made_by_reading(workplace: Path, eoloom: Invoke) -> None:
    for command in (["components"], ["validate", "pipeline.yaml"], ["graph", "pipeline.yaml"]):
        assert eoloom(*command).exit_code == 0
    assert not (workplace / "data-home").exists()


def test_a_database_that_cannot_be_used(
    contracts: Path, eoloom: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever only reads is warned; what is to be written cannot be."""
    monkeypatch.setenv("EOLOOM_DATABASE_URL", "postgresql://ada:secret@127.0.0.1:1/eoloom")
    result = eoloom("validate", "pipeline.yaml")
    assert result.exit_code == 0
    assert result.stderr.startswith("warning: onboarded components are left out: cannot use")
    result = eoloom("onboard", "--image", "a:1", "--proto", "reader.proto")
    assert result.exit_code == 3
    assert result.stderr.startswith("error: cannot use the registry database: ")
    assert result.stderr.count("\n") == 1
    assert "secret" not in result.stderr


def test_the_database_of_a_team(
    contracts: Path, eoloom: Invoke, monkeypatch: pytest.MonkeyPatch, postgresql_server: Server
) -> None:
    monkeypatch.setenv("EOLOOM_DATABASE_URL", postgresql_server.new_database())
    monkeypatch.setenv("EOLOOM_USER", "ada")
    result = eoloom(
        *("onboard", "--image", "reader:1", "--proto", "reader.proto", "--visibility", "public")
    )
    assert result.exit_code == 0, result.stderr
    monkeypatch.setenv("EOLOOM_USER", "bob")
    assert listed(eoloom)["reader"]["owner"] == "ada"
    assert "of ada, public" in eoloom("components").stdout
    assert not (contracts / "data-home").exists()


def test_an_imported_solution_can_be_used_at_once(
    contracts: Path, eoloom: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = PIPELINE.replace("a.people -> a.greet, a.greet", "a.people")
    (contracts / "people.proto").write_text(SENDER[: SENDER.index("service Greeter")])
    (contracts / "persons.yaml").write_text(pipeline)
    for name, version in (("people", "1.0.0"), ("reader", "2.1.0")):
        eoloom(
            *("onboard", "--image", f"r.example/{name}:1", "--proto", f"{name}.proto"),
            *("--version", version),
        )
    assert eoloom("export", "persons.yaml", "--output", "persons.zip").exit_code == 0
    # Somebody else, who knows nothing of these components.
    monkeypatch.setenv("XDG_DATA_HOME", str(contracts / "elsewhere"))
    assert eoloom("validate", "persons.yaml").exit_code == 2
    result = eoloom("import", "persons.zip", "--output", "imported.yaml")
    assert result.exit_code == 0, result.stderr
    assert "onboarded people@" in result.stdout
    assert "valid: persons" in eoloom("validate", "imported.yaml").stdout
    assert {entry["visibility"] for entry in listed(eoloom).values() if entry} == {"private"}
    # Once more, and nothing is onboarded twice.
    assert "onboarded" not in eoloom("import", "persons.zip", "--output", "again.yaml").stdout
