"""Write the JSON schema of each component's parameters beside its `params.py`.

The composer and the forms of the user interface read `params.schema.json`, so that they need not
import the component. The files are checked in; a contract test runs this script with `--check`.

    python scripts/gen_schemas.py [--check] [COMPONENT ...]
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COMPONENTS = ROOT / "components"


def schema_text(folder: Path) -> str:
    """Return the schema of the model `Parameters` in `params.py` of a component."""
    module = importlib.import_module(f"{COMPONENTS.name}.{folder.name}.params")
    schema = module.Parameters.model_json_schema()
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Write all schemas, or with `--check` say which ones are not current."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if stale")
    parser.add_argument("components", nargs="*", metavar="COMPONENT", help="default: all")
    options = parser.parse_args(arguments)
    sys.path.insert(0, str(ROOT))
    names = {name.replace("-", "_") for name in options.components}
    folders = sorted(path.parent for path in COMPONENTS.glob("*/params.py"))
    if unknown := names - {folder.name for folder in folders}:
        parser.error(f"no params.py in {', '.join(sorted(unknown))} below {COMPONENTS}")
    stale = 0
    for folder in folders:
        if names and folder.name not in names:
            continue
        target = folder / "params.schema.json"
        current = target.read_text(encoding="utf-8") if target.exists() else None
        new = schema_text(folder)
        if new == current:
            continue
        stale += 1
        if not options.check:
            target.write_text(new, encoding="utf-8")
        print(f"{'stale' if options.check else 'written'}: {target.relative_to(ROOT)}")
    return 1 if options.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
