"""The only code that components share: serving, parameters, items, rasters, storage.

Here belongs what every component needs and no component is about. An algorithm does not belong
here, and nothing that knows a particular component, the composer or the orchestrator.
"""

from components.kit.call import Call
from components.kit.errors import (
    ComponentError,
    InputError,
    MissingDataError,
    StorageError,
    TemporaryError,
)
from components.kit.server import serve

__all__ = [
    "Call",
    "ComponentError",
    "InputError",
    "MissingDataError",
    "StorageError",
    "TemporaryError",
    "serve",
]
