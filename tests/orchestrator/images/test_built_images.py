"""The images themselves: what is in them, and that they run as they must."""

from __future__ import annotations

import io
import json
import os
import signal
import tarfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from composer.flatten import flatten, licence_json
from composer.registry import Registry
from orchestrator.errors import ImageError
from orchestrator.images.build import BuildOptions, BuiltImage, build_component, build_platform
from orchestrator.images.engine import engine_images
from orchestrator.images.progress import Progress
from protos.common.v1.item_pb2 import Item
from tests.docker_engine import LocalRegistry, put_python
from tests.orchestrator.images.test_registry import ignore
from ui.scaffold import create_component

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

NAMES = ("s2-change", "s2-preprocess", "sample-scenes", "stac-source")
TIMEOUT_S = 60.0
ANY_USER = "4321:8765"

Images = dict[str, BuiltImage]
StartContainer = Callable[..., tuple[Any, str]]


@pytest.fixture
def start(docker_engine: DockerClient) -> Iterator[StartContainer]:
    """Start an image as restricted as a cluster does; return the container and its address."""
    containers: list[Container] = []

    def run(image: str, **options: Any) -> tuple[Container, str]:
        container = docker_engine.containers.run(
            image,
            detach=True,
            read_only=True,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            tmpfs={"/tmp": "mode=1777"},  # noqa: S108 - inside the container
            ports={"8061/tcp": ("127.0.0.1", None)},
            **options,
        )
        containers.append(container)
        container.reload()
        port = container.attrs["NetworkSettings"]["Ports"]["8061/tcp"][0]["HostPort"]
        return container, f"127.0.0.1:{port}"

    yield run
    for container in containers:
        container.remove(force=True, v=True)


def wait_until_serving(address: str) -> None:
    with grpc.insecure_channel(address) as channel:
        grpc.channel_ready_future(channel).result(timeout=TIMEOUT_S)
        answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def content_of(container: Container, path: str) -> str:
    stream, _ = container.get_archive(path)
    with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as tar:
        file = tar.extractfile(path.rpartition("/")[2])
        assert file is not None
        return file.read().decode()


@pytest.mark.parametrize("name", NAMES)
def test_a_component_serves_as_any_user_on_a_read_only_root(
    name: str, component_images: Images, start: StartContainer
) -> None:
    container, address = start(component_images[name].reference, user=ANY_USER)
    wait_until_serving(address)
    component = Registry.discover().find(name)
    with grpc.insecure_channel(address) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        question = reflection_pb2.ServerReflectionRequest(list_services="")
        services = {s.name for s in next(stub.ServerReflectionInfo(iter([question])))
                    .list_services_response.service}  # fmt: skip
    assert component.contract.service in services
    assert container.exec_run(["python", "-m", "components.kit.health"]).exit_code == 0


@pytest.mark.parametrize("name", NAMES)
def test_an_image_tells_its_contract_and_licence(
    name: str, component_images: Images, start: StartContainer
) -> None:
    component = Registry.discover().find(name)
    container, _ = start(component_images[name].reference)
    assert content_of(container, "/model.proto") == flatten(component).text
    assert content_of(container, "/license.json") == licence_json(component.manifest)
    assert json.loads(content_of(container, "/license.json"))["keyword"] == "Apache-2.0"


@pytest.mark.parametrize("name", NAMES)
def test_an_image_is_labelled_and_unprivileged(
    name: str, component_images: Images, docker_engine: DockerClient
) -> None:
    image = docker_engine.images.get(component_images[name].id)
    config = image.attrs["Config"]
    manifest = Registry.discover().find(name).manifest
    assert image.labels["org.opencontainers.image.title"] == manifest.title
    assert image.labels["org.opencontainers.image.version"] == manifest.version
    assert image.labels["org.opencontainers.image.licenses"] == manifest.licence
    assert image.labels["org.eoloom.component"] == name
    assert config["User"] == "10001:10001"
    assert set(config["ExposedPorts"]) == {"8061/tcp"}
    assert "SHARED_FOLDER_PATH=/shared" in config["Env"]
    assert config["Healthcheck"]["Test"] == ["CMD", "python", "-m", "components.kit.health"]
    assert name in {i.component for i in engine_images(docker_engine)}


def test_nothing_of_the_build_stays_in_an_image(
    component_images: Images, docker_engine: DockerClient
) -> None:
    reference = component_images["s2-change"].reference
    script = (
        "test ! -e /build && test ! -e /opt/pip && test ! -e /wheels && "
        "! python -c 'import pip' 2>/dev/null && ls /app/components && "
        "find / -xdev -name certificates.pem && find /opt -type d -name tests"
    )
    said = docker_engine.containers.run(
        reference, ["-c", script], entrypoint="sh", remove=True, user="0"
    ).decode()
    assert set(said.split()) - {"__pycache__"} == {"__init__.py", "kit", "s2_change"}


