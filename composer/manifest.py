"""The manifest of a component: `component.yaml`.

It says what a contract cannot: licence, how to start the component, what its ports mean, what may
be repeated after a failure. Operations and messages themselves stand in the contract.
"""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from composer.document import read_document
from composer.errors import DocumentError, ManifestError
from composer.names import IDENTIFIER, VERSION, dns_label
from composer.validation import explain

if TYPE_CHECKING:
    from pathlib import Path

MANIFEST: Final = "component.yaml"
MAX_TIMEOUT_S: Final = 7 * 86_400.0

# A name with an optional registry, tag and digest, as the Docker command line takes it
# (https://pkg.go.dev/github.com/distribution/reference): nothing that a shell would notice.
_IMAGE: Final = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9._-]*(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*"
    r"(:[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?(@sha256:[0-9a-f]{64})?"
)


def _image(reference: str) -> str:
    if len(reference) > 500 or not _IMAGE.fullmatch(reference):
        raise ValueError("is not the name of an image, such as registry.example/team/model:1.0")
    return reference


def _version(version: str) -> str:
    if not re.match(VERSION, version):
        raise ValueError("is not a version such as 1.0.0 or 1.0.0-rc1")
    return version


def _inside(path: str) -> str:
    parts = PurePosixPath(path).parts
    if "\\" in path or path.startswith("/") or ".." in parts:
        raise ValueError("must be a relative path that does not lead outside")
    return path


Line = Annotated[str, Field(min_length=1, max_length=200)]
Text = Annotated[str, Field(min_length=1, max_length=5_000)]
RelativePath = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_inside)]
ServiceName = Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*$", max_length=200)]
OperationName = Annotated[str, Field(pattern=IDENTIFIER, max_length=100)]
Collections = Annotated[tuple[Line, ...], Field(max_length=100)]
DnsLabel = Annotated[str, AfterValidator(dns_label)]
ImageReference = Annotated[str, AfterValidator(_image)]


class NodeType(StrEnum):
    """What a node is in AI4EU Experiments."""

    MODEL = "MLModel"
    DATA_BROKER = "DataBroker"
    SPLITTER = "Splitter"
    COLLATOR = "Collator"
    DATA_MAPPER = "DataMapper"
    PROBE = "Probe"
    SHARED_FOLDER = "SharedFolder"


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FromParameter(_Model):
    """The collections are the value of a parameter of the node."""

    parameter: OperationName


class OperationManifest(_Model):
    """What a contract cannot say about one rpc."""

    description: Text
    accepts: Collections | None = None
    """Collections of the items that it takes; None is silent: it may take any."""
    emits: Collections | FromParameter | None = None
    """Collections of the items that it gives; None is silent."""
    idempotent: bool = False
    """A call may be repeated after a failure."""
    deterministic: bool = False
    """Equal input and parameters give equal output."""
    ordered: bool = True
    """The order of its results matters, also with several calls at once."""
    timeout_s: float = Field(default=3_600.0, gt=0, le=MAX_TIMEOUT_S)


class Resources(_Model):
    """What one process of the component needs, in the units of Kubernetes."""

    cpu: float = Field(default=1.0, gt=0, le=1_024)
    memory: str = Field(default="1Gi", pattern=r"^[1-9]\d{0,5}(Mi|Gi)$")
    gpu: int = Field(default=0, ge=0, le=64)

    @property
    def memory_bytes(self) -> int:
        """`memory` as a number of bytes."""
        unit = 1024**3 if self.memory.endswith("Gi") else 1024**2
        return int(self.memory[:-2]) * unit


class Manifest(_Model):
    """The content of `component.yaml`."""

    name: DnsLabel
    version: Annotated[str, AfterValidator(_version)]
    title: Line
    description: Text
    licence: Line
    """SPDX expression."""
    command: tuple[Line, ...] = Field(default=(), min_length=1, max_length=50)
    """What starts the component as a process; none for what is only an image."""
    image: ImageReference | None = Field(default=None, validate_default=True)
    """The container image that is the component, or that holds it as well."""
    node_type: NodeType = NodeType.MODEL
    proto: RelativePath
    """Source text of the contract."""
    descriptors: RelativePath
    """The contract with its imports as a serialised FileDescriptorSet."""
    service: ServiceName
    """Full name of the service in the contract."""
    further_services: tuple[ServiceName, ...] = Field(default=(), max_length=50)
    """Services of the contract whose operations are the component's as well."""
    keywords: tuple[Line, ...] = Field(default=(), max_length=50)
    operations: dict[OperationName, OperationManifest] = Field(min_length=1, max_length=100)
    resources: Resources = Resources()

    @field_validator("image")
    @classmethod
    def _instead_of_a_command(cls, image: str | None, info: ValidationInfo) -> str | None:
        if image is None and info.data.get("command") == ():
            raise ValueError("must be given where there is no command")
        return image


def load_manifest(folder: Path) -> Manifest:
    """Read the manifest in `folder`. Raises ManifestError naming the file and every bad field."""
    path = folder / MANIFEST
    try:
        document = read_document(path)
    except DocumentError as error:
        # That a file cannot be read names the file already.
        text = str(error)
        raise ManifestError(text if str(path) in text else f"{path}: {text}") from error
    if document.duplicates:
        place, line = document.duplicates[0]
        raise ManifestError(f"{path}: line {line}: {'.'.join(map(str, place))} is given twice")
    try:
        return Manifest.model_validate(document.value)
    except ValidationError as error:
        findings = explain(error, Manifest, document.value)
        raise ManifestError(f"{path}: {'; '.join(map(str, findings))}") from error
