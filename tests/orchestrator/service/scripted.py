"""The scripted component as one that a pipeline file can name, and pipelines of it."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from composer.registry import Registry
from tests.orchestrator.conftest import FORMS, SCRIPTED
from tests.orchestrator.service.contracts import compile_set

CHAIN = """
name: chain
nodes:
  source: {component: scripted, params: {count: 5}}
  work: {component: scripted}
  all: {component: scripted}
links:
  - source.produce -> work.relay
  - work.relay -> all.gather
"""
HANGING = CHAIN.replace(
    "work: {component: scripted}", "work: {component: scripted, params: {hang_at: 4}}"
)
DEAF = CHAIN.replace("work: {component: scripted}", "work: {component: deaf}")
RESULT = b"m1,m2,m3,m4,m5"


def proto() -> str:
    """The contract: a rpc for each operation that the scripted component has."""
    lines = []
    for name, form in FORMS.items():
        taken = "Nothing" if form.get("source") else "Text"
        given = "Nothing" if form.get("sink") else "Text"
        sides = (
            f"{'stream ' if form.get(side) else ''}{message}"
            for side, message in (("client_streaming", taken), ("server_streaming", given))
        )
        lines.append(f"rpc {name}({') returns ('.join(sides)});")
    messages = "message Nothing {} message Text { string text = 1; }"
    body = "".join(lines)
    return f'syntax = "proto3"; package tests; {messages} service Scripted {{ {body} }}'


def make_registry(folder: Path) -> Registry:
    """The registry of `scripted`, and of `deaf`, which neither serves nor stops when it is told."""
    text = proto()
    for name, behaviour in {"scripted": "", "deaf": "deaf"}.items():
        room = folder / name
        room.mkdir(parents=True)
        (room / "model.proto").write_text(text)
        (room / "descriptors.binpb").write_bytes(compile_set(text))
        (room / "params.schema.json").write_text(json.dumps({"type": "object"}))
        manifest = {
            "name": name,
            "version": "1.0.0",
            "title": name,
            "description": "For tests.",
            "licence": "Apache-2.0",
            "command": ["python", str(SCRIPTED), *filter(None, [behaviour])],
            "proto": "model.proto",
            "descriptors": "descriptors.binpb",
            "service": "tests.Scripted",
            "operations": {operation: {"description": "For tests."} for operation in FORMS},
        }
        (room / "component.yaml").write_text(yaml.safe_dump(manifest))
    return Registry.discover([folder], built_in=False)