def test_an_operation_works_and_its_files_are_the_users(
    component_images: Images, start: StartContainer, docker_engine: DockerClient
) -> None:
    container, address = start(component_images["sample-scenes"].reference, volumes=["/shared"])
    wait_until_serving(address)
    params = {"dates": ["2024-06-01"], "size": 128}
    with grpc.insecure_channel(address) as channel:
        generate = channel.unary_stream(
            "/SampleScenes/generate", lambda message: b"", Item.FromString
        )
        metadata = (("eoloom-params", json.dumps(params)), ("eoloom-node", "scenes"))
        [item] = list(generate(None, metadata=metadata, timeout=TIMEOUT_S))
    assert item.collection == "sentinel-2-l2a"
    owners = container.exec_run(["sh", "-c", "find /shared -type f -printf '%U\\n' | sort -u"])
    assert owners.output.decode().split() == ["10001"]


def test_a_component_ends_in_order_when_it_is_told_to(
    component_images: Images, start: StartContainer
) -> None:
    container, address = start(component_images["stac-source"].reference)
    wait_until_serving(address)
    began = time.monotonic()
    container.stop(timeout=20)
    assert time.monotonic() - began < 15
    assert container.wait()["StatusCode"] == 0


def test_the_probe_fails_where_nobody_serves(
    component_images: Images, docker_engine: DockerClient
) -> None:
    from docker.errors import ContainerError

    with pytest.raises(ContainerError) as failed:
        docker_engine.containers.run(
            component_images["stac-source"].reference,
            ["-m", "components.kit.health"],
            entrypoint="python",
            remove=True,
        )
    assert failed.value.exit_status == 1
    assert b"UNAVAILABLE" in failed.value.stderr


def test_a_second_build_changes_nothing(
    component_images: Images, docker_engine: DockerClient, base_image: str
) -> None:
    reports: list[Progress] = []
    again = build_component(
        docker_engine,
        Registry.discover().find("stac-source"),
        BuildOptions("eoloom", base_image),
        reports.append,
    )
    assert again == component_images["stac-source"]
    assert reports[-1].done == reports[-1].total > 0


def test_a_component_of_ones_own_is_built_and_answers(
    tmp_path: Path, docker_engine: DockerClient, base_image: str, start: StartContainer
) -> None:
    create_component("burnt-area", tmp_path)
    found = Registry.discover([tmp_path / "burnt-area"]).find("burnt-area")
    built = build_component(docker_engine, found, BuildOptions("eoloom-tests", base_image), ignore)
    container, address = start(built.reference, user=ANY_USER)
    wait_until_serving(address)
    assert content_of(container, "/model.proto") == flatten(found).text


def test_a_failed_step_is_told_with_what_pip_said(
    tmp_path: Path, docker_engine: DockerClient, base_image: str
) -> None:
    create_component("burnt-area", tmp_path)
    (tmp_path / "burnt-area/requirements.txt").write_text("numpy==0.0.1\n")
    found = Registry.discover([tmp_path / "burnt-area"]).find("burnt-area")
    with pytest.raises(ImageError) as failed:
        build_component(docker_engine, found, BuildOptions("eoloom-tests", base_image), ignore)
    assert str(failed.value).startswith("cannot build eoloom-tests/burnt-area:0.1.0 at RUN ")
    assert "numpy" in str(failed.value)


@pytest.fixture
def unused_base_image(docker_engine: DockerClient, base_image: str) -> Iterator[str]:
    """A base image that nothing has been built on.

    A build without the cache would do, but the engine prefers its newest steps from then on: where
    it is interrupted, all that was built before is built anew.
    """
    name = f"eoloom-tests/unused-base:{uuid.uuid4().hex}"
    dockerfile = io.BytesIO(f"FROM {base_image}\nLABEL unused={name}\n".encode())
    docker_engine.images.build(fileobj=dockerfile, tag=name, rm=True)
    yield name
    docker_engine.images.remove(name, force=True)


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Take an interrupt as one: a shell lets what it starts in the background ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_an_interrupted_build_leaves_no_container(
    docker_engine: DockerClient, unused_base_image: str, interruptible: None
) -> None:
    interrupt = threading.Timer(1.5, os.kill, [os.getpid(), signal.SIGINT])

    def interrupt_soon(progress: Progress) -> None:
        if progress.message.startswith("RUN python3 -m venv"):
            interrupt.start()

    def there() -> set[str]:
        return {c.id for c in docker_engine.containers.list(all=True, ignore_removed=True)
                if "venv --without-pip" in str(c.attrs["Config"]["Cmd"])}  # fmt: skip

    before = there()
    component = Registry.discover().find("stac-source")
    options = BuildOptions("eoloom-tests", unused_base_image)
    with pytest.raises(KeyboardInterrupt):
        build_component(docker_engine, component, options, interrupt_soon)
    assert there() <= before


