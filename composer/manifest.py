"""The manifest of a component: `component.yaml`.

It says what a contract cannot: licence, how to start the component, what its ports mean, what may
be repeated after a failure. Operations and messages themselves stand in the contract.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from composer.document import read_document
from composer.errors import DocumentError, ManifestError
from composer.names import IDENTIFIER, VERSION, dns_label
from composer.validation import explain

if TYPE_CHECKING:
    from pathlib import Path

MANIFEST: Final = "component.yaml"
MAX_TIMEOUT_S: Final = 7 * 86_400.0


def _inside(path: str) -> str:
    parts = PurePosixPath(path).parts
    if "\\" in path or path.startswith("/") or ".." in parts:
        raise ValueError("must be a relative path that does not lead outside")
    return path


Line = Annotated[str, Field(min_length=1, max_length=200)]
Text = Annotated[str, Field(min_length=1, max_length=5_000)]
RelativePath = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_inside)]
OperationName = Annotated[str, Field(pattern=IDENTIFIER, max_length=100)]
Collections = Annotated[tuple[Line, ...], Field(max_length=100)]
DnsLabel = Annotated[str, AfterValidator(dns_label)]


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


class Manifest(_Model):
    """The content of `component.yaml`."""

    name: DnsLabel
    version: str = Field(pattern=VERSION)
    title: Line
    description: Text
    licence: Line
    """SPDX expression."""
    command: tuple[Line, ...] = Field(min_length=1, max_length=50)
    proto: RelativePath
    """Source text of the contract."""
    descriptors: RelativePath
    """The contract with its imports as a serialised FileDescriptorSet."""
    service: str = Field(pattern=r"^[A-Za-z_][\w.]*$", max_length=200)
    """Full name of the service in the contract."""
    keywords: tuple[Line, ...] = Field(default=(), max_length=50)
    operations: dict[OperationName, OperationManifest] = Field(min_length=1, max_length=100)
    resources: Resources = Resources()


def load_manifest(folder: Path) -> Manifest:
    """Read the manifest in `folder`. Raises ManifestError naming the file and every bad field."""
    path = folder / MANIFEST
    try:
        document = read_document(path)
    except DocumentError as error:
        raise ManifestError(f"{path}: {error}") from error
    if document.duplicates:
        place, line = document.duplicates[0]
        raise ManifestError(f"{path}: line {line}: {'.'.join(map(str, place))} is given twice")
    try:
        return Manifest.model_validate(document.value)
    except ValidationError as error:
        findings = explain(error, Manifest, document.value)
        raise ManifestError(f"{path}: {'; '.join(map(str, findings))}") from error
