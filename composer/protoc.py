"""Text of a .proto file to descriptors, by the real protoc, whoever wrote the text.

protoc runs in a process of its own that is bounded in processor time, memory, output and time on
the clock, has no environment, and sees one file, under a name chosen here, and Google's well-known
types. No shell is involved, and nothing of the text becomes a path or an argument.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.message import DecodeError

from composer.contract import MAX_BYTES
from composer.errors import ProtoError
from composer.extras import install_command

MAX_PROTO_BYTES: Final = 1 << 20
MAX_MESSAGES: Final = 5
"""How many of protoc's complaints an error repeats."""

_FILE: Final = "contract.proto"
_SOURCES: Final = "sources"
_DESCRIPTORS: Final = "descriptors"
_CHILD: Final = Path(__file__).with_name("protoc_child.py")
_WELL_KNOWN: Final = "google/protobuf/"
_NOT_INSTALLED: Final = 3
_COMPLAINT: Final = re.compile(
    rf"^(?:{_SOURCES}/)?{re.escape(_FILE)}:(?:(?P<line>\d+):\d+:)? *(?P<words>.*)$", re.MULTILINE
)


@dataclass(frozen=True)
class Limits:
    """What protoc may use. A large contract takes a tenth of a second and 100 MiB."""

    cpu_s: int = 5
    time_s: float = 20.0
    memory_bytes: int = 512 << 20
    output_bytes: int = MAX_BYTES


LIMITS: Final = Limits()


def compile_proto(text: str, limits: Limits = LIMITS) -> bytes:
    """Compile the text of one proto3 file to a serialised FileDescriptorSet with its imports.

    It may import files of google/protobuf/ only. The same text gives the same bytes. Raises
    ProtoError with the lines that protoc complains of.
    """
    content = _content(text)
    with tempfile.TemporaryDirectory(prefix="eoloom-proto-") as name:
        folder = Path(name)
        (folder / _SOURCES).mkdir()
        (folder / _SOURCES / _FILE).write_bytes(content)
        _run(folder, limits)
        try:
            descriptors = FileDescriptorSet.FromString((folder / _DESCRIPTORS).read_bytes())
        except (OSError, DecodeError) as error:
            message = f"its descriptors are larger than {limits.output_bytes} bytes"
            raise ProtoError(message) from error
    own = next(file for file in descriptors.file if file.name == _FILE)
    _refuse(own.syntax != "proto3", 'it is not proto3: its first line must be syntax = "proto3";')
    for imported in own.dependency:
        _refuse(
            not imported.startswith(_WELL_KNOWN),
            f"it imports {imported!r}; only files of {_WELL_KNOWN} can be imported",
        )
    return descriptors.SerializeToString(deterministic=True)


def _content(text: str) -> bytes:
    _refuse(len(text) > MAX_PROTO_BYTES, f"it is larger than {MAX_PROTO_BYTES} bytes")
    try:
        content = text.encode()
    except UnicodeEncodeError as error:
        raise ProtoError(f"it is not Unicode text (at {error.start})") from error
    _refuse(len(content) > MAX_PROTO_BYTES, f"it is larger than {MAX_PROTO_BYTES} bytes")
    _refuse(b"\0" in content, "it has a NUL character")
    return content


def _refuse(condition: bool, message: str) -> None:
    if condition:
        raise ProtoError(message)


def _run(folder: Path, limits: Limits) -> None:
    """Write the descriptors into the folder. Raises ProtoError."""
    said = folder / "said"
    arguments = [str(limits.cpu_s), str(limits.memory_bytes), str(limits.output_bytes)]
    paths = [_SOURCES, f"{_SOURCES}/{_FILE}", _DESCRIPTORS]
    with said.open("wb") as output:
        try:
            code = subprocess.run(  # noqa: S603 - our own program, arguments and paths
                [sys.executable, "-I", str(_CHILD), *arguments, *paths],
                cwd=folder,
                env={},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                timeout=limits.time_s,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired as error:
            raise ProtoError(f"protoc needed more than {limits.time_s:g} s for it") from error
    if code == _NOT_INSTALLED:
        raise ProtoError(f"protoc is not installed; {install_command('onboard')}")
    if code:
        with said.open("rb") as output:
            raise _error(output.read(MAX_BYTES).decode(errors="replace"), code)


def _error(said: str, code: int) -> ProtoError:
    """Make protoc's complaints one sentence, with the lines of the file but without its name."""
    found = [c for c in _COMPLAINT.finditer(said) if not c["words"].startswith("warning:")]
    if not found:
        how = f"was ended by signal {-code}" if code < 0 else "failed"
        return ProtoError(f"protoc {how} on it: it needs too much memory, time or output")
    texts = [f"line {c['line']}: {c['words']}" if c["line"] else c["words"] for c in found]
    complaints = list(dict.fromkeys(texts))
    hidden = len(complaints) - MAX_MESSAGES
    more = f"; and {hidden} more" if hidden > 0 else ""
    lines = [int(complaint["line"]) for complaint in found if complaint["line"]]
    return ProtoError("; ".join(complaints[:MAX_MESSAGES]) + more, lines[0] if lines else None)
