"""What is dropped on the page, as a pipeline or as one message."""

from __future__ import annotations

import pytest
import yaml

from composer.registry import Registry
from tests.composer.solutions import game
from ui import uploads as module
from ui.uploads import UploadError, read_uploads

FILE = yaml.safe_dump({"name": "forest", "nodes": {"a": {"component": "gone"}}}).encode()


def test_a_pipeline_file_may_have_faults_that_can_be_mended() -> None:
    broken = FILE + b"evil: 1\n"
    uploaded = read_uploads([("forest.yaml", broken)], Registry([]))
    assert uploaded.name == "forest"
    assert "evil" in uploaded.warnings[0]


def test_a_blueprint_brings_its_components_but_keeps_none() -> None:
    text, infos, protos = game()
    files = [("b.json", text), ("d.json", infos), *protos.items()]
    uploaded = read_uploads([(name, content.encode()) for name, content in files], Registry([]))
    assert len(uploaded.document["links"]) == 4
    assert len(uploaded.onboarded) == 3


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([("b.json", game()[0].encode())], "no contract of Board1, Judge1, Solver1.*add them here"),
        ([("a.yaml", FILE), ("model.proto", b"")], "a.yaml is a whole pipeline"),
        ([("a.yaml", b"- 1")], "a.yaml cannot be read"),
        ([("model.proto", b"x")], "model.proto cannot be read"),
        ([("b.json", b"[]")], "b.json cannot be read"),
    ],
)
def test_what_is_no_pipeline_is_one_message(files: list[tuple[str, bytes]], message: str) -> None:
    with pytest.raises(UploadError, match=message):
        read_uploads(files, Registry([]))


def test_files_are_bounded_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_UPLOAD_BYTES", 100)
    with pytest.raises(UploadError, match=r"a.proto, b.proto: larger than"):
        read_uploads([("a.proto", b"x" * 60), ("b.proto", b"x" * 60)], Registry([]))
