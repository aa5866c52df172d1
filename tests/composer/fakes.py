"""Small components, made on the spot: a manifest, a compiled contract, a schema."""

import json
from pathlib import Path
from typing import Any

import yaml
from grpc_tools import protoc

from composer.component import Component, load_component

SCENES = """
syntax = "proto3";
package fake.scenes;
message Nothing {}
message Image { string key = 1; repeated double bbox = 2; map<string, int64> counts = 3; }
message Scene { string id = 1; repeated Image images = 2; }
service Scenes {
  rpc search(Nothing) returns (stream Scene);
}
"""
FILTERS = """
syntax = "proto3";
package fake.filters;
message Picture { string name = 1; repeated double corners = 2; map<string, int64> sizes = 3; }
message Acquisition { string name = 1; repeated Picture pictures = 2; }
service Filters {
  rpc clean(Acquisition) returns (Acquisition);
  rpc align(stream Acquisition) returns (stream Acquisition);
}
"""
CHARTS = """
syntax = "proto3";
package fake.charts;
message Empty {}
message Table { string id = 1; double mean = 2; }
message Scene { string id = 1; repeated Raster images = 2; }
message Raster { string key = 1; repeated double bbox = 2; map<string, int64> counts = 3; }
service Charts {
  rpc measure(Scene) returns (Table);
  rpc draw(stream Table) returns (Empty);
}
"""
SCENES_SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["catalogue"],
    "properties": {
        "catalogue": {"type": "string", "format": "path-or-url"},
        "collections": {"type": "array", "items": {"type": "string"}, "default": ["optical"]},
        "limit": {"type": "integer", "minimum": 1, "maximum": 100},
    },
}
FILTERS_SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "resolution": {"type": "number", "minimum": 10, "maximum": 600},
        "method": {"enum": ["nearest", "bilinear"]},
        "mask": {"anyOf": [{"type": "string", "format": "path-or-url"}, {"type": "null"}]},
        "area": {"$ref": "#/$defs/Area"},
    },
    "$defs": {
        "Area": {
            "type": "object",
            "additionalProperties": False,
            "properties": {"outline": {"type": "string", "format": "path-or-url"}},
        }
    },
}


def compile_proto(source: str, folder: Path) -> bytes:
    """Return the serialised FileDescriptorSet of one contract."""
    folder.mkdir(parents=True, exist_ok=True)
    proto, descriptors = folder / "model.proto", folder / "descriptors.binpb"
    proto.write_text(source)
    arguments = [f"-I{folder}", "--include_imports", f"--descriptor_set_out={descriptors}"]
    assert protoc.main(["protoc", *arguments, str(proto)]) == 0
    return descriptors.read_bytes()


class Shelf:
    """A folder of components."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(
        self,
        name: str,
        source: str,
        service: str,
        operations: dict[str, dict[str, Any]],
        schema: dict[str, Any] | None = None,
        **manifest: Any,
    ) -> Path:
        folder = self.folder / (name + manifest.get("version", "").replace(".", "_"))
        compile_proto(source, folder)
        values = {
            "name": name,
            "version": "1.0.0",
            "title": name.capitalize(),
            "description": "For tests.",
            "licence": "Apache-2.0",
            "command": ["python", "-m", name],
            "proto": "model.proto",
            "descriptors": "descriptors.binpb",
            "service": service,
            "operations": {
                operation: {"description": "For tests.", **fields}
                for operation, fields in operations.items()
            },
            **manifest,
        }
        (folder / "component.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
        if schema is not None:
            (folder / "params.schema.json").write_text(json.dumps(schema))
        return folder

    def load(self, *args: Any, **kwargs: Any) -> Component:
        return load_component(self.put(*args, **kwargs))


def put_usual_components(shelf: Shelf) -> None:
    shelf.put(
        "scenes",
        SCENES,
        "fake.scenes.Scenes",
        {"search": {"emits": {"parameter": "collections"}}},
        SCENES_SCHEMA,
    )
    shelf.put(
        "filters",
        FILTERS,
        "fake.filters.Filters",
        {
            "clean": {"accepts": ["optical"], "emits": ["reflectance"], "timeout_s": 60},
            "align": {"accepts": ["reflectance"], "emits": ["reflectance"]},
        },
        FILTERS_SCHEMA,
    )
    shelf.put("charts", CHARTS, "fake.charts.Charts", {"measure": {}, "draw": {}})
