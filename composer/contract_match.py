"""Which contract the container of a blueprint has: of the files that are given."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from composer.contract import read_contract, services_of
from composer.errors import ContractError, SolutionError
from composer.ports import message_difference
from composer.protoc import compile_proto

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from composer.blueprint import BlueprintNode, OperationSignature
    from composer.contract import Contract, Operation

MAX_COMPILING_S: Final = 60.0
"""For all contracts of a blueprint; an ordinary one takes a tenth of a second."""

# As the original names the contracts that it keeps: .../NAME/VERSION/NAME-VERSION.proto
_PROTO_URI: Final = re.compile(r"([^/]{1,200})/([^/]{1,60})/\1-\2\.proto$")


@dataclass(frozen=True)
class ContractText:
    """A contract with the text that it was read from."""

    text: str
    descriptors: bytes
    """Serialised FileDescriptorSet."""
    contract: Contract
    """Of the service that is meant."""


class ContractFinder:
    """Finds the contracts of the containers of one blueprint among the files that came with it."""

    def __init__(
        self, nodes: Sequence[BlueprintNode], files: Mapping[str, str], warnings: list[str]
    ) -> None:
        """Begin with files by name; one of a folder is known by its last part, in any case."""
        self.unreadable: dict[str, str] = {}
        """Why files of other names were no use, by their names."""
        self._warnings = warnings
        self._compiled: dict[str, tuple[bytes, Mapping[str, Sequence[str]]]] = {}
        self._contracts: dict[tuple[str, str], ContractText] = {}
        self._compiling_s = 0.0
        expected = {name for node in nodes for name in _names(node)}
        self._named: dict[str, str] = {}
        for path, text in files.items():
            name = _last(path)
            if name in expected and self._named.setdefault(name, text) != text:
                raise SolutionError(f"there are two contracts called {name}")
        self._others = {path: text for path, text in files.items() if _last(path) not in expected}
        self._by_image: dict[str, str] = {}
        for node in nodes:
            own = self._named_text(node)
            if node.image and own is not None:
                self._by_image.setdefault(node.image, own)

    def has_own_file(self, node: BlueprintNode) -> bool:
        """Say whether there is a file that is called as the container."""
        return f"{node.container_name.lower()}.proto" in self._named

    def find(self, node: BlueprintNode) -> ContractText | None:
        """Return the contract of a container, or None if no file is known to have it.

        It is the file that is called as the container, or as its proto_uri says, or that of a
        container of the same image. Raises SolutionError for one that cannot be read.
        """
        text = self._named_text(node)
        if text is None:
            text = self._by_image.get(node.image)
        return None if text is None else self.read(node, text)

    def find_by_operations(self, node: BlueprintNode) -> ContractText | None:
        """Return the only contract of other names that has all operations of a container.

        Those that cannot be read are noted in `unreadable`.
        """
        if not node.operation_signature_list:
            return None
        first = node.operation_signature_list[0].operation_signature.operation_name
        found: dict[str, tuple[str, ContractText]] = {}
        for path in self._others_by_operation.get(first, ()):
            read = self._read(node, self._others[path])
            if offers(read.contract, node):
                found[read.text] = path, read
        if len(found) != 1:
            return None
        [(path, read)] = found.values()
        words = f"container {node.container_name}: its contract is taken to be {path}"
        self._warnings.append(f"{words}, which has its operations")
        return read

    def read(self, node: BlueprintNode, text: str) -> ContractText:
        """Read a text as the contract of a container. Raises SolutionError."""
        try:
            return self._read(node, text)
        except ContractError as error:
            raise SolutionError(f"the contract of {node.container_name}: {error}") from error

    @cached_property
    def _others_by_operation(self) -> Mapping[str, Sequence[str]]:
        """Names of the files that no container is called as, by operations: each is read once."""
        found: dict[str, list[str]] = {}
        for path, text in self._others.items():
            try:
                services = self._services_of(text)
                contracts = [self._contract(text, service) for service in services]
            except ContractError as error:
                self.unreadable[path] = str(error)
                continue
            for name in {name for read in contracts for name in read.contract.operations}:
                found.setdefault(name, []).append(path)
        return found

    def _named_text(self, node: BlueprintNode) -> str | None:
        return next((self._named[name] for name in _names(node) if name in self._named), None)

    def _read(self, node: BlueprintNode, text: str) -> ContractText:
        operations = [o.operation_signature.operation_name for o in node.operation_signature_list]
        return self._contract(text, _service_with(self._services_of(text), operations))

    def _services_of(self, text: str) -> Mapping[str, Sequence[str]]:
        """Return the operations of each service of a text."""
        if text not in self._compiled:
            descriptors = self._compile(text)
            self._compiled[text] = descriptors, services_of(descriptors)
        return self._compiled[text][1]

    def _contract(self, text: str, service: str) -> ContractText:
        key = text, service
        if key not in self._contracts:
            descriptors, _ = self._compiled[text]
            contract = read_contract(descriptors, service)
            self._contracts[key] = ContractText(text, descriptors, contract)
        return self._contracts[key]

    def _compile(self, text: str) -> bytes:
        """Compile a contract, as long as all of them together take not too long."""
        if self._compiling_s > MAX_COMPILING_S:
            raise ContractError(f"the contracts before it took more than {MAX_COMPILING_S:g} s")
        start = time.monotonic()
        try:
            return compile_proto(text)
        finally:
            self._compiling_s += time.monotonic() - start


def proto_uri_parts(node: BlueprintNode) -> tuple[str, str] | None:
    """Return name and version of a container's component where it came from, if it says them."""
    match = _PROTO_URI.search(node.proto_uri)
    return None if match is None else (match[1], match[2])


def offers(contract: Contract, node: BlueprintNode) -> bool:
    """Say whether a contract has all operations of a node, with the messages that it names.

    Streams are not compared: blueprints leave out that something is one.
    """
    for line in node.operation_signature_list:
        signature = line.operation_signature
        operation = contract.operations.get(signature.operation_name)
        if operation is None or not _reads_alike(operation, signature):
            return False
    return True


def is_alike(ours: Contract, theirs: Contract) -> bool:
    """Say whether a contract has all operations of another one, with messages that match."""
    for name, operation in theirs.operations.items():
        own = ours.operations.get(name)
        if own is None:
            return False
        sides = (operation.input_stream, operation.output_stream)
        if (own.input_stream, own.output_stream) != sides:
            return False
        for one, other in ((own.input, operation.input), (own.output, operation.output)):
            if message_difference(ours, one.name, theirs, other.name):
                return False
    return True


def _reads_alike(operation: Operation, signature: OperationSignature) -> bool:
    sides = (
        (operation.input, signature.input_message_name),
        (operation.output, signature.output_message_name),
    )
    # Messages without fields are renamed when a contract is flattened.
    return all(
        not name or not message.fields or message.name.rpartition(".")[2] == name
        for message, name in sides
    )


def _names(node: BlueprintNode) -> tuple[str, ...]:
    """Return what the file of a container's contract may be called, in lower case."""
    own = f"{node.container_name.lower()}.proto"
    return (own,) if proto_uri_parts(node) is None else (own, _last(node.proto_uri))


def _last(path: str) -> str:
    return PurePosixPath(path).name.lower()


def _service_with(services: Mapping[str, Sequence[str]], operations: list[str]) -> str:
    """Return the first service of those that have most of some operations.

    Raises ContractError if there is none.
    """
    if not services:
        raise ContractError("the file has no service")
    return max(services, key=lambda name: len(set(operations) & set(services[name])))
