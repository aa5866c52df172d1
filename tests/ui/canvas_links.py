"""Which links the composer makes among a few components, for the canvas to be measured by.

`python -m tests.ui.canvas_links` writes them where the tests of the canvas read them.
"""

from __future__ import annotations

import json
import tempfile
from itertools import product
from pathlib import Path
from typing import Any

from composer.registry import Registry
from tests.composer.fakes import Shelf, put_usual_components
from tests.data import ROOT
from ui.palette import palette
from ui.problems import check

FIXTURE = ROOT / "ui" / "canvas" / "src" / "composer" / "composer-links.json"


def composer_links(folder: Path) -> dict[str, Any]:
    """Return a palette, a pipeline without links, and for each link whether it may be made."""
    put_usual_components(Shelf(folder))
    registry = Registry.discover([folder], built_in=False)
    described = palette(registry)
    document: dict[str, Any] = {
        "name": "links",
        "nodes": {c["name"]: {"component": c["name"]} for c in described},
        "links": [],
        "positions": {},
    }
    document["nodes"]["radar"] = {"component": "scenes", "params": {"collections": ["radar"]}}
    outputs, inputs = (list(_ends(document, described, side)) for side in ("output", "input"))
    verdicts = {
        f"{source} -> {target}": _is_allowed(document, f"{source} -> {target}", registry, folder)
        for source, target in product(outputs, inputs)
    }
    return {"palette": described, "document": document, "links": verdicts}


def _ends(document: dict[str, Any], described: list[dict[str, Any]], side: str) -> list[str]:
    by_name = {component["name"]: component for component in described}
    ends: list[str] = []
    for name, node in document["nodes"].items():
        for operation in by_name[node["component"]]["operations"]:
            port = operation[side]
            if port is not None:
                whole = f"{name}.{operation['name']}"
                ends += [whole, *(f"{whole}.{field['name']}" for field in port["fields"])]
    return ends


def _is_allowed(document: dict[str, Any], link: str, registry: Registry, folder: Path) -> bool:
    checked = check(document | {"links": [link]}, registry, folder)
    return all(problem["link"] != link for problem in checked.problems)


def as_text(links: dict[str, Any]) -> str:
    """Return them as the file has them."""
    return json.dumps(links, indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        FIXTURE.write_text(as_text(composer_links(Path(place))))
