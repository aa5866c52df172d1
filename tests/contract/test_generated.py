"""What is generated and checked in is what the generators make now."""

import os
import subprocess
import sys
from pathlib import Path


def generated_files(folder: Path) -> dict[str, bytes]:
    patterns = ("*_pb2.py", "*_pb2.pyi", "*_pb2_grpc.py", "*_pb2_grpc.pyi", "descriptors.binpb")
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for pattern in patterns
        for path in (folder / "protos").rglob(pattern)
    }


def test_code_and_descriptors_are_current(root: Path, tmp_path: Path) -> None:
    script = root / "scripts" / "gen_protos.py"
    # protoc looks for its plugins in PATH; they lie beside the interpreter.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    command = [sys.executable, script, "--output", tmp_path]
    subprocess.run(command, check=True, cwd=tmp_path, env={**os.environ, "PATH": path})
    new, checked_in = generated_files(tmp_path), generated_files(root)
    assert new, "the script made nothing"
    assert sorted(new) == sorted(checked_in)
    stale = [name for name, content in new.items() if checked_in[name] != content]
    assert not stale, "run `make protos`"


def test_parameter_schemas_are_current(root: Path) -> None:
    script = root / "scripts" / "gen_schemas.py"
    result = subprocess.run(
        [sys.executable, script, "--check"], cwd=root, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_component_with_parameters_has_a_schema(root: Path) -> None:
    models = {path.parent for path in root.glob("components/*/params.py")}
    schemas = {path.parent for path in root.glob("components/*/params.schema.json")}
    assert models == schemas
