import subprocess
import sys
from pathlib import Path

import pytest

from composer.errors import ComposerError, ContractError, ManifestError, UnknownComponentError
from composer.onboarding import onboard
from composer.registry import Registry
from tests.composer.fakes import CHARTS, FILTERS, SCENES, Shelf, put_usual_components

CHARTS_OPERATIONS: dict[str, dict[str, object]] = {"measure": {}, "draw": {}}


def discover(shelf: Shelf) -> Registry:
    return Registry.discover([shelf.folder], built_in=False)


def test_components_are_found_below_a_folder_and_as_one(shelf: Shelf) -> None:
    put_usual_components(shelf)
    names = [component.manifest.name for component in discover(shelf).components]
    assert names == ["charts", "filters", "scenes"]
    one = Registry.discover([shelf.folder / "charts"], built_in=False)
    assert [component.reference for component in one.components] == ["charts@1.0.0"]


def test_built_in_components_are_found_without_importing_them() -> None:
    program = (
        "import sys; from composer.registry import Registry; Registry.discover();"
        "print([m for m in sys.modules if m.split('.')[0] in ('components', 'grpc', 'rasterio')])"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert result.stdout.strip() == "[]"


def test_a_broken_component_does_not_stand_in_the_way(shelf: Shelf) -> None:
    put_usual_components(shelf)
    (shelf.folder / "filters" / "component.yaml").write_text("name: filters")
    registry = discover(shelf)
    assert [component.manifest.name for component in registry.components] == ["charts", "scenes"]
    (broken,) = registry.broken
    assert broken.folder.name == "filters"
    assert isinstance(broken.error, ManifestError)
    with pytest.raises(
        UnknownComponentError, match=r"'filters' cannot be used: .*title is missing"
    ):
        registry.find("filters")


def test_an_unknown_component_has_the_nearest_name(registry: Registry) -> None:
    with pytest.raises(UnknownComponentError, match="no component 'filtres'") as caught:
        registry.find("filtres")
    assert caught.value.suggestion == "filters"


def test_the_newest_version_is_found_unless_another_is_asked_for(shelf: Shelf) -> None:
    for version in ("1.9.0", "1.10.0", "2.0.0-rc.1"):
        shelf.put("charts", CHARTS, "fake.charts.Charts", CHARTS_OPERATIONS, version=version)
    registry = discover(shelf)
    assert registry.versions("charts") == ("2.0.0-rc.1", "1.10.0", "1.9.0")
    assert registry.find("charts").manifest.version == "2.0.0-rc.1"
    assert registry.find("charts@1.9.0").manifest.version == "1.9.0"
    with pytest.raises(UnknownComponentError, match=r"no version '3.0.0' of charts; there is 2"):
        registry.find("charts@3.0.0")


def test_two_components_of_one_name_and_version_are_reported(shelf: Shelf) -> None:
    first = shelf.put("charts", CHARTS, "fake.charts.Charts", CHARTS_OPERATIONS)
    second = first.rename(first.with_name("other"))
    shelf.put("charts", CHARTS, "fake.charts.Charts", CHARTS_OPERATIONS)
    registry = discover(shelf)
    assert [component.folder for component in registry.components] == [first]
    assert [broken.folder for broken in registry.broken] == [second]
    assert "charts@1.0.0 exists already" in str(registry.broken[0].error)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ComposerError, match=r"no folder .*nowhere"):
        Registry.discover([tmp_path / "nowhere"], built_in=False)


def test_operations_must_be_those_of_the_contract(shelf: Shelf) -> None:
    with pytest.raises(ContractError) as caught:
        shelf.load("charts", CHARTS, "fake.charts.Charts", {"mesure": {}, "draw": {}})
    assert "operations.mesure: fake.charts.Charts has no such rpc" in str(caught.value)
    assert "did you mean 'measure'" in str(caught.value)
    assert "the rpc measure is not declared" in str(caught.value)


def test_a_parameter_that_decides_collections_must_exist(shelf: Shelf) -> None:
    operations = {"search": {"emits": {"parameter": "collections"}}}
    with pytest.raises(ContractError, match="there is no parameter 'collections'"):
        shelf.load("scenes", SCENES, "fake.scenes.Scenes", operations)


@pytest.mark.parametrize("missing", ["model.proto", "descriptors.binpb"])
def test_a_missing_file_of_the_contract_is_named(shelf: Shelf, missing: str) -> None:
    folder = shelf.put("charts", CHARTS, "fake.charts.Charts", CHARTS_OPERATIONS)
    (folder / missing).unlink()
    (broken,) = discover(shelf).broken
    assert f"cannot read {folder / missing}: No such file" in str(broken.error)


def test_a_component_shows_its_ports_and_its_contract(shelf: Shelf) -> None:
    operations: dict[str, dict[str, object]] = {"clean": {}, "align": {}}
    component = shelf.load("filters", FILTERS, "fake.filters.Filters", operations)
    assert [str(port) for port in component.ports] == [
        "input of filters.clean (fake.filters.Acquisition)",
        "output of filters.clean (fake.filters.Acquisition)",
        "input of filters.align (stream fake.filters.Acquisition)",
        "output of filters.align (stream fake.filters.Acquisition)",
    ]
    assert component.proto_text == FILTERS


def test_further_components_come_first(registry: Registry, tmp_path: Path) -> None:
    source = 'syntax = "proto3"; message M {} service S { rpc f(M) returns (M); }'
    new = onboard("example/charts:1", source, name="charts", version="1.0.0")
    other = onboard("example/other:1", source, name="other")
    extended = registry.extended([new, other])
    assert extended.find("charts") is new
    assert extended.find("other") is other
    assert extended.find("scenes") is registry.find("scenes")
    assert registry.find("charts") is not new, "the registry itself stays as it was"
