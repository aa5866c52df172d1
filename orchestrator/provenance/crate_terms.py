"""Small pieces of JSON-LD that all parts of a crate use."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from rocrate.model.contextentity import ContextEntity

from orchestrator.engine.run import State
from orchestrator.provenance.licence import is_licence_url, spdx_page

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from rocrate.rocrate import ROCrate


def reference(identifier: str) -> dict[str, str]:
    """Return the JSON-LD reference to an entity."""
    return {"@id": identifier}


def references(identifiers: Iterable[str]) -> Any:
    """Return references to entities, each once; a single one is no list, as RO-Crate asks."""
    found = [reference(identifier) for identifier in dict.fromkeys(identifiers)]
    return found[0] if len(found) == 1 else found


def time_text(time: datetime) -> str:
    """Return a time in ISO 8601, to the millisecond."""
    return time.isoformat(timespec="milliseconds")


def media_type(text: str) -> str:
    """Return a media type with its parameters as RO-Crate's consumers expect them."""
    return text.replace("; ", ";")


def licence_of(crate: ROCrate, licence: str) -> str:
    """Add a licence by its SPDX identifier, URL or name, or that none was stated; return its id."""
    name = licence or "No licence was stated for the contents of this crate"
    short = re.sub(r"[^A-Za-z0-9]+", "-", licence).strip("-") or "none"
    identifier = licence if is_licence_url(licence) else spdx_page(licence)
    identifier = identifier or f"#licence-{short}"
    if crate.get(identifier) is None:
        properties = {"@type": "CreativeWork", "name": name}
        crate.add(ContextEntity(crate, identifier, properties=properties))
    return identifier


def status_of(state: str, error: str) -> dict[str, Any]:
    """Return how an action ended: completed, or failed and why."""
    if state == State.SUCCEEDED:
        return {"actionStatus": "http://schema.org/CompletedActionStatus"}
    return {
        "actionStatus": "http://schema.org/FailedActionStatus",
        "error": error or "its process ended without a word",
    }


def value_type(value: object) -> str:
    """Return the schema.org type of a parameter's value."""
    if isinstance(value, bool):
        return "Boolean"
    if isinstance(value, int):
        return "Integer"
    if isinstance(value, float):
        return "Float"
    return "Text" if isinstance(value, str) else "PropertyValue"


def value_text(value: object) -> str:
    """Return a parameter's value as text: itself, or its JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
