"""Profiles: what a Kubernetes site has, as far as pipelines and the platform need to know it.

A profile is a YAML file. Those that are shipped lie in `k8s/profiles`; any other is given by its
path. What differs from site to site and cannot be known in advance is left open in them: a
question that is asked where the answer is needed, together with the command that tells it.
"""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from composer.document import parse_document, read_document
from composer.errors import DocumentError
from composer.manifest import DnsLabel, ImageReference
from composer.names import nearest
from composer.validation import explain
from orchestrator.errors import ProfileError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

QUANTITY: Final = re.compile(r"\d{1,19}(\.\d{1,9})?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|[eE][-+]?\d+)?")
"""https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/"""

_NAME: Final = r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$"

WITHOUT_RENAMING: Final = {
    "s3.csi.aws.com": "Mountpoint for Amazon S3 renames no files in general purpose buckets and "
    "changes none",
    "s3.csi.scality.com": "it mounts by Mountpoint for S3, which renames no files and changes none",
}
"""CSI drivers that cannot hold a shared folder, and why.

https://github.com/awslabs/mountpoint-s3/blob/main/doc/SEMANTICS.md,
https://scality.github.io/mountpoint-s3-csi-driver/
"""

HOW_TO_FIND: Final = {
    "images.registry": "the registry with project into which `eoloom images push` pushes, such as "
    "registry.example/project",
    "storage.storage_class": "a class whose volumes many nodes may write: "
    "`kubectl get storageclass` lists them, and the provisioner's documentation says which have "
    "ReadWriteMany; or give storage.claim, a claim that exists (`kubectl get pvc`), or "
    "storage.volume, a bucket by a CSI driver",
    "eodata.endpoint": "the URL of the S3 service of the site's data",
    "eodata.secret": "the Secret with the S3 keys: `kubectl get secret`; make one with "
    "`kubectl create secret generic eodata --from-file=access_key --from-file=secret_key`",
    "eodata.cidrs": "the addresses behind the endpoint, as seen from a node of the cluster: "
    "`getent ahosts HOST`, each with /32, or the range that the site names",
    "journal.cidr": "the addresses of the database, as network policies have to know them: "
    "`getent ahosts HOST`, each with /32",
    "gpu.node_selector": "the label of nodes with GPUs: "
    "`kubectl get nodes --show-labels`; {} if any node that offers the resource will do",
}
"""Fields that a site has to answer, and how an answer is found."""


def _quantity(text: str) -> str:
    if not QUANTITY.fullmatch(text):
        raise ValueError("is not a quantity such as 500m, 2, 4Gi")
    return text


