"""The greeter as components that are only images, for the command line."""

from __future__ import annotations

from pathlib import Path

import yaml

from composer.protoc import compile_proto
from tests.orchestrator.docker.images import FAKES

_DESCRIBE = "  rpc describe (Scene) returns (Greeting);\n"
_GREET = "  rpc greet (Nothing) returns (Greeting);\n"


def put_component(folder: Path, name: str, image: str, operation: str) -> None:
    """Write the component `name` into `folder`; its contract has the one operation."""
    proto = (FAKES / "ai4eu_container" / "model.proto").read_text()
    proto = proto.replace(_DESCRIBE if operation == "greet" else _GREET, "")
    place = folder / name
    place.mkdir(parents=True)
    manifest = {
        "name": name,
        "version": "1.0.0",
        "title": "A greeter",
        "description": "Greets.",
        "licence": "Apache-2.0",
        "image": image,
        "proto": "model.proto",
        "descriptors": "descriptors.binpb",
        "service": "Greeter",
        "operations": {operation: {"description": "Greets."}},
    }
    (place / "component.yaml").write_text(yaml.safe_dump(manifest))
    (place / "model.proto").write_text(proto)
    (place / "descriptors.binpb").write_bytes(compile_proto(proto))
