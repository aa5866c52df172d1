from pathlib import Path

import pytest

from composer.errors import FaultCode, PipelineError
from composer.pipeline_file import load_pipeline, parse_pipeline, save_pipeline

TEXT = """\
name: demo
nodes:
  scenes: {component: scenes, params: {catalogue: cat.json, area: {west: 1}}}
  clean:
    component: filters
    timeout_s: 5
links:
  - scenes.search -> clean.clean
"""


def faults(text: str, *overrides: str) -> list[str]:
    file = parse_pipeline(text, overrides)
    return [f"{fault.line}: {fault} [{fault.code}]" for fault in file.faults]


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "demo.yaml"
    path.write_text(TEXT)
    file = load_pipeline(path)
    assert file.faults == ()
    assert file.folder == tmp_path
    assert file.pipeline.nodes["clean"].timeout_s == 5
    assert [str(link) for link in file.pipeline.links] == ["scenes.search -> clean.clean"]
    assert file.line("nodes", "clean", "timeout_s") == 6
    assert file.link_line(0) == 8


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("nodes: {}", "None: pipeline: name is missing [field]"),
        ("name: a\nnodes: [x]", "2: nodes: ['x'] should be a mapping [field]"),
        ("name: a\nnodes: {b: c}", "2: node b: 'c' should be a mapping [field]"),
        ("name: a\nnodes: {}\nlinks: 5", "3: links: 5 should be a list [field]"),
        ("name: a\nnodes: {b: {}}", "2: node b: component is missing [field]"),
        (
            "name: a\nnodes: {}\nlinsk: []",
            "3: linsk: unknown field 'linsk'; did you mean 'links'? [field]",
        ),
        (
            "name: a\nnodes:\n  b:\n    component: c\n    timeout: 4",
            ("5: node b, timeout: unknown field 'timeout'; did you mean 'timeout_s'? [field]"),
        ),
        (
            "name: a\nnodes: {b: {component: c, on_error: ignore}}",
            "2: node b, on_error: 'ignore' should be 'fail' or 'skip' [field]",
        ),
        (
            "name: a\nnodes: {b: {component: c, concurrency: 0}}",
            "2: node b, concurrency: 0 should be greater than or equal to 1 [field]",
        ),
        (
            "name: a\nnodes: {b: {component: c}}\nlinks:\n- b.x -> b.y\n- b.x b.y",
            (
                "5: link 2: 'b.x b.y' is not of the form node.operation -> node.operation "
                "[link-syntax]"
            ),
        ),
        (
            "name: a\nnodes:\n  b: {component: c}\n  b: {component: d}",
            "4: node b: is given twice [name]",
        ),
    ],
)
def test_a_fault_of_form_has_its_place(text: str, fault: str) -> None:
    assert fault in faults(text)


def test_what_has_no_fault_is_still_understood() -> None:
    text = TEXT.replace("timeout_s: 5", "timeout_s: -5").replace("links:", "links:\n  - nonsense")
    file = parse_pipeline(text + "  - {a: b}\nextra: 1\n")
    assert [fault.line for fault in file.faults] == [6, 8, 10, 11]
    assert list(file.pipeline.nodes) == ["scenes", "clean"]
    assert file.pipeline.nodes["clean"].timeout_s is None
    assert [file.link_line(n) for n in range(len(file.pipeline.links))] == [9]


def test_keys_without_values_are_empty() -> None:
    file = parse_pipeline("name: a\nnodes:\n  b:\n    component: c\n    params:\nlinks:\n")
    assert file.faults == ()
    assert (file.pipeline.links, file.pipeline.nodes["b"].params) == ((), {})


def test_a_node_that_cannot_be_understood_is_remembered() -> None:
    file = parse_pipeline(TEXT.replace("component: filters", "component: 5"))
    assert [str(fault) for fault in file.faults] == [
        "node clean, component: 5 should be a valid string"
    ]
    assert file.left_out == {"clean"}


@pytest.mark.parametrize("text", ["", "- a", "just text", "5"])
def test_a_file_that_is_no_mapping_is_one_fault(text: str) -> None:
    (fault,) = parse_pipeline(text).faults
    assert fault.code is FaultCode.FIELD


def test_a_file_that_is_no_yaml_is_an_error_with_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "demo.yaml"
    path.write_text("name: a\nnodes: {b")
    with pytest.raises(PipelineError, match=rf"^{path}:\d: file: not YAML"):
        load_pipeline(path)
    with pytest.raises(PipelineError, match=r"cannot read .*: No such file"):
        load_pipeline(tmp_path / "missing.yaml")


def test_an_override_sets_one_parameter() -> None:
    file = parse_pipeline(
        TEXT, ["scenes.catalogue=other.json", "scenes.area.east=2.5", "clean.mask=[a, b]"]
    )
    assert file.faults == ()
    assert file.pipeline.nodes["scenes"].params == {
        "catalogue": "other.json",
        "area": {"west": 1, "east": 2.5},
    }
    assert file.pipeline.nodes["clean"].params == {"mask": ["a", "b"]}


def test_an_override_of_what_an_alias_shares_changes_one_node_only() -> None:
    text = (
        "name: a\nnodes:\n  b: {component: c, params: &p {x: 1}}\n  d: {component: c, params: *p}"
    )
    nodes = parse_pipeline(text, ["d.x=2"]).pipeline.nodes
    assert (nodes["b"].params, nodes["d"].params) == ({"x": 1}, {"x": 2})


def test_a_value_may_have_equals_signs_and_be_a_url() -> None:
    file = parse_pipeline(TEXT, ["scenes.catalogue=https://example.org/stac?a=b&c=d"])
    assert file.pipeline.nodes["scenes"].params["catalogue"] == "https://example.org/stac?a=b&c=d"


@pytest.mark.parametrize(
    ("override", "fault"),
    [
        ("scnes.catalogue=x", "override scnes.catalogue: there is no node 'scnes'; did you mean"),
        ("list.x=1", "override list.x: node list is not a mapping"),
        ("scenes=x", "override scenes=x: is not of the form NODE.PARAMETER=VALUE"),
        ("scenes.catalogue", "is not of the form NODE.PARAMETER=VALUE"),
        ("scenes..a=1", "is not of the form NODE.PARAMETER=VALUE"),
        ("scenes.catalogue.deep=1", "scenes.catalogue is not a mapping, and has no 'deep'"),
        ("scenes.limit=[1, ", "override scenes.limit: '[1, ': not YAML"),
    ],
)
def test_an_override_that_cannot_be_applied_is_a_fault(override: str, fault: str) -> None:
    text = TEXT.replace("links:", "  list: [x]\nlinks:")
    (found, _) = parse_pipeline(text, [override]).faults
    assert found.code is FaultCode.OVERRIDE
    assert fault in str(found)


def test_paths_are_relative_to_the_file_or_for_overrides_to_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = parse_pipeline(TEXT, ["scenes.area.east=2"], folder=Path("/elsewhere"))
    assert file.base("scenes", ("catalogue",)) == Path("/elsewhere")
    assert file.base("scenes", ("area", "west")) == Path("/elsewhere")
    assert file.base("scenes", ("area", "east")) == tmp_path


def test_a_pipeline_is_saved_whole(tmp_path: Path) -> None:
    file = parse_pipeline(TEXT)
    path = tmp_path / "saved.yaml"
    save_pipeline(file.pipeline, path)
    assert load_pipeline(path).pipeline == file.pipeline
    assert [entry.name for entry in tmp_path.iterdir()] == ["saved.yaml"]
