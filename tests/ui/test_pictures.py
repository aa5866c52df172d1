"""A pipeline drawn: in characters, as SVG, as PNG."""

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from matplotlib.image import imread
from rich.text import Text

from composer.contract import Kind
from composer.errors import PipelineError
from composer.pipeline_file import parse_pipeline
from composer.registry import Registry
from tests.ui.fake import PIPELINE
from ui.character_canvas import Canvas
from ui.drawing import Drawing, draw_pipeline
from ui.picture import save_picture
from ui.picture_layout import arrange
from ui.text_picture import text_list, text_picture

BRANCHES = """\
name: branches
title: Costs $5 and $6 in [b]one[/b] <picture>
nodes:
  scenes: {component: fake-scenes, params: {catalogue: here, count: 4}}
  morning: {component: fake-clean}
  evening: {component: fake-clean}
  both: {component: fake-clean}
  change: {component: fake-change}
links:
  - scenes.generate -> morning.prepare
  - scenes.generate -> evening.prepare
  - morning.prepare -> both.align
  - evening.prepare -> both.align
  - both.align -> change.detect
  - morning.prepare -> change.detect
"""
CYCLE = BRANCHES + "  - change.detect -> both.align\n"
NODES = ("scenes", "morning", "evening", "both", "change")
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def registry(fake_components: Path) -> Registry:
    return Registry.discover([fake_components], built_in=False)


def draw(text: str, registry: Registry) -> Drawing:
    return draw_pipeline(parse_pipeline(text), registry)


def test_a_drawing_has_ports_parameters_and_streams(registry: Registry) -> None:
    drawing = draw(BRANCHES, registry)
    scenes, *_, change = drawing.boxes
    assert scenes.kind is Kind.SOURCE
    assert scenes.parameters == ("catalogue: here", "count: 4")
    assert scenes.rows[0].input is None
    assert change.rows[0].output is not None
    assert [(arrow.is_stream, arrow.takes_stream) for arrow in drawing.arrows[:3]] == [
        (True, False),
        (True, False),
        (False, True),
    ]


def test_faults_are_marked_where_they_are(registry: Registry) -> None:
    drawing = draw(CYCLE.replace("count: 4", "count: -4"), registry)
    assert [box.node for box in drawing.boxes if box.is_faulty] == ["scenes"]
    faulty = [str(arrow.source) for arrow in drawing.arrows if arrow.is_faulty]
    assert faulty == ["change.detect"]
    assert len(drawing.faults) == 3


def test_an_override_is_a_fault_of_its_node(registry: Registry) -> None:
    file = parse_pipeline(PIPELINE, ["scenes.count=-1"])
    drawing = draw_pipeline(file, registry)
    assert [box.node for box in drawing.boxes if box.is_faulty] == ["scenes"]


@pytest.mark.parametrize("text", [PIPELINE.replace("fake-clean", "imaginary"), "name: x", "[1]"])
def test_what_cannot_be_drawn_is_an_error(text: str, registry: Registry) -> None:
    with pytest.raises(PipelineError):
        draw(text, registry)


def test_lines_join_where_they_meet() -> None:
    canvas = Canvas()
    canvas.frame(0, 0, 5, 7)
    canvas.horizontal(2, 0, 6)
    canvas.vertical(3, 0, 4)
    canvas.text(1, 1, "a")
    assert canvas.render().plain.split("\n") == [
        "╭──┬──╮",
        "│a │  │",
        "├──┼──┤",
        "│  │  │",
        "╰──┴──╯",
    ]


def _lines(text: Text) -> list[str]:
    return text.plain.split("\n")


def test_characters_show_a_chain_from_top_to_bottom(registry: Registry) -> None:
    lines = _lines(text_picture(draw(PIPELINE, registry)))
    heads = [n for n, line in enumerate(lines) if "╭─" in line]
    assert [lines[n].split()[1] for n in heads] == ["scenes", "clean", "change"]
    arrows = [n for n, line in enumerate(lines) if "▼" in line]
    assert [n + 1 for n in arrows] == heads[1:]
    assert "stream Item to prepare" in lines[arrows[0] - 1]


@pytest.mark.parametrize("text", [BRANCHES, CYCLE])
def test_every_link_ends_in_an_arrowhead_on_a_box(text: str, registry: Registry) -> None:
    drawing = draw(text, registry)
    lines = _lines(text_picture(drawing))
    heads = [(y, x) for y, line in enumerate(lines) for x, c in enumerate(line) if c == "▼"]
    assert len(heads) == len(drawing.arrows)
    for y, x in heads:
        assert lines[y + 1][x] in "─ ▼" or lines[y + 1][x].isalpha()
        assert lines[y - 1][x] in "│┼"
    for node in NODES:
        assert any(f"╭─ {node} " in line for line in lines)


def test_narrow_terminals_get_a_list(registry: Registry) -> None:
    lines = _lines(text_list(draw(BRANCHES, registry)))
    assert lines[0] == "scenes  Scenes for tests (fake-scenes@1.2.0)"
    assert lines[-1] == "  morning.prepare -> change.detect: Item"


def test_boxes_of_the_figure_do_not_overlap_and_lie_inside(registry: Registry) -> None:
    layout = arrange(draw(CYCLE, registry))
    boxes = list(layout.boxes.values())
    for number, box in enumerate(boxes):
        assert 0 < box.x < box.right < layout.width
        assert 0 < box.y < box.bottom < layout.footer < layout.height
        for other in boxes[number + 1 :]:
            beside = box.right < other.x or other.right < box.x
            above = box.bottom < other.y or other.bottom < box.y
            assert beside or above
    assert set(layout.lanes) == {4, 6}  # those between the two nodes that share a column


def test_svg_has_a_text_for_each_node_and_message(registry: Registry, tmp_path: Path) -> None:
    path = tmp_path / "figure.svg"
    save_picture(draw(BRANCHES, registry), path)
    root = ET.parse(path)  # noqa: S314 - we wrote it
    texts = [element.text for element in root.iter(f"{SVG}text")]
    for node in NODES:
        assert texts.count(node) == 1
    assert texts.count("fake-clean@1.2.0") == 3
    assert texts.count("Item") == 7
    assert "Costs $5 and $6 in [b]one[/b] <picture>" in texts


def test_equal_pipelines_give_equal_files(registry: Registry, tmp_path: Path) -> None:
    paths = [tmp_path / "one.svg", tmp_path / "two.svg"]
    for path in paths:
        save_picture(draw(BRANCHES, registry), path)
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_png_is_as_large_as_the_layout(registry: Registry, tmp_path: Path) -> None:
    drawing = draw(BRANCHES, registry)
    path = tmp_path / "figure.png"
    save_picture(drawing, path)
    height, width, _ = imread(path).shape
    layout = arrange(drawing)
    assert width == pytest.approx(layout.width / 72 * 200, abs=1)
    assert height == pytest.approx(layout.height / 72 * 200, abs=1)


def test_secrets_are_not_drawn(fake_components: Path, registry: Registry) -> None:
    schema = registry.find("fake-scenes").schema.schema
    properties = dict(schema["properties"])
    properties["mode"] = {"type": "string", "format": "password"}
    component = registry.find("fake-scenes")
    object.__setattr__(component.schema, "schema", {**schema, "properties": properties})
    try:
        drawing = draw(PIPELINE.replace("count: 3", "mode: geheim"), registry)
    finally:
        object.__setattr__(component.schema, "schema", schema)
    assert "mode: (secret)" in drawing.boxes[0].parameters
