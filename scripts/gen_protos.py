"""Generate the typed Python code and the descriptor sets of all contracts.

The only way to make `*_pb2.py`, `*_pb2.pyi`, `*_pb2_grpc.py`, `*_pb2_grpc.pyi` and
`descriptors.binpb` under `protos/`. They are checked in; a contract test runs this script into an
empty folder and compares.

    python scripts/gen_protos.py [--output FOLDER]
"""

from __future__ import annotations

import argparse
import sys
from importlib import resources
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent

# Next to the running Python, which need not be on the PATH.
PROGRAMS = Path(sys.executable).parent
PLUGINS = ("protoc-gen-mypy", "protoc-gen-mypy_grpc")


def generate(output: Path) -> list[Path]:
    """Compile every contract below `protos/` into `output` and return what was written."""
    sources = sorted((ROOT / "protos").rglob("*.proto"))
    well_known = resources.files("grpc_tools") / "_proto"
    output.mkdir(parents=True, exist_ok=True)
    includes = ["protoc", f"-I{ROOT}", f"-I{well_known}"]
    code = protoc.main(
        [
            *includes,
            f"--python_out={output}",
            f"--grpc_python_out={output}",
            f"--mypy_out={output}",
            f"--mypy_grpc_out={output}",
            *(f"--plugin={name}={PROGRAMS / name}" for name in PLUGINS),
            *map(str, sources),
        ]
    )
    if code:
        sys.exit(code)
    written = [p for p in (output / "protos").rglob("*_pb2*") if p.suffix in {".py", ".pyi"}]
    services = [source for source in sources if "service " in source.read_text(encoding="utf-8")]
    written += [_write_descriptors(source, includes, output) for source in services]
    return sorted(_without_empty_services(written))


def _write_descriptors(source: Path, includes: list[str], output: Path) -> Path:
    """Write the contract with all its imports as one FileDescriptorSet: what the composer reads."""
    target = output / source.relative_to(ROOT).parent / "descriptors.binpb"
    code = protoc.main(
        [*includes, "--include_imports", f"--descriptor_set_out={target}", str(source)]
    )
    if code:
        sys.exit(code)
    # Serialise again, deterministically: maps of options have no fixed order otherwise.
    descriptors = FileDescriptorSet.FromString(target.read_bytes())
    target.write_bytes(descriptors.SerializeToString(deterministic=True))
    return target


def _without_empty_services(written: list[Path]) -> list[Path]:
    """Remove the gRPC modules of files without a service: they hold nothing."""
    kept = []
    for path in written:
        messages = path.with_name(path.name.replace("_pb2_grpc", "_pb2"))
        if "_pb2_grpc" in path.name and "_to_server" not in path.read_text(encoding="utf-8"):
            path.unlink()
        elif messages.exists():
            kept.append(path)
    return kept


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=ROOT, help="folder above protos/")
    for path in generate(parser.parse_args().output):
        print(path)
