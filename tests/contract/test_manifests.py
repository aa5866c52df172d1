"""The manifests of the built-in components agree with everything that they speak of."""

import importlib.util
import json
from pathlib import Path

from jsonschema import Draft202012Validator

from composer.component import load_component
from composer.manifest import MANIFEST, FromParameter
from composer.registry import Registry

NOT_COMPONENTS = {"kit"}


def test_every_room_has_a_manifest(root: Path) -> None:
    rooms = {path.parent.name for path in root.glob("components/*/__init__.py")} - NOT_COMPONENTS
    manifests = {path.parent.name for path in root.glob(f"components/*/{MANIFEST}")}
    assert rooms == manifests


def test_the_registry_finds_every_component_whole(root: Path) -> None:
    registry = Registry.discover()
    assert [str(broken.error) for broken in registry.broken] == []
    assert len(registry.components) == len([*root.glob(f"components/*/{MANIFEST}")])


def test_names_follow_the_room(component_folder: Path, root: Path) -> None:
    manifest = load_component(component_folder, root).manifest
    package = component_folder.name
    assert manifest.name == package.replace("_", "-")
    assert manifest.proto == f"protos/{package}/v1/{package}.proto"
    assert manifest.descriptors == f"protos/{package}/v1/descriptors.binpb"
    assert manifest.service.startswith(f"eoloom.{package}.v1.")


def test_operations_are_the_rpcs(component_folder: Path, root: Path) -> None:
    component = load_component(component_folder, root)
    assert list(component.manifest.operations) == list(component.contract.operations)


def test_the_licence_is_given(component_folder: Path, root: Path) -> None:
    assert load_component(component_folder, root).manifest.licence == "Apache-2.0"


def test_the_command_starts_the_package(component_folder: Path, root: Path) -> None:
    command = load_component(component_folder, root).manifest.command
    assert command[:2] == ("python", "-m")
    assert importlib.util.find_spec(f"{command[2]}.__main__") is not None


def test_the_schema_is_valid_and_says_what_parameters_are_for(component_folder: Path) -> None:
    schema = json.loads((component_folder / "params.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    assert schema["additionalProperties"] is False
    silent = [n for n, field in schema["properties"].items() if not field.get("description")]
    assert not silent, "parameters without a description"


def test_parameters_that_name_collections_hold_texts(component_folder: Path, root: Path) -> None:
    component = load_component(component_folder, root)
    for operation in component.manifest.operations.values():
        if isinstance(operation.emits, FromParameter):
            params = {operation.emits.parameter: ["sentinel-2-l2a"]}
            refused = [r for r in component.schema.check(params) if r.place]
            assert all(r.place[0] != operation.emits.parameter for r in refused)
