"""Which component the container of a blueprint is: a known one, or a new one."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from composer.component import Source
from composer.contract import read_contract, services_of
from composer.errors import ComposerError, ContractError, SolutionError, UnknownComponentError
from composer.manifest import NodeType
from composer.names import VERSION, as_dns_label
from composer.onboarding import FIRST_VERSION, describe_image, name_of_image
from composer.pipeline import Node
from composer.ports import message_difference
from composer.protoc import compile_proto

if TYPE_CHECKING:
    from composer.blueprint import BlueprintNode
    from composer.component import Component
    from composer.contract import Contract
    from composer.registry import Registry

MAX_COMPILING_S: Final = 60.0
"""For all contracts of a blueprint; an ordinary one takes a tenth of a second."""

# As the original names the contracts that it keeps: .../NAME/VERSION/NAME-VERSION.proto
_PROTO_URI: Final = re.compile(r"([^/]{1,200})/([^/]{1,60})/\1-\2\.proto$")
# No registry can have it: https://www.rfc-editor.org/rfc/rfc2606#section-2
_UNKNOWN_IMAGE: Final = "unknown.invalid/container"


class ComponentFinder:
    """Finds components for the containers of one blueprint, and onboards those that are new."""

    def __init__(self, registry: Registry, warnings: list[str]) -> None:
        self.onboarded: list[Component] = []
        self._registry = registry
        self._warnings = warnings
        self._compiled: dict[str, bytes] = {}
        self._compiling_s = 0.0

    def options_of(self, node: BlueprintNode) -> dict[str, Any]:
        """Return the options of our own that a node brings along, if they are valid."""
        if node.eoloom is None:
            return {}
        try:
            options = Node.model_validate(node.eoloom)
        except ValidationError:
            words = f"container {node.container_name}: what stands under `eoloom` is not a node"
            self._warnings.append(f"{words}; it is left out")
            return {}
        values: dict[str, Any] = options.model_dump(mode="json", exclude_defaults=True)
        return values

    def find(self, node: BlueprintNode, proto: str | None, options: dict[str, Any]) -> Component:
        """Return the component of a container, and set it in the options of its node.

        Raises SolutionError if there is no contract, or one that cannot be read.
        """
        contract = self._contract(node, proto)
        named = self._named(node, contract, options.pop("component", None), options)
        if named is not None:
            return named
        if contract is None or proto is None:
            raise SolutionError(
                f"there is no contract of {node.container_name}: its .proto is missing"
            )
        component = self._alike(node, contract) or self._onboard(node, proto, contract.service)
        options["component"] = component.reference
        if options.get("params") and not component.schema.names:
            words = (
                f"container {node.container_name}: {component.reference} takes no parameters here"
            )
            self._warnings.append(f"{words}; they are left out")
            del options["params"]
        return component

    def _contract(self, node: BlueprintNode, proto: str | None) -> Contract | None:
        if proto is None:
            return None
        operations = [o.operation_signature.operation_name for o in node.operation_signature_list]
        try:
            if proto not in self._compiled:
                self._compiled[proto] = self._compile(proto)
            descriptors = self._compiled[proto]
            return read_contract(descriptors, _service_with(descriptors, operations))
        except ContractError as error:
            raise SolutionError(f"the contract of {node.container_name}: {error}") from error

    def _compile(self, proto: str) -> bytes:
        """Compile a contract, as long as all of them together take not too long."""
        if self._compiling_s > MAX_COMPILING_S:
            raise ContractError(f"the contracts before it took more than {MAX_COMPILING_S:g} s")
        start = time.monotonic()
        try:
            return compile_proto(proto)
        finally:
            self._compiling_s += time.monotonic() - start

    def _named(
        self,
        node: BlueprintNode,
        contract: Contract | None,
        reference: str | None,
        options: dict[str, Any],
    ) -> Component | None:
        """Return the component that our own options name, if it is there and has that contract."""
        if reference is None:
            return None
        try:
            component = self._registry.find(reference)
        except UnknownComponentError:
            if contract is None:
                raise
            words = f"container {node.container_name}: there is no component {reference}"
            self._warnings.append(f"{words} here; its image is onboarded")
            return None
        if contract is not None and not _is_alike(component.contract, contract):
            words = f"container {node.container_name}: {component.reference} has another contract"
            self._warnings.append(f"{words} here; its image is onboarded")
            return None
        options["component"] = reference
        return component

    def _alike(self, node: BlueprintNode, contract: Contract) -> Component | None:
        """Return a known component of the same image and contract."""
        if not node.image:
            return None
        known = (*self.onboarded, *self._registry.components)
        return next((c for c in known if _is_image(c, node.image, contract)), None)

    def _onboard(self, node: BlueprintNode, proto: str, service: str) -> Component:
        name, version = _name_and_version(node)
        image = node.image or _UNKNOWN_IMAGE
        if not node.image:
            words = f"container {node.container_name}: it has no image and cannot be started here"
            self._warnings.append(words)
        label, number = name, 1
        taken = {component.manifest.name for component in self.onboarded}
        while label in taken or self._registry.versions(label):
            number += 1
            label = f"{name[:58]}-{number}"
        try:
            component = describe_image(
                image,
                Source(proto, self._compiled[proto]),
                name=label,
                version=version,
                service=service,
                title=node.container_name[:200],
                description=f"Container {node.container_name} of an AI4EU solution.",
                node_type=node.type or NodeType.MODEL,
            )
        except ComposerError as error:
            raise SolutionError(f"container {node.container_name}: {error}") from error
        self.onboarded.append(component)
        return component


def _service_with(descriptors: bytes, operations: list[str]) -> str:
    """Return the first service of those that have most of some operations.

    Raises ContractError if there is none.
    """
    services = services_of(descriptors)
    if not services:
        raise ContractError("the file has no service")
    return max(services, key=lambda name: len(set(operations) & set(services[name])))


def _name_and_version(node: BlueprintNode) -> tuple[str, str]:
    """Return what a component was called where it came from, as far as it can be seen."""
    match = _PROTO_URI.search(node.proto_uri)
    if match is None:
        name = name_of_image(node.image) if node.image else node.container_name
        return as_dns_label(name), FIRST_VERSION
    version = match[2] if re.match(VERSION, match[2]) else FIRST_VERSION
    return as_dns_label(match[1]), version


def _is_image(component: Component, image: str, contract: Contract) -> bool:
    is_same = component.manifest.image == image and component.contract.service == contract.service
    return is_same and _is_alike(component.contract, contract)


def _is_alike(ours: Contract, theirs: Contract) -> bool:
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
