"""The figure of what a result was made from."""

import io
from pathlib import Path

import numpy as np
import pytest
from matplotlib.patches import FancyArrowPatch
from PIL import Image

from orchestrator.lineage import Ancestor
from ui.lineage_picture import MOST_ROWS, draw_lineage, save_lineage


def _pair(preview: str = "") -> Ancestor:
    """A change from two scenes, the second of them shared by another message."""
    scenes = [Ancestor(f"scenes.generate#{n}", f"scene-{n}", "scenes@1") for n in (1, 2)]
    clean = [
        Ancestor(f"clean.prepare#{n + 1}", f"clean-{n + 1}", "clean@1", (scene,))
        for n, scene in enumerate(scenes)
    ]
    return Ancestor(
        "change.detect#1", "change", "change@1", tuple(clean), time="2024-07-31", preview=preview
    )


def _texts(ancestor: Ancestor) -> list[str]:
    return [text.get_text() for text in draw_lineage(ancestor).axes[0].texts]


def test_every_message_and_link_is_drawn_once() -> None:
    ancestor = _pair()
    texts = _texts(ancestor)
    for title in ("scene-1", "scene-2", "clean-1", "clean-2", "change", "2024-07-31"):
        assert texts.count(title) == 1
    assert "clean, clean@1" in texts
    arrows = [p for p in draw_lineage(ancestor).axes[0].patches if isinstance(p, FancyArrowPatch)]
    assert len(arrows) == 4


def test_what_is_repeated_in_the_lineage_is_one_card() -> None:
    scene = Ancestor("scenes.generate#1", "scene", "scenes@1")
    again = Ancestor("scenes.generate#1", "scene", "scenes@1", is_repeated=False)
    clean = Ancestor("clean.prepare#1", "clean", "clean@1", (scene,))
    assert _texts(Ancestor("mix.run#1", "mix", "mix@1", (clean, again))).count("scene") == 1


def test_a_long_stream_is_counted_and_not_drawn_one_by_one() -> None:
    scenes = tuple(Ancestor(f"s.generate#{n}", f"scene-{n}", "s@1") for n in range(1, 1001))
    texts = _texts(Ancestor("composite.run#1", "composite", "c@1", scenes))
    assert sum(text.startswith("scene-") for text in texts) == MOST_ROWS - 1
    assert f"and {1000 - MOST_ROWS + 1} more" in texts


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n broken"])
def test_a_preview_that_cannot_be_read_is_left_out(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "preview.png"
    path.write_bytes(content)
    assert len(draw_lineage(_pair(str(path))).axes[0].images) == 0


def test_a_preview_is_drawn_small(tmp_path: Path) -> None:
    path = tmp_path / "preview.png"
    Image.fromarray(np.zeros((2000, 1000, 3), np.uint8)).save(path)
    (image,) = draw_lineage(_pair(str(path))).axes[0].images
    assert max(image.get_array().shape) <= 384


@pytest.mark.parametrize("name", ["lineage.svg", "lineage.png"])
def test_it_is_written_by_its_suffix(name: str, tmp_path: Path) -> None:
    save_lineage(_pair(), tmp_path / name)
    content = (tmp_path / name).read_bytes()
    if name.endswith("svg"):
        assert b">scene-1<" in content
    else:
        assert Image.open(io.BytesIO(content)).size[0] > 1000
