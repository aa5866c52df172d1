"""Building the images of components, of the orchestrator and of the command line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from orchestrator.errors import ImageError
from orchestrator.images.context import archive
from orchestrator.images.dockerfile import prune
from orchestrator.images.ending import ended_with_us
from orchestrator.images.labels import image_labels
from orchestrator.images.pip_settings import CERTIFICATES, certificates, index_arguments
from orchestrator.images.progress import Observer, Progress
from orchestrator.images.reference import image_reference
from orchestrator.images.sources import (
    DOCKERFILE,
    Files,
    common_files,
    component_sources,
    dockerfile_text,
    platform_files,
)

if TYPE_CHECKING:
    from docker import DockerClient

    from composer.component import Component

PLATFORM: Final[Mapping[str, str]] = {
    "orchestrator": "EO Loom's orchestrator service",
    "ui": "EO Loom's command line",
}
"""The images that are no component, with their titles."""

_STEP: Final = re.compile(r"Step (\d+)/(\d+) : (.*)")
_ANSI: Final = re.compile(r"\x1b\[[0-9;]*m")
_NOISE: Final = (" --->", "Removing intermediate container")
_ENDED: Final = re.compile(r"The command '.*' (returned a non-zero code: \d+)", re.DOTALL)
"""Which command that was is said by its step already."""
_MAX_STEP_TEXT: Final = 100
_KEPT_LINES: Final = 15
"""Last lines of a failed build that its error repeats."""


@dataclass(frozen=True)
class BuildOptions:
    """registry: with project. base_image: else the Dockerfile's. no_cache: run every step."""

    registry: str
    base_image: str = ""
    no_cache: bool = False


@dataclass(frozen=True)
class BuiltImage:
    """An image on the engine.

    size_bytes: unpacked, with the layers that it shares with others.
    """

    name: str
    reference: str
    id: str
    size_bytes: int


def build_component(
    client: DockerClient, component: Component, options: BuildOptions, observe: Observer
) -> BuiltImage:
    """Build the image of a component. Raises ImageError where that fails, with what pip said."""
    sources = component_sources(component)
    manifest = component.manifest
    labels = image_labels(
        manifest.name,
        manifest.version,
        title=manifest.title,
        description=manifest.description,
        licence=manifest.licence,
        folder=component.folder,
    )
    build = _Build("component", manifest.name, manifest.version, sources.arguments, labels)
    return build.run(client, common_files() | sources.files, options, observe)


def build_platform(
    client: DockerClient, name: str, options: BuildOptions, observe: Observer
) -> BuiltImage:
    """Build the image of the orchestrator or of the ui. Raises ImageError where that fails."""
    release = installed_version("eoloom")
    title = PLATFORM[name]
    labels = image_labels(
        name,
        release,
        title=title,
        description=title,
        licence="Apache-2.0",
        folder=Path(__file__).parents[2],
    )
    return _Build(name, name, release, {}, labels).run(client, platform_files(), options, observe)


@dataclass(frozen=True)
class _Build:
    """One build: its target in the Dockerfile, and what differs between images."""

    target: str
    name: str
    version: str
    arguments: Mapping[str, str]
    labels: Mapping[str, str]

    def run(
        self, client: DockerClient, files: Files, options: BuildOptions, observe: Observer
    ) -> BuiltImage:
        reference = image_reference(options.registry, self.name, self.version)
        arguments = {**self.arguments, **index_arguments()}
        if options.base_image:
            arguments["BASE_IMAGE"] = options.base_image
        bundle = certificates()
        content: Files = dict(files)
        if bundle is not None:
            content[CERTIFICATES] = bundle
        content[DOCKERFILE] = prune(dockerfile_text(), self.target, arguments).encode()
        with archive(content) as context, ended_with_us(client) as containers:
            lines = client.api.build(
                fileobj=context,
                custom_context=True,
                dockerfile=DOCKERFILE,
                target=self.target,
                tag=reference,
                buildargs=_taken(content[DOCKERFILE], arguments),
                labels=dict(self.labels),
                nocache=options.no_cache,
                rm=True,
                forcerm=True,
                decode=True,
            )
            _follow(containers.noted(lines), reference, observe)
        image = client.images.get(reference)
        return BuiltImage(self.name, reference, str(image.id), int(image.attrs.get("Size") or 0))


def _taken(dockerfile: Path | bytes, arguments: Mapping[str, str]) -> dict[str, str]:
    """Return the arguments that the Dockerfile declares; an engine warns of others."""
    text = dockerfile.decode() if isinstance(dockerfile, bytes) else ""
    declared = set(re.findall(r"^ARG (\w+)", text, re.MULTILINE))
    return {name: value for name, value in arguments.items() if name in declared}


def _follow(lines: Iterable[Mapping[str, Any]], reference: str, observe: Observer) -> None:
    """Report the steps of a build. Raises ImageError with the last lines where one fails."""
    said: list[str] = []
    done = total = 0
    step = failure = ""
    for line in lines:
        if "error" in line:
            failure = _failure(reference, step, str(line["error"]), said)
            continue  # to the end of the answer, which frees its connection
        text = _ANSI.sub("", str(line.get("stream") or line.get("status") or "")).rstrip()
        found = _STEP.match(text)
        if found:
            done, total, step = int(found[1]), int(found[2]), found[3]
            said.clear()
            observe(Progress(reference, done - 1, total, message=step[:_MAX_STEP_TEXT]))
        elif text and "progressDetail" not in line and not text.startswith(_NOISE):
            said = [*said[1 - _KEPT_LINES :], text]
    if failure:
        raise ImageError(failure)
    observe(Progress(reference, total, total, message="built"))


def _failure(reference: str, step: str, error: str, said: list[str]) -> str:
    """Return what went wrong in a user's words, with the engine's as evidence."""
    everything = "\n".join([*said, error])
    error = _ENDED.sub(r"it \1", error.strip())
    hint = next((hint for sign, hint in _HINTS if sign in everything), "")
    output = "".join(f"\n  {line}" for line in "\n".join(said).splitlines()[-_KEPT_LINES:])
    at = f" at {step[:_MAX_STEP_TEXT]}" if step else ""
    return f"cannot build {reference}{at}: {error}{output}" + (f"\n{hint}" if hint else "")


_NO_PYTHON: Final = (
    "the base image lacks Python 3.11 or later, or its venv module; name another by --base-image"
)

_HINTS: Final = (
    ("No space left on device", "the engine's disk is full; `docker system prune` frees some"),
    ("no space left on device", "the engine's disk is full; `docker system prune` frees some"),
    (
        "CERTIFICATE_VERIFY_FAILED",
        "a proxy on the way has its own authority; name its bundle by PIP_CERT",
    ),
    (
        "Could not find a version",
        "the package index was not reached, or has no such release: see constraints.txt",
    ),
    ("python3: not found", _NO_PYTHON),
    ("ensurepip is not available", _NO_PYTHON),
    ("pull access denied", "the base image cannot be pulled; name another by --base-image"),
    ("manifest unknown", "the base image cannot be pulled; name another by --base-image"),
    ("Client.Timeout", "the base image cannot be pulled; name another by --base-image"),
    ("dial tcp", "the base image cannot be pulled; name another by --base-image"),
)
