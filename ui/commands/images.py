"""`eoloom images`: the container images of components, of the orchestrator and of this command."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ui.commands.command import Command
from ui.commands.options import AsJson, ComponentFolders

if TYPE_CHECKING:
    from docker import DockerClient

    from composer.component import Component
    from orchestrator.images.build import BuildOptions, BuiltImage
    from ui.image_watch import ImageWatch
    from ui.output import Output

app = typer.Typer(
    help="Build the container images of components, and move them from and to an image registry.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)

BUILD_EPILOG = """
[b]Examples[/b]

  eoloom images build

  eoloom images build s2-change --registry registry.example/project

  eoloom images build ./burnt-area --base-image python:3.11-slim-bookworm
"""
PUSH_EPILOG = """
[b]Examples[/b]

  docker login registry.example

  eoloom images push --registry registry.example/project
"""

Names = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="COMPONENT",
        help="Names of components, folders of components, `orchestrator`, `ui`; all by default.",
        show_default=False,
    ),
]
RegistryOption = Annotated[
    str,
    typer.Option(
        "--registry",
        metavar="HOST/PROJECT",
        help="The image registry with its project; else EOLOOM_IMAGE_REGISTRY.",
        show_default=False,
    ),
]


@dataclass(frozen=True)
class _Wanted:
    """One image that a command is about; `component` is None for EO Loom's own."""

    name: str
    version: str
    component: Component | None


@app.command("build", cls=Command, epilog=BUILD_EPILOG)
def build(
    names: Names = None,
    *,
    base_image: Annotated[
        str,
        typer.Option(
            "--base-image",
            metavar="IMAGE",
            envvar="EOLOOM_BASE_IMAGE",
            help="An image with Python 3.11 or later and its venv module; an official slim one of "
            "3.11 by default.",
            show_default=False,
        ),
    ] = "",
    registry: RegistryOption = "",
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Run every step anew.", show_default=False)
    ] = False,
    component_folders: ComponentFolders = None,
    as_json: AsJson = False,
) -> None:
    """Build images on the Docker engine, ready to run and to be pushed.

    pip takes the index of PIP_INDEX_URL and the certificates of PIP_CERT into the build, and
    neither into an image.
    """
    from orchestrator.images.build import BuildOptions
    from orchestrator.images.engine import image_engine
    from ui.output import Output

    wanted = _wanted(names, component_folders)
    options = BuildOptions(_registry(registry), base_image, no_cache)
    output = Output(as_json=as_json)
    built = []
    with image_engine() as client, _watch(output) as watch:
        for image in wanted:
            began = time.monotonic()
            built.append(_build(client, image, options, watch))
            _tell_built(built[-1], time.monotonic() - began, watch)
    output.document(
        {
            "images": [
                {"name": i.name, "image": i.reference, "id": i.id, "size_bytes": i.size_bytes}
                for i in built
            ]
        }
    )


@app.command("push", cls=Command, epilog=PUSH_EPILOG)
def push(
    names: Names = None,
    *,
    registry: RegistryOption = "",
    component_folders: ComponentFolders = None,
    as_json: AsJson = False,
) -> None:
    """Push images to a registry, with the credentials of `docker login`; tell their digests."""
    from orchestrator.images.transfer import local_name, push

    def transfer(client: DockerClient, image: _Wanted, reference: str, watch: ImageWatch) -> str:
        local = local_name(client, reference, image.name, image.version)
        return push(client, local, reference, watch.observe)

    images = _wanted(names, component_folders)
    _transfer("pushed", transfer, images, _registry(registry), as_json=as_json)


@app.command("pull", cls=Command)
def pull(
    names: Names = None,
    *,
    registry: RegistryOption = "",
    component_folders: ComponentFolders = None,
    as_json: AsJson = False,
) -> None:
    """Pull images from a registry to the Docker engine; tell their digests."""
    from orchestrator.images.transfer import pull

    def transfer(client: DockerClient, _: _Wanted, reference: str, watch: ImageWatch) -> str:
        return pull(client, reference, watch.observe)

    images = _wanted(names, component_folders)
    _transfer("pulled", transfer, images, _registry(registry), as_json=as_json)


