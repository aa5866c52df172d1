"""New component projects: `create_component` and what it needs.

`template/` holds the files of a project as they will stand in it, with `PACKAGE` in a path and
`$name` in a text for what differs. Here belongs the making of projects; loading or running a
component does not.
"""

from ui.scaffold.errors import ScaffoldError
from ui.scaffold.project import create_component

__all__ = ["ScaffoldError", "create_component"]
