"""Tags become digests: with real registries, with and without a password, and without an engine."""

from __future__ import annotations

import base64
import json
import socket
from pathlib import Path

import pytest

from orchestrator.errors import ImageError, RegistryError
from orchestrator.images.pinning import pin_images
from orchestrator.images.registry_session import Answer, RegistrySession
from tests.docker_engine import PASSWORD, USER, LocalRegistry, StartRegistry
from tests.registry_images import RegistryImages


@pytest.fixture
def no_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No Docker engine, and the empty folder of Docker's configuration."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nothing.sock")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    (tmp_path / "docker").mkdir()
    return tmp_path / "docker"


def test_tags_of_images_and_of_indexes_become_digests(
    image_registry: LocalRegistry, no_engine: Path
) -> None:
    host, images = image_registry.host, RegistryImages(image_registry.host)
    image = images.put("pins/one", "1.0", "first")
    index = images.put_index("pins/one", "many", image)
    pinned = pin_images([f"{host}/pins/one:1.0", f"{host}/pins/one:many", f"{host}/pins/one:1.0"])
    assert pinned.images == {
        f"{host}/pins/one:1.0": f"{host}/pins/one@{image}",
        f"{host}/pins/one:many": f"{host}/pins/one@{index}",
    }
    assert pinned.warnings == ()


def test_a_tag_that_has_moved_has_another_digest(
    image_registry: LocalRegistry, no_engine: Path
) -> None:
    name, images = f"{image_registry.host}/pins/moved:1", RegistryImages(image_registry.host)
    before = images.put("pins/moved", "1", "before")
    assert pin_images([name]).images[name].endswith(before)
    after = images.put("pins/moved", "1", "after")
    assert after != before
    assert pin_images([name]).images[name].endswith(after)


def test_the_credentials_of_docker_login_are_used_without_an_engine(
    start_registry: StartRegistry, no_engine: Path
) -> None:
    registry = start_registry(is_guarded=True)
    name = f"{registry.host}/pins/guarded:1"
    digest = RegistryImages(registry.host, USER, PASSWORD).put("pins/guarded", "1", "x")
    [warning] = pin_images([name]).warnings
    assert f"not pinned to a digest: {name}" in warning
    assert f"run `docker login {registry.host}`" in warning
    auth = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    login = {"auths": {registry.host: {"auth": auth}}}
    (no_engine / "config.json").write_text(json.dumps(login))
    assert pin_images([name]).images == {name: f"{registry.host}/pins/guarded@{digest}"}


def test_what_cannot_be_asked_is_left_and_told_of_once_per_registry(
    image_registry: LocalRegistry, no_engine: Path
) -> None:
    with socket.socket() as taken:  # bound, but nobody listens
        taken.bind(("127.0.0.1", 0))
        away = f"127.0.0.1:{taken.getsockname()[1]}"
        there = f"{image_registry.host}/pins/there:1"
        RegistryImages(image_registry.host).put("pins/there", "1", "x")
        missing = f"{image_registry.host}/pins/missing:1"
        names = [there, missing, f"{away}/a:1", f"{away}/b:1", "eoloom/local:1"]
        pinned = pin_images(names)
        assert list(pinned.images) == [there]
        told = "\n".join(pinned.warnings)
        assert len(pinned.warnings) == 3
        assert "not pinned to a digest: eoloom/local:1: its name has no registry" in told
        assert f"not pinned to a digest: {away}/a:1, {away}/b:1: cannot reach the" in told
        assert f"not pinned to a digest: {missing}: {image_registry.host} has no image" in told
        with pytest.raises(RegistryError, match=r"not pinned to a digest: .*a:1, .*b:1"):
            pin_images(names, required=True)


def test_a_registry_that_lies_about_a_digest_is_never_only_warned_of() -> None:
    class Lying(RegistrySession):
        def connect(self) -> None:
            pass

        def ask(self, path: str, scope: str, *, method: str = "GET", accept: str = "*/*") -> Answer:
            return Answer(200, {"docker-content-digest": f"sha256:{'0' * 64}"}, b"{}")

    with pytest.raises(ImageError, match="sends other content than its digest says"):
        pin_images(["registry.example/p/x:1"], open_session=Lying)


def test_a_digest_stays_and_no_registry_is_asked_for_it() -> None:
    def refuse(host: str) -> RegistrySession:
        raise AssertionError(host)

    name = f"registry.example/p/x@sha256:{'0' * 64}"
    assert pin_images([name], required=True, open_session=refuse).images == {}


def test_what_is_no_image_is_refused() -> None:
    with pytest.raises(ImageError, match="is not the name of an image"):
        pin_images(["Registry/UPPER:1"])
