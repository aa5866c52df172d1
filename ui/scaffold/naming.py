"""The name of a component in the forms that its project needs, and which names are refused."""

from __future__ import annotations

import importlib.util
import keyword
import re
import sys
from dataclasses import dataclass
from typing import Final

from composer.registry import Registry
from ui.scaffold.errors import ScaffoldError

MAX_LENGTH: Final = 40
"""So that names of nodes, pipelines and images made from it stay below the 63 of a DNS label."""

MAX_TITLE_LENGTH: Final = 200
"""As in the manifest."""

# Folders and modules of the project itself, which a package of that name would hide or join.
_PLACES: Final = frozenset(
    {"build", "conftest", "dist", "regenerate", "runs", "shared", "tests", "venv"}
)

# Classes that the templates import; the service's class must not be named like one of them.
_CLASSES: Final = frozenset({"Any", "Asset", "Band", "Call", "InputError", "Item", "Parameters"})


@dataclass(frozen=True)
class ComponentName:
    """The name of a component, such as `water-index`."""

    name: str

    @property
    def package(self) -> str:
        """The Python package and the proto package: `water_index`."""
        return self.name.replace("-", "_")

    @property
    def service(self) -> str:
        """The gRPC service and the class that implements it: `WaterIndex`."""
        return "".join(word.capitalize() for word in self.name.split("-"))

    @property
    def title(self) -> str:
        """A title for people: `Water index`."""
        return self.name.replace("-", " ").capitalize()


def parse_component_name(text: str) -> ComponentName:
    """Return the name if a new component can have it. Raises ScaffoldError that says why not."""
    component = ComponentName(text)
    fault = _wrong_form(text) or _taken(component)
    if fault:
        raise ScaffoldError(f"a component cannot be called {text!r}: {fault}")
    return component


def parse_title(text: str) -> str:
    """Return the title if it can stand in a manifest. Raises ScaffoldError."""
    if not 1 <= len(text) <= MAX_TITLE_LENGTH or not text.isprintable():
        raise ScaffoldError(
            f"the title {text!r:.80} must be one line of at most {MAX_TITLE_LENGTH} characters"
        )
    return text


def _wrong_form(name: str) -> str | None:
    rule = "use lower-case letters, digits and inner hyphens, as in 'water-index'"
    if not name:
        return f"the name is empty; {rule}"
    if not re.match(r"[a-z]", name):
        return f"it begins with {name[0]!r}, not with a lower-case letter; {rule}"
    if wrong := re.search(r"[^a-z0-9-]", name):
        return f"it has {wrong.group()!r} in it; {rule}"
    if name.endswith("-"):
        return f"it ends with a hyphen; {rule}"
    if len(name) > MAX_LENGTH:
        return f"it has {len(name)} characters; at most {MAX_LENGTH} are allowed"
    return None


def _taken(component: ComponentName) -> str | None:
    package = component.package
    if keyword.iskeyword(package):
        return f"{package!r} is a keyword of Python, in which the component is written"
    if package in _PLACES or component.service in _CLASSES:
        return f"the files of the project use {component.name!r} for something else"
    registry = Registry.discover()
    built_in = [found.manifest.name for found in registry.components]
    built_in += [broken.folder.name.replace("_", "-") for broken in registry.broken]
    if component.name in built_in:
        return "a built-in component has this name"
    if package in sys.stdlib_module_names or importlib.util.find_spec(package) is not None:
        return f"there is a Python module {package!r} already, which the component would hide"
    return None
