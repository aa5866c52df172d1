from pathlib import Path

import pytest
import yaml

from composer.errors import ManifestError
from composer.manifest import FromParameter, load_manifest

MANIFEST = """
name: s2-change
version: 0.1.0
title: Change detection
description: Finds changes.
licence: Apache-2.0
command: [python, -m, components.s2_change]
proto: protos/s2_change.proto
descriptors: protos/descriptors.binpb
service: eoloom.s2_change.v1.S2Change
operations:
  detect:
    description: Detects.
    emits: {parameter: collections}
    idempotent: true
resources: {cpu: 2, memory: 2Gi}
"""


def write(folder: Path, **changes: object) -> Path:
    values = {**yaml.safe_load(MANIFEST), **changes}
    values = {key: value for key, value in values.items() if value is not None}
    (folder / "component.yaml").write_text(yaml.safe_dump(values))
    return folder


def test_a_manifest_is_read_with_its_defaults(tmp_path: Path) -> None:
    manifest = load_manifest(write(tmp_path))
    detect = manifest.operations["detect"]
    assert manifest.command == ("python", "-m", "components.s2_change")
    assert detect.emits == FromParameter(parameter="collections")
    assert detect.accepts is None
    assert (detect.idempotent, detect.deterministic, detect.ordered) == (True, False, True)
    assert (manifest.resources.cpu, manifest.resources.memory, manifest.resources.gpu) == (
        2,
        "2Gi",
        0,
    )


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("licence", None, "licence is missing"),
        ("license", "MIT", "unknown field 'license'; did you mean 'licence'"),
        ("name", "S2_Change", "'S2_Change' must be lower-case letters"),
        ("version", "1", "version: '1' is not a version such as 1.0.0"),
        ("proto", "../../etc/passwd", "proto: '../../etc/passwd' must be a relative path"),
        ("descriptors", "/etc/passwd", "descriptors: '/etc/passwd' must be a relative path"),
        ("command", [], "command: .* should have at least 1 item"),
        ("operations", {}, "operations: .* should have at least 1 item"),
        ("operations", {"a b": {"description": "x"}}, "operations.a b: 'a b' should match"),
        (
            "operations",
            {"detect": {"description": "x", "timeout_s": 0}},
            "operations.detect.timeout_s: 0 should be greater than 0",
        ),
        (
            "operations",
            {"detect": {"description": "x", "idempotant": True}},
            "unknown field 'idempotant'; did you mean 'idempotent'",
        ),
        (
            "operations",
            {"detect": {"description": "x", "emits": {"param": "a"}}},
            "operations.detect.emits",
        ),
        ("resources", {"memory": "2 GB"}, "resources.memory: '2 GB' should match"),
        ("keywords", ["x"] * 51, "keywords: .* should have at most 50 items"),
    ],
)
def test_a_bad_field_is_named_with_its_file(
    tmp_path: Path, field: str, value: object, message: str
) -> None:
    with pytest.raises(ManifestError, match=message) as caught:
        load_manifest(write(tmp_path, **{field: value}))
    assert str(caught.value).startswith(str(tmp_path / "component.yaml"))


def test_all_bad_fields_are_named(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"version:.*; licence") as caught:
        load_manifest(write(tmp_path, version="one", licence="", title=None))
    assert "title is missing" in str(caught.value)


def test_a_field_given_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "component.yaml").write_text(MANIFEST + "name: other\n")
    with pytest.raises(ManifestError, match="line 17: name is given twice"):
        load_manifest(tmp_path)


def test_a_missing_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"cannot read .*component.yaml: No such file"):
        load_manifest(tmp_path)


def test_an_image_may_stand_instead_of_a_command(tmp_path: Path) -> None:
    manifest = load_manifest(write(tmp_path, command=None, image="example/change:1"))
    assert manifest.command == ()
    assert manifest.image == "example/change:1"
    both = load_manifest(write(tmp_path, image="example/change:1"))
    assert both.command


def test_without_either_it_cannot_be_started(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="image must be given where there is no command"):
        load_manifest(write(tmp_path, command=None))


@pytest.mark.parametrize(
    "image",
    [
        "ubuntu",
        "team/model:1.0",
        "localhost:5000/model",
        "registry.example:7444/training_pipeline/news-trainer:v1",
        f"registry.example/a/b.c__d:1@sha256:{'0' * 64}",
    ],
)
def test_images_are_named_as_for_docker(tmp_path: Path, image: str) -> None:
    assert load_manifest(write(tmp_path, image=image)).image == image


@pytest.mark.parametrize(
    "image", ["", "-v", "a b", "a//b", "a/B", "a:", "a@sha256:12", "../a", "a;b", "a\n", "a" * 501]
)
def test_what_is_no_image_is_refused(tmp_path: Path, image: str) -> None:
    with pytest.raises(ManifestError, match="is not the name of an image"):
        load_manifest(write(tmp_path, image=image))