def _cidr(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError as error:
        raise ValueError(f"is not a range of addresses such as 10.0.0.0/8 ({error})") from error


Quantity = Annotated[str, AfterValidator(_quantity)]
Cidr = Annotated[str, AfterValidator(_cidr)]
Name = Annotated[str, Field(pattern=_NAME)]
Port = Annotated[int, Field(ge=1, le=65_535)]
Share = Annotated[float, Field(gt=0, le=1)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Toleration(_Model):
    """As in a pod."""

    key: str | None = None
    operator: Literal["Exists", "Equal"] = "Exists"
    value: str | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None


class Placement(_Model):
    """On which nodes pods run."""

    node_selector: dict[str, str] = {}
    tolerations: tuple[Toleration, ...] = ()
    priority_class: Name | None = None


class Gpu(_Model):
    """How a GPU is asked for, and where GPUs are."""

    resource: str = "nvidia.com/gpu"
    node_selector: dict[str, str] | None = None
    tolerations: tuple[Toleration, ...] = ()
    runtime_class: Name | None = None


class Images(_Model):
    """Where images are pulled from."""

    registry: ImageReference | None = None
    """Registry with project, of components whose manifest names no image."""
    pull_secrets: tuple[Name, ...] = ()
    """Names of Secrets of the type kubernetes.io/dockerconfigjson."""


class SecretReference(_Model):
    """A Secret in any namespace, as volumes refer to it."""

    name: Name
    namespace: Name


class Volume(_Model):
    """A volume that exists outside of the cluster, such as a bucket, by way of a CSI driver.

    https://kubernetes.io/docs/concepts/storage/volumes/#csi
    """

    driver: Name
    handle: Annotated[str, Field(min_length=1, max_length=500)]
    """What the driver knows it by. `{namespace}` and `{deployment}` in it are replaced, because no
    two volumes of a cluster may have the same."""
    attributes: dict[str, str] = {}
    """As the driver's documentation says; the same are replaced in it."""
    publish_secret: SecretReference | None = None
    """With the driver's credentials, for mounting; likewise `stage_secret` before it."""
    stage_secret: SecretReference | None = None
    mount_options: tuple[str, ...] = ()

    @field_validator("driver")
    @classmethod
    def _check_driver(cls, driver: str) -> str:
        reason = WITHOUT_RENAMING.get(driver)
        if reason:
            raise ValueError(f"{reason}: components rename files into place, and logs are appended")
        return driver

    def text(self, template: str, namespace: str, deployment: str) -> str:
        """Return handle or attribute with what stands in braces replaced."""
        text = template.replace("{namespace}", namespace)
        return text.replace("{deployment}", deployment)


class Storage(_Model):
    """The volume for what components share, and for runs and their results."""

    claim: Name | None = None
    """A claim that exists already; nothing else here counts then, and none is made."""
    storage_class: str | None = None
    """Empty for volumes that somebody has made by hand."""
    volume: Volume | None = None
    """Instead of a class: the claim is bound to a volume that is made for it."""
    access_mode: Literal["ReadWriteMany", "ReadWriteOnce"] = "ReadWriteMany"
    """ReadWriteOnce serves a cluster of one node only."""
    size: Quantity = "100Gi"


class Eodata(_Model):
    """The site's own data behind S3. Keys are named, and never stand here."""

    endpoint: Annotated[str, Field(pattern=r"^https?://[^/\s]+$")] | None = None
    bucket: str | None = None
    """With it, a pipeline that names another bucket is refused: the endpoint has no other."""
    region: str = "default"
    secret: Name | None = None
    access_key: str = "access_key"
    """Key in the Secret."""
    secret_key: str = "secret_key"  # noqa: S105 - the name of a key in a Secret
    cidrs: tuple[Cidr, ...] | None = None


class Outside(_Model):
    """Addresses outside the cluster that may be called."""

    cidr: Cidr
    except_: tuple[Cidr, ...] = Field(default=(), alias="except")
    ports: tuple[Port, ...] = Field(default=(443,), min_length=1)


class Network(_Model):
    """Who is who in the cluster's network."""

    dns_namespace: Name = "kube-system"
    dns_labels: dict[str, str] = {"k8s-app": "kube-dns"}
    dns_cidrs: tuple[Cidr, ...] = ()
    """Of a DNS cache on the nodes, which no pod selector meets."""
    dns_port: Port = 53
    """Of the pods; it is not 53 everywhere."""
    outside: tuple[Outside, ...] = ()
    """What components with remote data may call beside the site's own data."""


class Tls(_Model):
    """TLS between the orchestrator and components, each with a certificate: Secrets by name.

    The names of their keys are those of Secrets of the type kubernetes.io/tls, as cert-manager
    makes them.
    """

    generate: bool = False
    """Whether `eoloom deploy` makes certificates and Secrets of its own, one for each node."""
    components: Name | None = None
    """The Secret with the certificate of the components, for `*.NAMESPACE.svc` or `server_name`."""
    orchestrator: Name | None = None
    """The Secret with the certificate that the orchestrator shows to them."""
    certificate: str = "tls.crt"
    key: str = "tls.key"
    authority: str = "ca.crt"
    """Of both Secrets: whom to believe. It has to be the same."""
    server_name: str = ""
    """Name in the certificate of the components, where it is not the host that is called."""

    @model_validator(mode="after")
    def _check_secrets(self) -> Self:
        given = [name for name in (self.components, self.orchestrator) if name]
        if len(given) != (0 if self.generate else 2):
            raise ValueError("give components and orchestrator, or generate: true without them")
        return self


class Requests(_Model):
    """How much of what a component may use is reserved for it on a node, as shares of 1.

    Nodes of a pipeline wait for each other most of the time, so that whole cores for each would
    stand idle. A component takes more cores than are reserved wherever they are free, and memory
    up to what its manifest says; where a node runs out of memory, those go first that use more
    than is reserved for them.
    """

    cpu: Share = 0.25
    memory: Share = 1.0


class Project(_Model):
    """What one project, which is one namespace, may use; None sets no bound."""

    cpu: Quantity | None = None
    memory: Quantity | None = None
    gpus: int | None = Field(default=None, ge=0)
    pods: int | None = Field(default=None, ge=1)
    claims: int | None = Field(default=None, ge=0)
    storage: Quantity | None = None
    container_cpu: Quantity = "1"
    """Requested for a container that says nothing; likewise `container_memory`."""
    container_memory: Quantity = "1Gi"
    container_memory_max: Quantity | None = None


class Journal(_Model):
    """A database for the journal of runs; without it a file on the volume."""

    secret: Name
    key: str = "url"
    cidr: Cidr | None = None
    """Addresses of the database; likewise `port`."""
    port: Port = 5432


class Profile(_Model):
    """A site. See the comments in `k8s/profiles` for where its values come from."""

    name: DnsLabel
    title: str = ""
    kubernetes: str = Field(default="1.36", pattern=r"^1\.\d{2}$")
    """Version whose schemas the objects are checked against."""
    images: Images = Images()
    storage: Storage = Storage()
    eodata: Eodata | None = None
    gpu: Gpu | None = None
    placement: Placement = Placement()
    network: Network = Network()
    tls: Tls | None = None
    requests: Requests = Requests()
    project: Project = Project()
    journal: Journal | None = None
    scratch: Quantity = "10Gi"
    """Most that a component may keep in /tmp."""

    def missing(self, fields: Iterable[str]) -> tuple[str, ...]:
        """Return those fields, such as `storage.storage_class`, to which it has no answer."""
        return tuple(name for name in fields if _value(self, name) is None)

    def require(self, fields: Iterable[str], reason: str = "") -> None:
        """Raise ProfileError naming every field without an answer, and how to find it."""
        missing = self.missing(fields)
        if not missing:
            return
        subject = f"profile {self.name} leaves open what {reason or 'this'} needs"
        lines = [f"  {name}: {HOW_TO_FIND.get(name, 'give a value')}" for name in missing]
        advice = "Answer with --profile-set FIELD=VALUE, or in a profile of your own."
        raise ProfileError("\n".join([f"{subject}:", *lines, advice]), missing)


def profile_folder() -> Path:
    """Return where the shipped profiles lie: in an installed wheel beside the renderer."""
    here = Path(__file__).resolve().parent
    installed = here / "render" / "profiles"
    return installed if installed.is_dir() else here.parent / "k8s" / "profiles"


def profile_names() -> tuple[str, ...]:
    """Return the names of the profiles that are shipped."""
    return tuple(sorted(path.stem for path in profile_folder().glob("*.yaml")))


def load_profile(name_or_path: str, values: Sequence[str] = ()) -> Profile:
    """Return a shipped profile by its name, or any by its path, with some values replaced.

    values: texts `FIELD=VALUE`, the field as in `storage.size`, the value in YAML. Raises
    ProfileError naming the file, the field and the value.
    """
    is_path = "/" in name_or_path or name_or_path.endswith((".yaml", ".yml"))
    path = Path(name_or_path) if is_path else profile_folder() / f"{name_or_path}.yaml"
    if not is_path and name_or_path not in profile_names():
        meant = nearest(name_or_path, profile_names())
        hint = f"; did you mean {meant!r}?" if meant else ""
        raise ProfileError(
            f"there is no profile {name_or_path!r}, only {', '.join(profile_names())}, and any "
            f"file by its path{hint}"
        )
    try:
        document = read_document(path)
    except DocumentError as error:
        raise ProfileError(f"profile {path}: {error}") from error
    if document.duplicates:
        place, line = document.duplicates[0]
        raise ProfileError(f"profile {path}: line {line}: {_dotted(place)} is given twice")
    content = document.value
    for text in values:
        _set(content, text)
    try:
        return Profile.model_validate(content)
    except ValidationError as error:
        findings = "; ".join(map(str, explain(error, Profile, content)))
        raise ProfileError(f"profile {path}: {findings}") from error


def _set(content: Any, text: str) -> None:
    name, equals, value = text.partition("=")
    keys = name.strip().split(".")
    if not equals or not all(keys):
        raise ProfileError(f"{text!r} is not of the form FIELD=VALUE, as in storage.size=50Gi")
    target = content
    for key in keys[:-1]:
        if isinstance(target, dict) and target.get(key) is None:
            target[key] = {}
        target = target.get(key) if isinstance(target, dict) else None
    if not isinstance(target, dict):
        raise ProfileError(f"{text!r}: the profile has no place {name.strip()}")
    try:
        target[keys[-1]] = parse_document(value).value
    except DocumentError as error:
        raise ProfileError(f"{text!r}: {error}") from error


def _value(profile: Profile, name: str) -> Any:
    value: Any = profile
    for key in name.split("."):
        value = getattr(value, key, None)
    return value


def _dotted(place: Iterable[str | int]) -> str:
    return ".".join(map(str, place))
