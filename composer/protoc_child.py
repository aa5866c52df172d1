"""The process in which protoc reads text that anybody may have written.

Run as a file by `composer.protoc`, isolated and without an environment. It first takes away from
itself what protoc does not need, and only then loads it, so that a fault in protoc's parser, or
text made to exhaust it, ends here.

    python -I protoc_child.py CPU_SECONDS ADDRESS_SPACE_BYTES FILE_BYTES FOLDER SOURCE OUTPUT
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path


def limit(cpu_s: int, memory_bytes: int, file_bytes: int) -> None:
    """Bound what this process may use, for good."""
    for what, most in (
        (resource.RLIMIT_CPU, cpu_s),
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_FSIZE, file_bytes),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (most, most))


def main(arguments: list[str]) -> int:
    """Compile one file; return protoc's exit code, or 3 where it is not installed."""
    limit(*map(int, arguments[:3]))
    folder, source, output = arguments[3:]
    try:
        import grpc_tools
        from grpc_tools import protoc
    except ModuleNotFoundError:  # any other ImportError is for want of memory
        return 3
    well_known = Path(grpc_tools.__file__).with_name("_proto")
    code: int = protoc.main(
        [
            "protoc",
            f"-I{folder}",
            f"-I{well_known}",
            "--include_imports",
            f"--descriptor_set_out={output}",
            source,
        ]
    )
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
