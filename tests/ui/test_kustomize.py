"""`eoloom export --to kustomize`."""

from __future__ import annotations

from pathlib import Path

import yaml

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
