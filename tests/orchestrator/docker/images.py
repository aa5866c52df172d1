"""Small images for the tests, made without a network: Python, gRPC, and one script.

gRPC is copied from where the tests run, so the base image must have the same Python.
"""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path
from typing import Any

import google.protobuf
import grpc
import typing_extensions

BASE = os.environ.get("EOLOOM_BASE_IMAGE", "eoloom-base-python:3.11")
FAKES = Path(__file__).parents[2] / "fakes"

SCRIPTED = "eoloom-tests/scripted:1.0"
GREETER = "eoloom-tests/greeter:1.0"
SLOW_GREETER = "eoloom-tests/slow-greeter:1.0"

# The script ends when its standard input does, which a container does not have.
_KEEP_STDIN = (
    "import os; r, w = os.pipe(); os.dup2(r, 0); os.set_inheritable(w, True); "
    "os.execvp('python3', ['python3', '/app/scripted_component.py', *os.sys.argv[1:]])"
)

SCRIPTED_FILE = f"""\
FROM {BASE}
COPY packages /packages
ENV PYTHONPATH=/packages EOLOOM_ADDRESS=0.0.0.0:8061 PYTHONUNBUFFERED=1
COPY scripted_component.py /app/
ENTRYPOINT ["python3", "-c", "{_KEEP_STDIN}"]
"""

GREETER_FILE = f"""\
FROM {BASE}
COPY packages /packages
ENV PYTHONPATH=/packages
WORKDIR /app
COPY server.py model.proto /app/
EXPOSE 8061 8062
CMD ["python3", "server.py"]
"""


def build(client: Any, name: str, file: str, *sources: Path) -> str:
    """Build an image of a Dockerfile's text and some files; return its name."""
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as tar:
        entry = tarfile.TarInfo("Dockerfile")
        entry.size = len(file.encode())
        tar.addfile(entry, io.BytesIO(file.encode()))
        for source in sources:
            tar.add(source, source.name)
        tar.add(typing_extensions.__file__, "packages/typing_extensions.py")
        for package in (grpc, google.protobuf):
            folder = Path(str(package.__file__)).parent
            place = f"packages/{package.__name__.replace('.', '/')}"
            tar.add(folder, place, filter=lambda e: None if "__pycache__" in e.name else e)
    context.seek(0)
    client.images.build(fileobj=context, custom_context=True, tag=name, rm=True)
    return name


def build_scripted(client: Any) -> str:
    """The scripted component: what it does is in the parameters."""
    return build(client, SCRIPTED, SCRIPTED_FILE, FAKES / "scripted_component.py")


def build_greeter(client: Any) -> str:
    """A component as others make them, and the same one that needs seconds for each call."""
    folder = FAKES / "ai4eu_container"
    build(client, GREETER, GREETER_FILE, folder / "server.py", folder / "model.proto")
    build(client, SLOW_GREETER, f"FROM {GREETER}\nENV PAUSE_S=2\n")
    return GREETER