NO_PYTHON = """\
#!/bin/sh
echo "sh: 1: python3: not found"; exit 127
"""
OLD_PYTHON = """\
#!/bin/sh
exec /usr/bin/env PATH=/usr/bin python3 -c \\
    'import sys; sys.version_info = (3, 10, 1); exec(sys.argv[2])' "$@"
"""


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (OLD_PYTHON, "the base image has Python 3.10; EO Loom needs 3.11 or later"),
        (NO_PYTHON, "the base image lacks Python 3.11 or later, or its venv module"),
    ],
    ids=["old", "none"],
)
def test_a_base_image_with_an_unfit_python_is_told_at_once(
    script: str, reason: str, tmp_path: Path, docker_engine: DockerClient, base_image: str
) -> None:
    unfit = "eoloom-tests/unfit-base:1.0"
    put_python(docker_engine, base_image, script, tmp_path, unfit)
    component = Registry.discover().find("stac-source")
    steps: list[Progress] = []
    with pytest.raises(ImageError) as failed:
        build_component(docker_engine, component, BuildOptions("eoloom-tests", unfit), steps.append)
    assert str(failed.value).splitlines()[-1].strip().startswith(reason)
    assert len(str(failed.value)) < 400
    assert "RUN python3 -c" in steps[-1].message


def test_a_missing_base_image_is_told(docker_engine: DockerClient) -> None:
    component = Registry.discover().find("stac-source")
    options = BuildOptions("eoloom-tests", "127.0.0.1:1/absent:1")
    with pytest.raises(ImageError, match="the base image cannot be pulled; name another by"):
        build_component(docker_engine, component, options, ignore)


@pytest.mark.parametrize("name", ["orchestrator", "ui"])
def test_the_command_line_runs_in_its_images(
    name: str, docker_engine: DockerClient, base_image: str
) -> None:
    built = build_platform(docker_engine, name, BuildOptions("eoloom", base_image), ignore)
    said = docker_engine.containers.run(
        built.reference,
        ["components", "--json"],
        remove=True,
        read_only=True,
        user=ANY_USER,
        tmpfs={"/tmp": "mode=1777"},  # noqa: S108 - inside the container
    )
    assert set(NAMES) <= {c["name"] for c in json.loads(said)["components"]}


def test_the_page_answers_in_its_image(docker_engine: DockerClient, base_image: str) -> None:
    built = build_platform(docker_engine, "ui", BuildOptions("eoloom", base_image), ignore)
    ask = (
        "import urllib.request as r; "
        "print(r.urlopen('http://127.0.0.1:8501/_stcore/health', timeout=5).read().decode(), "
        "len(r.urlopen('http://127.0.0.1:8501/bundle/composer.js', timeout=5).read()) > 100000)"
    )
    container = docker_engine.containers.run(
        built.reference,
        detach=True,
        read_only=True,
        user=ANY_USER,
        tmpfs={"/tmp": "mode=1777", "/runs": "mode=1777"},  # noqa: S108 - inside the container
    )
    try:
        deadline = time.monotonic() + 60
        while (said := container.exec_run(["python", "-c", ask])).exit_code:
            assert time.monotonic() < deadline, (said.output, container.logs())
            time.sleep(1)
        assert said.output.decode().strip() == "ok True"
    finally:
        container.remove(force=True)


def test_an_image_goes_to_a_registry_and_comes_back(
    component_images: Images, docker_engine: DockerClient, image_registry: LocalRegistry,
    start: StartContainer,
) -> None:  # fmt: skip
    from orchestrator.images.registry import resolve
    from orchestrator.images.transfer import pull, push

    name = f"{image_registry.host}/eoloom/stac-source:0.1.0"
    pinned = push(docker_engine, component_images["stac-source"].reference, name, ignore)
    docker_engine.images.remove(name)
    assert resolve(name) == pinned
    assert pull(docker_engine, pinned, ignore) == pinned
    _, address = start(pinned)
    wait_until_serving(address)
