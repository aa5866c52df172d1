"""Contracts as text, compiled into descriptor pools of their own, as other people's programs do."""

from __future__ import annotations

import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_tools import protoc


def compile_set(text: str) -> bytes:
    """The serialised FileDescriptorSet of a contract with its imports."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "model.proto").write_text(text)
        output = folder / "descriptors"
        arguments = ["protoc", f"-I{folder}", f"-I{Path(protoc.__file__).parent / '_proto'}"]
        arguments += ["--include_imports", f"--descriptor_set_out={output}"]
        assert protoc.main([*arguments, str(folder / "model.proto")]) == 0
        return output.read_bytes()


class Contract:
    """One .proto file: its message classes and its services."""

    def __init__(self, text: str) -> None:
        self._pool = DescriptorPool()
        for file in FileDescriptorSet.FromString(compile_set(text)).file:
            self._pool.Add(file)

    def message(self, name: str) -> Any:
        """The class of a message."""
        return GetMessageClass(self._pool.FindMessageTypeByName(name))

    def service(self, name: str) -> ServiceDescriptor:
        """The descriptor of a service."""
        return self._pool.FindServiceByName(name)


@lru_cache
def contract(text: str) -> Contract:
    """Compile a contract once."""
    return Contract(text)
