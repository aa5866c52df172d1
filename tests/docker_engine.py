"""A Docker engine, image registries on loopback, and the images of the components, for tests.

The base image is EOLOOM_BASE_IMAGE, or is made by scripts/base_image.sh. Registries are Debian's
docker-registry, which keeps its images in a temporary folder.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from composer.registry import Registry
from orchestrator.images.build import BuildOptions, BuiltImage, build_component, build_platform
from tests.data import ROOT, require

if TYPE_CHECKING:
    from docker import DockerClient

BASE_IMAGE = "eoloom-base-python:3.11"
START_TIMEOUT_S = 20.0

# Of a registry that asks for a password; the hash is bcrypt, as `htpasswd -B` writes it.
USER = "tester"
PASSWORD = "registry-word"  # noqa: S105 - of a registry that lives for a test
PASSWORD_HASH = "$2y$04$zsBKSxAQVQ2juHHrKzRFM.U/0Cwdi0fsM6K.6Y2M6f98ERZOpjcFC"  # noqa: S105


@dataclass(frozen=True)
class LocalRegistry:
    """A registry at `host`, such as 127.0.0.1:41873, with its log."""

    host: str
    log: Path


StartRegistry = Callable[..., LocalRegistry]


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[DockerClient]:
    """The engine of this machine; skips the test, or fails it, where there is none."""
    require("docker")
    import docker

    with contextlib.closing(docker.from_env(timeout=600)) as client:
        yield client


@pytest.fixture(scope="session")
def base_image(docker_engine: DockerClient) -> str:
    """An image with Python 3.11 on the engine."""
    name = os.environ.get("EOLOOM_BASE_IMAGE") or BASE_IMAGE
    from docker.errors import ImageNotFound

    try:
        docker_engine.images.get(name)
    except ImageNotFound:
        subprocess.run([ROOT / "scripts/base_image.sh", name], check=True)
    return name


def put_python(engine: DockerClient, base_image: str, script: str, folder: Path, name: str) -> None:
    """Make a base image whose python3 is a shell script."""
    (folder / "Dockerfile").write_text(f"FROM {base_image}\nCOPY python3 /usr/local/bin/\n")
    (folder / "python3").write_text(script)
    (folder / "python3").chmod(0o755)
    engine.images.build(path=str(folder), tag=name, rm=True)


@pytest.fixture(scope="session")
def component_images(docker_engine: DockerClient, base_image: str) -> dict[str, BuiltImage]:
    """The image of every built-in component, of the code as it is now, by the component's name."""
    options = BuildOptions("eoloom", base_image)
    return {
        component.manifest.name: build_component(
            docker_engine, component, options, lambda progress: None
        )
        for component in Registry.discover().components
    }


@pytest.fixture(scope="session")
def orchestrator_image(docker_engine: DockerClient, base_image: str) -> BuiltImage:
    """The image of the orchestrator, of the code as it is now."""
    options = BuildOptions("eoloom", base_image)
    return build_platform(docker_engine, "orchestrator", options, lambda progress: None)


@pytest.fixture(scope="session")
def image_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRegistry]:
    """A registry without authentication, for the session."""
    with running_registry(tmp_path_factory.mktemp("registry")) as registry:
        yield registry


@pytest.fixture
def start_registry(tmp_path: Path) -> Iterator[StartRegistry]:
    """Start further registries: `start_registry(is_guarded=True)`."""
    with contextlib.ExitStack() as stack:

        def start(is_guarded: bool = False, page: int = 100) -> LocalRegistry:
            folder = tmp_path / f"registry-{len(list(tmp_path.iterdir()))}"
            folder.mkdir()
            return stack.enter_context(running_registry(folder, is_guarded, page))

        yield start


@contextlib.contextmanager
def running_registry(
    folder: Path, is_guarded: bool = False, page: int = 100
) -> Iterator[LocalRegistry]:
    """Run a registry in `folder`.

    page: repositories in one answer. is_guarded: only USER with PASSWORD may come in.
    """
    program = shutil.which("docker-registry") or "/usr/bin/docker-registry"
    if not Path(program).exists():
        require("docker")
        pytest.fail("docker-registry is missing: apt-get install docker-registry")
    host = f"127.0.0.1:{_free_port()}"
    (folder / "config.yml").write_text(_config(folder, host, is_guarded, page))
    log = folder / "registry.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [program, "serve", folder / "config.yml"], stdout=output, stderr=output
        )
    try:
        _wait_for(f"http://{host}/v2/", process, log)
        yield LocalRegistry(host, log)
    finally:
        process.terminate()
        process.wait(timeout=START_TIMEOUT_S)


def _config(folder: Path, host: str, is_guarded: bool, page: int) -> str:
    auth = ""
    if is_guarded:
        (folder / "htpasswd").write_text(f"{USER}:{PASSWORD_HASH}\n")
        auth = f"auth: {{htpasswd: {{realm: test, path: {folder}/htpasswd}}}}\n"
    return (
        "version: 0.1\n"
        f"storage: {{filesystem: {{rootdirectory: {folder}/images}}, delete: {{enabled: true}}}}\n"
        f"http: {{addr: '{host}'}}\n"
        f"catalog: {{maxentries: {page}}}\n"
        "log: {level: info}\n"
        f"{auth}"
    )


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).close()  # noqa: S310 - on loopback
        except urllib.error.HTTPError as error:
            error.close()
            return
        except OSError:
            time.sleep(0.05)
        else:
            return
    pytest.fail(f"docker-registry does not start: {log.read_text()[-500:]}")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
