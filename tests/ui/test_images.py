"""`eoloom images`, as a user calls it."""

from __future__ import annotations

import gc
import io
import json
import sys
import time
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from orchestrator.images.progress import Layers, Progress
from tests.docker_engine import LocalRegistry, put_python
from tests.ui.conftest import Invoke
from ui.image_watch import PlainWatch

if TYPE_CHECKING:
    from pathlib import Path

    from docker import DockerClient


# docker-py leaves its socket to the garbage collector where nothing answers.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_an_engine_that_is_not_there_is_said(
    eoloom: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    result = eoloom("images", "build", "s2-change")
    assert result.exit_code == 3
    assert "cannot use the Docker engine at unix:///nowhere/docker.sock" in result.stderr
    assert "is the engine running?" in result.stderr
    assert "Traceback" not in result.output
    del result
    gc.collect()


def test_what_is_missing_is_installed_where_eoloom_runs(
    eoloom: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "docker", None)
    result = eoloom("images", "list")
    assert result.exit_code == 3
    assert f"{sys.executable} -m pip install 'eoloom[docker]'" in result.stderr


def test_a_component_that_does_not_exist_is_said_with_the_nearest(eoloom: Invoke) -> None:
    result = eoloom("images", "build", "s2-chang")
    assert result.exit_code == 2
    assert "there is no component 's2-chang'; did you mean 's2-change'?" in result.stderr


def test_a_folder_without_a_component_is_said(eoloom: Invoke) -> None:
    result = eoloom("images", "build", "./nothing")
    assert result.exit_code == 2
    assert "there is no component in ./nothing: it has no component.yaml" in result.stderr


@pytest.mark.parametrize("command", ["push", "pull"])
def test_nothing_goes_to_or_comes_from_docker_hub_by_mistake(eoloom: Invoke, command: str) -> None:
    result = eoloom("images", command, "s2-change")
    assert result.exit_code == 3
    assert "has no host; name one with --registry or EOLOOM_IMAGE_REGISTRY" in result.stderr


def test_a_registry_that_is_not_there_is_said(eoloom: Invoke) -> None:
    result = eoloom("images", "list", "--registry", "127.0.0.1:1/p")
    assert result.exit_code == 3
    assert "cannot reach the image registry 127.0.0.1:1" in result.stderr


def test_an_image_goes_to_a_registry_is_listed_and_comes_back(
    eoloom: Invoke, docker_engine: DockerClient, image_registry: LocalRegistry
) -> None:
    docker_engine.images.build(
        fileobj=io.BytesIO(b"FROM scratch\nLABEL org.eoloom.component=s2-change\n"),
        tag=f"{image_registry.host}/shop/s2-change:0.1.0",
        rm=True,
    )
    registry = f"{image_registry.host}/shop"
    pushed = eoloom("images", "push", "s2-change", "--registry", registry)
    assert pushed.exit_code == 0, pushed.stderr
    assert f"pushed {registry}/s2-change@sha256:" in pushed.stdout

    listed = json.loads(eoloom("images", "list", "--registry", registry, "--json").stdout)
    [image] = listed["images"]
    assert image["image"] == f"{registry}/s2-change:0.1.0"
    assert image["digest"] in pushed.stdout

    pulled = json.loads(
        eoloom("images", "pull", "s2-change", "--registry", registry, "--json").stdout
    )
    assert pulled["images"][0]["digest"] == f"{registry}/s2-change@{image['digest']}"
    assert "s2-change:0.1.0" in eoloom("images", "list").stdout


WITHOUT_VENV = """\
#!/bin/sh
case "$*" in *venv*) exit 9;; esac
exec /usr/bin/env PATH=/usr/bin python3 "$@"
"""


def test_without_the_cache_every_step_is_run(
    eoloom: Invoke, tmp_path: Path, docker_engine: DockerClient, base_image: str
) -> None:
    """Told by the containers that the engine makes for steps; one of the first steps fails."""
    base = "eoloom-tests/without-venv:1.0"
    put_python(docker_engine, base_image, WITHOUT_VENV, tmp_path, base)

    def steps_run(*options: str) -> int:
        began = f"{time.time():.6f}"
        result = eoloom("images", "build", "stac-source", "--base-image", base, *options)
        assert "RUN python3 -m venv" in result.stderr
        made = docker_engine.events(
            since=began,
            until=f"{time.time():.6f}",
            filters={"type": "container", "event": "create"},
            decode=True,
        )
        return len(list(made))

    steps_run()
    assert steps_run() == 1
    assert steps_run("--no-cache") > 1


def test_layers_that_move_at_once_are_added_up() -> None:
    seen: list[Progress] = []
    layers = Layers("x", seen.append)
    for layer, status, size in (
        ("a", "Pushing", {"current": 30, "total": 100}),
        ("b", "Waiting", {}),
        ("b", "Pushing", {"current": 10, "total": 50}),
        ("a", "Pushed", {}),
    ):
        layers.take({"id": layer, "status": status, "progressDetail": size})
    assert [(p.done, p.total) for p in seen] == [(30, 100), (40, 150), (110, 150)]


def test_plain_lines_are_few() -> None:
    times = iter([0.0, 1.0, 6.0])
    text = io.StringIO()
    watch = PlainWatch(Console(file=text, width=80), clock=lambda: next(times))
    for step in (1, 2, 3):
        watch.observe(Progress("x:1", step, 9, message="RUN [bold]pip[/bold]"))
    assert text.getvalue().splitlines() == [
        "x:1 step 1 of 9 RUN [bold]pip[/bold]",
        "x:1 step 3 of 9 RUN [bold]pip[/bold]",
    ]