@app.command("list", cls=Command)
def list_(
    *,
    registry: RegistryOption = "",
    component_folders: ComponentFolders = None,
    as_json: AsJson = False,
) -> None:
    """List the images in a registry, or, where none is named, those of the Docker engine."""
    from orchestrator.images.reference import split_host
    from ui.output import Output
    from ui.tables import new_table

    source = _registry(registry)
    is_remote = bool(registry) or bool(split_host(f"{source}/")[0])
    rows = list(_remote(source, component_folders) if is_remote else _local())
    output = Output(as_json=as_json)
    output.document({"images": rows})
    if as_json:
        return
    if not rows:
        where = f"in {source}" if is_remote else "on the engine; `eoloom images build` makes them"
        output.line(f"no images {where}", "dim")
        return
    from ui.formatting import format_bytes

    table = new_table(
        "image", "compressed" if is_remote else "size", "digest" if is_remote else "id"
    )
    table.columns[1].justify = "right"
    for row in rows:
        size = row["size_bytes"]
        # A digest of the engine stands behind its repository.
        short = str(row["digest"] or row["id"]).rpartition("@")[2][:19]
        table.add_row(str(row["image"]), format_bytes(size) if isinstance(size, int) else "", short)
    output.show(table)


def _transfer(
    done: str,
    transfer: Callable[[DockerClient, _Wanted, str, ImageWatch], str],
    images: Iterable[_Wanted],
    registry: str,
    *,
    as_json: bool,
) -> None:
    """Move images between the engine and a registry.

    transfer: moves the one of a reference and returns its name with its digest. done: that it has.
    """
    from orchestrator.images.engine import image_engine
    from orchestrator.images.reference import image_reference, registry_host
    from ui.output import Output

    registry_host(registry)
    output = Output(as_json=as_json)
    moved = []
    with image_engine() as client, _watch(output) as watch:
        for image in images:
            reference = image_reference(registry, image.name, image.version)
            digest = transfer(client, image, reference, watch)
            moved.append({"image": reference, "digest": digest})
            watch.say(f"{done} {digest}", "green")
    output.document({"images": moved})


def _wanted(names: list[str] | None, folders: list[Path] | None) -> list[_Wanted]:
    """Return the images that are named, or all. Raises ComposerError for an unknown component."""
    from importlib.metadata import version

    from composer.errors import UnknownComponentError
    from composer.manifest import MANIFEST
    from composer.registry import Registry
    from orchestrator.images.build import PLATFORM

    own = version("eoloom")
    registry = Registry.discover(folders or ())
    if not names:
        components = [c for c in registry.components if c.manifest.command]
        return [*map(_of_component, components), *(_Wanted(name, own, None) for name in PLATFORM)]
    wanted = []
    for name in names:
        if name in PLATFORM:
            wanted.append(_Wanted(name, own, None))
        elif (Path(name) / MANIFEST).is_file():
            found = Registry.discover([Path(name)], built_in=False)
            if found.broken:
                raise found.broken[0].error
            wanted.append(_of_component(found.components[0]))
        elif "/" in name:
            raise UnknownComponentError(f"there is no component in {name}: it has no {MANIFEST}")
        else:
            wanted.append(_of_component(registry.find(name)))
    return wanted


def _of_component(component: Component) -> _Wanted:
    return _Wanted(component.manifest.name, component.manifest.version, component)


def _registry(option: str) -> str:
    from ui.settings import load_settings

    return option or load_settings().image_registry


def _watch(output: Output) -> ImageWatch:
    from ui.image_watch import BarWatch, PlainWatch

    lives = output.console.is_terminal and not output.as_json
    return BarWatch(output.console) if lives else PlainWatch(output.console)


def _build(
    client: DockerClient, image: _Wanted, options: BuildOptions, watch: ImageWatch
) -> BuiltImage:
    from orchestrator.images.build import build_component, build_platform

    if image.component is None:
        return build_platform(client, image.name, options, watch.observe)
    return build_component(client, image.component, options, watch.observe)


def _tell_built(image: BuiltImage, seconds: float, watch: ImageWatch) -> None:
    from ui.formatting import format_bytes, format_seconds

    size, duration = format_bytes(image.size_bytes), format_seconds(seconds)
    watch.say(f"built {image.reference} ({size}) in {duration}", "green")


def _local() -> Iterator[dict[str, object]]:
    from orchestrator.images.engine import engine_images, image_engine

    with image_engine() as client:
        for image in engine_images(client):
            yield {
                "image": str(image.reference),
                "size_bytes": image.size_bytes,
                "id": image.id,
                "digest": image.digests[0] if image.digests else "",
            }


def _remote(registry: str, folders: Iterable[Path] | None) -> Iterator[dict[str, object]]:
    from composer.registry import Registry
    from orchestrator.images.build import PLATFORM
    from orchestrator.images.registry import list_images

    known = [c.manifest.name for c in Registry.discover(folders or ()).components]
    for image in list_images(registry, [*known, *PLATFORM]):
        yield {
            "image": str(image.reference),
            "size_bytes": image.size_bytes,
            "id": "",
            "digest": image.digest,
        }
