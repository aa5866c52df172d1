"""What is wrong with objects, as far as that can be known without a cluster.

The schemas of Kubernetes say which fields there are. They do not say that a selector meets
nothing, that a port has no listener or that a Secret does not exist: the other checks here do.

    schema.py       fields and types, strictly (kubernetes-validate)
    naming.py       names, labels, annotations, nothing twice
    values.py       quantities, ports, ranges of addresses
    selectors.py    who is selected by whom
    references.py   what is named exists
    pod_security.py the restricted Pod Security Standard
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from orchestrator.errors import RenderError
from orchestrator.render.checks.finding import Finding, Reference
from orchestrator.render.checks.naming import check_names
from orchestrator.render.checks.pod_security import check_pod_security
from orchestrator.render.checks.references import check_references
from orchestrator.render.checks.schema import check_schemas
from orchestrator.render.checks.selectors import check_selectors
from orchestrator.render.checks.values import check_values

if TYPE_CHECKING:
    from orchestrator.profiles import Profile

__all__ = ["Finding", "Reference", "check", "external_objects", "require_valid"]

_MAX_TOLD = 20


def check(
    objects: Sequence[dict[str, Any]],
    *,
    version: str = "1.36",
    external: Collection[Reference] = (),
) -> tuple[Finding, ...]:
    """Return all that is wrong with objects that are to be applied together.

    version: of Kubernetes. external: what exists already, or is made by somebody else. Raises
    RenderError where the extra that holds the schemas is not installed.
    """
    findings = check_schemas(objects, version)
    if findings:
        # The other checks may rely on the form of what they read.
        return tuple(findings)
    return (
        *check_names(objects),
        *check_values(objects),
        *check_selectors(objects),
        *check_references(objects, external),
        *check_pod_security(objects),
    )


def require_valid(
    objects: Sequence[dict[str, Any]],
    *,
    version: str = "1.36",
    external: Collection[Reference] = (),
) -> None:
    """Raise RenderError with all that is wrong, see `check`."""
    findings = check(objects, version=version, external=external)
    if findings:
        told = [f"  {finding}" for finding in findings[:_MAX_TOLD]]
        if len(findings) > _MAX_TOLD:
            told.append(f"  and {len(findings) - _MAX_TOLD} more")
        raise RenderError("\n".join(["the objects would not work in a cluster:", *told]))


def external_objects(profile: Profile) -> frozenset[Reference]:
    """Return what rendered objects refer to and a profile says to exist in the namespace."""
    found = {Reference("Secret", name) for name in profile.images.pull_secrets}
    if profile.storage.claim:
        found.add(Reference("PersistentVolumeClaim", profile.storage.claim))
    if profile.eodata is not None and profile.eodata.secret:
        found.add(Reference("Secret", profile.eodata.secret))
    if profile.tls is not None:
        secrets = (profile.tls.components, profile.tls.orchestrator)
        found |= {Reference("Secret", name) for name in secrets if name}
    if profile.journal is not None:
        found.add(Reference("Secret", profile.journal.secret))
    if profile.placement.priority_class:
        found.add(Reference("PriorityClass", profile.placement.priority_class))
    return frozenset(found)
