"""One component: its manifest, its contract and the schema of its parameters, in agreement."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from composer.contract import MAX_BYTES, Contract, read_contract
from composer.errors import ContractError, ManifestError
from composer.manifest import FromParameter, Manifest, load_manifest
from composer.names import nearest
from composer.parameters import NO_PARAMETERS, SCHEMA, ParameterSchema, load_schema
from composer.ports import input_port, output_port
from composer.protoc import MAX_PROTO_BYTES

if TYPE_CHECKING:
    from composer.ports import Port

PROTO: Final = "model.proto"
DESCRIPTORS: Final = "descriptors.binpb"
ONBOARDED: Final = Path("onboarded")
"""Stands for the folder of components that are held in memory."""


@dataclass(frozen=True)
class Source:
    """What a contract was read from, for a component that has no folder."""

    text: str
    """Of the .proto file."""
    descriptors: bytes
    """Serialised FileDescriptorSet."""


@dataclass(frozen=True)
class Component:
    """All that is known of a component without running it."""

    manifest: Manifest
    contract: Contract
    schema: ParameterSchema = field(repr=False)
    folder: Path
    """Where the manifest lies; only a name for an onboarded component."""
    root: Path
    """What the paths in the manifest are relative to."""
    is_built_in: bool = False
    source: Source | None = field(default=None, repr=False)
    """The contract as it was onboarded; None for a component that has a folder."""

    @property
    def is_onboarded(self) -> bool:
        """Whether it is known by its image and its contract alone, and has no folder."""
        return self.source is not None

    @property
    def reference(self) -> str:
        """`name@version`, which pins the component."""
        return f"{self.manifest.name}@{self.manifest.version}"

    @property
    def ports(self) -> tuple[Port, ...]:
        """The input and the output of every operation, in the order of the contract."""
        return tuple(
            port(self.manifest.name, self.contract, operation)
            for operation in self.contract.operations
            for port in (input_port, output_port)
        )

    @property
    def proto_text(self) -> str:
        """Source text of the contract, for people. Raises ManifestError if it cannot be read."""
        if self.source is not None:
            return self.source.text
        path = self.root / self.manifest.proto
        try:
            return _read(path, MAX_PROTO_BYTES).decode()
        except UnicodeDecodeError as error:
            raise ManifestError(f"{path}: not UTF-8 text") from error


def load_component(folder: Path, root: Path | None = None) -> Component:
    """Load the component whose manifest lies in `folder`; its paths are relative to `root`.

    Without a root they are relative to the folder. Raises ManifestError or ContractError.
    """
    manifest = load_manifest(folder)
    base = folder if root is None else root
    descriptors = base / manifest.descriptors
    try:
        content = _read(descriptors, MAX_BYTES)
        contract = read_contract(content, manifest.service, manifest.further_services)
    except ContractError as error:
        raise ContractError(f"{descriptors}: {error}") from error
    schema = load_schema(folder / SCHEMA)
    _agree(manifest, contract, schema, folder)
    _read(base / manifest.proto, MAX_PROTO_BYTES)
    return Component(manifest, contract, schema, folder, base, is_built_in=root is not None)


def hold_component(
    manifest: Manifest, source: Source, schema: ParameterSchema = NO_PARAMETERS
) -> Component:
    """Make a component of what is in memory instead of in a folder. Raises ContractError."""
    folder = ONBOARDED / manifest.name / manifest.version
    contract = read_contract(source.descriptors, manifest.service, manifest.further_services)
    _agree(manifest, contract, schema, folder)
    return Component(manifest, contract, schema, folder, folder, source=source)


def _agree(manifest: Manifest, contract: Contract, schema: ParameterSchema, folder: Path) -> None:
    """Raise ContractError unless manifest, contract and schema speak of the same things."""
    faults = []
    declared, offered = set(manifest.operations), set(contract.operations)
    for name in sorted(declared - offered):
        meant = nearest(name, offered)
        hint = f"; did you mean {meant!r}?" if meant else ""
        services = " and ".join(contract.services)
        faults.append(f"operations.{name}: {services} has no such rpc{hint}")
    faults += [f"operations: the rpc {name} is not declared" for name in sorted(offered - declared)]
    for name, operation in manifest.operations.items():
        if isinstance(operation.emits, FromParameter):
            parameter = operation.emits.parameter
            if parameter not in schema.names:
                faults.append(f"operations.{name}.emits: there is no parameter {parameter!r}")
    if faults:
        raise ContractError(f"{folder}: {'; '.join(faults)}")


def _read(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise ManifestError(f"cannot read {path}: {error.strerror or error}") from error
    if len(content) > limit:
        raise ManifestError(f"{path}: larger than {limit} bytes")
    return content
