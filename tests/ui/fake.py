"""Components on disk for the tests of the command line: real contracts, no rasters.

`put_components` writes one folder per component; `SOURCE` is the module that each of them runs.
"""

import importlib
import inspect
import json
import os
import shutil
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field

from components.kit import Call, InputError, serve
from protos.common.v1.item_pb2 import Asset, Item

ROOT = Path(__file__).parents[2]


class Parameters(BaseModel):
    """What the fakes can be told to do; all of them take all of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    count: int = Field(default=2, ge=0, le=1000, description="Scenes to make.")
    delay_s: float = Field(default=0.0, ge=0, le=600, description="Pause before each, in seconds.")
    wait_for: str = Field(
        default="", description="File that is waited for before each, for no longer than delay_s."
    )
    fail_at: int = Field(default=0, ge=0, description="Number of the message that fails.")
    fail_while: str = Field(default="", description="File during whose presence message 1 fails.")
    die_at: int = Field(default=0, ge=0, description="Number of the message that ends it.")
    catalogue: str = Field(
        default="",
        description="Not read.",
        examples=["catalogue"],
        json_schema_extra={"format": "path-or-url"},
    )
    mode: str | None = Field(default=None, description="Not read.", max_length=20)


def _pause(params: Parameters) -> None:
    if not params.wait_for:
        time.sleep(params.delay_s)
        return
    until = time.monotonic() + (params.delay_s or 120)
    while not Path(params.wait_for).exists():
        if time.monotonic() > until:
            if params.delay_s:
                return
            raise InputError(f"nobody has made {params.wait_for}")
        time.sleep(0.05)


def _act(call: Call[Parameters], number: int) -> None:
    """Fail, die or wait where the parameters say so."""
    _pause(call.params)
    obstacle = call.params.fail_while
    if call.params.fail_at == number or (obstacle and number == 1 and Path(obstacle).exists()):
        raise InputError(f"scene {number} has no band B04")
    if call.params.die_at == number:
        sys.stderr.write("out of luck\n")
        sys.stderr.flush()
        os._exit(7)


class Scenes:
    """A source: numbered scenes, days apart."""

    def generate(self, _: Any, call: Call[Parameters]) -> Iterator[Item]:
        for number in range(1, call.params.count + 1):
            call.progress(number - 1, call.params.count, f"scene {number}")
            _act(call, number)
            item = Item(id=f"scene-{number}", collection="sentinel-2-l2a")
            item.datetime = f"2023-08-{number % 28 + 1:02}T10:00:00Z"
            item.bbox.extend([14.0, 46.0, 15.0, 47.0])
            yield item


class Clean:
    """A relay of one message at a time."""

    def prepare(self, scene: Item, call: Call[Parameters]) -> Item:
        number = int(scene.id.rpartition("-")[2])
        _act(call, number)
        if number == 1:
            call.warn("the boa offset [sic] was applied already")
        result = Item()
        result.CopyFrom(scene)
        result.collection = "eoloom-s2-reflectance"
        return result

    def align(self, scenes: Iterable[Item], call: Call[Parameters]) -> Iterator[Item]:
        yield from scenes


class Change:
    """A result for each consecutive pair."""

    def detect(self, scenes: Iterable[Item], call: Call[Parameters]) -> Iterator[Item]:
        before = None
        for number, scene in enumerate(scenes, 1):
            _act(call, number)
            if before is not None:
                yield self._change(before, scene, call)
            before = scene

    def _change(self, before: Item, after: Item, call: Call[Parameters]) -> Item:
        item = Item(id=f"{before.id}-{after.id}", collection="eoloom-s2-change")
        item.start_datetime, item.end_datetime = before.datetime, after.datetime
        item.bbox.extend(after.bbox)
        item.properties = json.dumps(
            {"eoloom:changed_area_ha": 123.4, "eoloom:changed_percentage": 2.5, "platform": "x"}
        )
        types = {"polygons.geojson": "application/geo+json", "quicklook.png": "image/png"}
        for name, media_type in types.items():
            path = call.storage.output / f"{item.id}-{name}"
            path.write_bytes(b"{}")
            asset = Asset(key=name.partition(".")[0], media_type=media_type)
            asset.href = call.storage.href(path)
            item.assets.append(asset)
        return item


CONTRACTS: dict[str, tuple[type, str, dict[str, dict[str, Any]]]] = {
    "fake-scenes": (
        Scenes,
        "sample_scenes.v1.SampleScenes",
        {"generate": {"emits": ["sentinel-2-l2a"], "idempotent": True}},
    ),
    "fake-clean": (
        Clean,
        "s2_preprocess.v1.S2Preprocess",
        {
            "prepare": {"accepts": ["sentinel-2-l2a"], "emits": ["eoloom-s2-reflectance"]},
            "align": {"accepts": ["eoloom-s2-reflectance"], "emits": ["eoloom-s2-reflectance"]},
        },
    ),
    "fake-change": (
        Change,
        "s2_change.v1.S2Change",
        {"detect": {"accepts": ["eoloom-s2-reflectance"], "emits": ["eoloom-s2-change"]}},
    ),
}

SOURCE = """
import sys
sys.path.insert(0, {root!r})
from tests.ui.fake import serve_fake
serve_fake({name!r})
"""


def serve_fake(name: str) -> None:
    """Serve one of the fakes; the entry point of their processes."""
    implementation, service, _ = CONTRACTS[name]
    package = service.split(".")[0]
    module = importlib.import_module(f"protos.{package}.v1.{package}_pb2")
    descriptor = module.DESCRIPTOR.services_by_name[service.rpartition(".")[2]]
    serve(descriptor, implementation(), Parameters)


def put_components(folder: Path) -> Path:
    """Write the fakes, each into a folder of its own below `folder`; return `folder`."""
    for name, (implementation, service, operations) in CONTRACTS.items():
        place = folder / name
        place.mkdir(parents=True)
        package = service.split(".")[0]
        for suffix in (f"{package}.proto", "descriptors.binpb"):
            shutil.copy(ROOT / "protos" / package / "v1" / suffix, place / suffix)
        described = {
            operation: {"description": "For tests.", **fields}
            for operation, fields in operations.items()
        }
        manifest = {
            "name": name,
            "version": "1.2.0",
            "title": f"{implementation.__name__} for tests",
            "description": inspect.getdoc(implementation),
            "licence": "Apache-2.0",
            "command": ["python", "-m", "fake_main"],
            "proto": f"{package}.proto",
            "descriptors": "descriptors.binpb",
            "service": f"eoloom.{service}",
            "operations": described,
        }
        (place / "component.yaml").write_text(yaml.safe_dump(manifest, sort_keys=False))
        (place / "params.schema.json").write_text(json.dumps(Parameters.model_json_schema()))
        (place / "fake_main.py").write_text(SOURCE.format(root=str(ROOT), name=name))
    return folder


DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
time.sleep(600)
"""


def deafen(folder: Path) -> None:
    """Make a component one that never serves and ignores the wish to stop it."""
    (folder / "fake_main.py").write_text(DEAF)


PIPELINE = """\
name: fake-change
title: Change in fakes
nodes:
  scenes: {component: fake-scenes, params: {count: 3, catalogue: here}}
  clean: {component: fake-clean}
  change: {component: fake-change}
links:
  - scenes.generate -> clean.prepare
  - clean.prepare -> change.detect
"""
