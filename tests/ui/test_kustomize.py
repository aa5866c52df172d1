"""`eoloom export --to kustomize`."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

from tests.docker_engine import LocalRegistry
from tests.registry_images import RegistryImages
from tests.ui.conftest import Invoke

ROOT = Path(__file__).parents[2]
DEMO = str(ROOT / "examples" / "demo.yaml")


def test_a_pipeline_becomes_a_folder_with_an_overlay_per_profile(
    eoloom: Invoke, workplace: Path
) -> None:
    (workplace / "ours.yaml").write_text(
        "name: ours\nimages: {registry: registry.example/eo}\nstorage: {claim: shared}\n"
    )
    result = eoloom(
        *("export", DEMO, "--to", "kustomize", "--output", "demo", "--namespace", "forest"),
        *("--profile", "kind", "--profile", "ours.yaml"),
    )
    assert result.exit_code == 0, result.stderr
    overlays = workplace / "demo" / "overlays"
    assert sorted(path.name for path in overlays.iterdir()) == ["kind", "ours"]
    ours = yaml.safe_load((overlays / "ours" / "kustomization.yaml").read_text())
    assert ours["namespace"] == "forest"
    assert ours["images"][0]["newName"].startswith("registry.example/eo/")


def test_what_the_profile_leaves_open_is_asked_and_can_be_answered(
    eoloom: Invoke, workplace: Path
) -> None:
    arguments = ("export", DEMO, "--to", "kustomize", "--output", "demo")
    result = eoloom(*arguments)
    assert result.exit_code == 2
    assert "kubectl get storageclass" in result.stderr
    assert not (workplace / "demo").exists()
    result = eoloom(
        *arguments,
        *("--profile-set", "images.registry=registry.example/eo"),
        *("--profile-set", "storage.storage_class=nfs"),
    )
    assert result.exit_code == 0, result.stderr
    claim = workplace / "demo/overlays/plain/patches/persistentvolumeclaim-demo.yaml"
    assert yaml.safe_load(claim.read_text())[0]["value"] == "nfs"


def test_a_folder_with_something_in_it_is_left_alone(eoloom: Invoke, workplace: Path) -> None:
    (workplace / "demo").mkdir()
    (workplace / "demo" / "notes.txt").write_text("mine")
    result = eoloom("export", DEMO, "--to", "kustomize", "--profile", "kind", "--output", "demo")
    assert result.exit_code == 3
    assert "demo is not empty" in result.stderr
    assert [path.name for path in (workplace / "demo").iterdir()] == ["notes.txt"]


def test_digests_stand_in_the_overlays_and_in_the_compose_file_when_asked_for(
    eoloom: Invoke,
    workplace: Path,
    image_registry: LocalRegistry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    images = RegistryImages(image_registry.host)
    project = f"{image_registry.host}/exported"
    digests = {
        f"{project}/{name}": images.put(f"exported/{name}", tag, "x")
        for name, tag in (
            *((name, "0.1.0") for name in ("sample-scenes", "s2-preprocess", "s2-change")),
            ("orchestrator", version("eoloom")),
        )
    }
    site = ("--profile", "kind", "--profile-set", f"images.registry={project}")
    result = eoloom(
        *("export", DEMO, "--to", "kustomize", "--output", "demo", *site, "--require-digests")
    )
    assert result.exit_code == 0, result.stderr
    overlay = yaml.safe_load((workplace / "demo/overlays/kind/kustomization.yaml").read_text())
    assert {image["newName"]: image["digest"] for image in overlay["images"]} == digests
    assert not any("newTag" in image for image in overlay["images"])

    monkeypatch.setenv("EOLOOM_IMAGE_REGISTRY", project)
    result = eoloom("export", DEMO, "--to", "compose", "--output", "composed", "--pin")
    assert result.exit_code == 0, result.stderr
    services = yaml.safe_load((workplace / "composed/docker-compose.yaml").read_text())["services"]
    expected = {f"{name}@{digest}" for name, digest in digests.items()}
    assert {service["image"] for service in services.values()} == expected


def test_without_being_asked_an_export_asks_no_registry(eoloom: Invoke, workplace: Path) -> None:
    site = ("--profile", "kind", "--profile-set", "images.registry=127.0.0.1:1/eo")
    result = eoloom("export", DEMO, "--to", "kustomize", "--output", "demo", *site)
    assert (result.exit_code, result.stderr) == (0, "")
    asked = eoloom("export", DEMO, "--to", "kustomize", "--output", "other", *site, "--pin")
    assert asked.exit_code == 0
    assert "cannot reach the image registry 127.0.0.1:1" in asked.stderr
