"""Which component the container of a blueprint is: a known one, or a new one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from composer.blueprint_export import IMAGE_PREFIX
from composer.carried_components import parse_carried, pinned_reference, restore
from composer.component import Source
from composer.contract_match import is_alike, offers, proto_uri_parts
from composer.errors import ComposerError, ContractError, SolutionError, UnknownComponentError
from composer.flatten import flatten
from composer.manifest import NodeType
from composer.names import VERSION, as_dns_label
from composer.onboarding import FIRST_VERSION, describe_image, name_of_image
from composer.pipeline import Node

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from composer.blueprint import BlueprintNode
    from composer.component import Component
    from composer.contract import Contract
    from composer.contract_match import ContractFinder, ContractText
    from composer.registry import Registry

# No registry can have it: https://www.rfc-editor.org/rfc/rfc2606#section-2
_UNKNOWN_IMAGE: Final = "unknown.invalid/container"


class ComponentFinder:
    """Finds components for the containers of one blueprint, and onboards those that are new.

    carried: components that the blueprint brings along, by `name@version`.
    """

    def __init__(
        self,
        registry: Registry,
        contracts: ContractFinder,
        carried: Mapping[str, Any],
        warnings: list[str],
    ) -> None:
        self.onboarded: list[Component] = []
        self.missing: list[BlueprintNode] = []
        """Containers of which there is no contract."""
        self._registry = registry
        self._contracts = contracts
        self._carried = carried
        self._restored: dict[tuple[str, str], Component] = {}
        self._warnings = warnings

    def options_of(self, node: BlueprintNode) -> dict[str, Any]:
        """Return the options of our own that a node brings along, if they are valid."""
        if node.eoloom is None:
            return {}
        try:
            options = Node.model_validate(node.eoloom)
        except ValidationError:
            self._warn(node, "what stands under `eoloom` is not a node; it is left out")
            return {}
        values: dict[str, Any] = options.model_dump(mode="json", exclude_defaults=True)
        return values

    def find(self, node: BlueprintNode, options: dict[str, Any]) -> Component | None:
        """Return the component of a container, and set it in the options of its node.

        None, and an entry in `missing`, if there is no contract. Raises SolutionError if there is
        one that cannot be read.
        """
        given = self._contracts.find(node)
        reference: str | None = options.pop("component", None)
        component = None if reference is None else self._named(node, reference, given)
        if reference is not None and component is not None:
            is_renamed = reference.partition("@")[0] != component.manifest.name
            options["component"] = component.reference if is_renamed else reference
            return component
        component = self._unnamed(node, given)
        if component is None:
            self.missing.append(node)
            return None
        options["component"] = component.reference
        if options.get("params") and not component.schema.names:
            words = f"{component.reference} takes no parameters here; they are left out"
            self._warn(node, words)
            del options["params"]
        return component

    def _named(
        self, node: BlueprintNode, reference: str, given: ContractText | None
    ) -> Component | None:
        """Return the component that our own options name, if it has the container's contract.

        It is there, or the blueprint brings it along.
        """
        try:
            component = self._registry.find(reference)
        except UnknownComponentError:
            reason = f"there is no component {reference}"
        else:
            if given is not None and not is_alike(component.contract, given.contract):
                reason = f"{component.reference} has another contract"
            elif self._is_another(component, node, reference):
                reason = f"{component.reference} is another image"
            else:
                return component
        restored = self._restore(node, reference, given)
        if restored is None:
            self._warn(node, f"{reason} here; its image is onboarded")
        return restored

    def _is_another(self, component: Component, node: BlueprintNode, reference: str) -> bool:
        """Say whether a component is not that of the same name which the blueprint describes."""
        if pinned_reference(self._carried, reference) is None or not component.is_onboarded:
            return False
        image = component.manifest.image or ""
        return bool(node.image) and _without_tag(image) != _without_tag(node.image)

    def _restore(
        self, node: BlueprintNode, reference: str, given: ContractText | None
    ) -> Component | None:
        """Return a component that the blueprint brings along, if it is usable."""
        pinned = pinned_reference(self._carried, reference)
        if pinned is None or not node.image:
            return None
        key = pinned, node.image
        try:
            if key not in self._restored:
                carried = parse_carried(self._carried[pinned])
                descriptors = self._contracts.read(node, carried.proto).descriptors
                self._restored[key] = restore(carried, node.image, self._free_name, descriptors)
            component = self._restored[key]
            if given is not None and not is_alike(component.contract, given.contract):
                raise ContractError("its contract is another one")
        except ComposerError as error:
            words = f"the description of {reference} that the blueprint brings is left out"
            self._warn(node, f"{words}: {error}")
            return None
        if component not in self.onboarded:
            self.onboarded.append(component)
            if component.manifest.name != reference.partition("@")[0]:
                words = f"there is another component {reference.partition('@')[0]} here"
                self._warn(node, f"{words}; its own is called {component.manifest.name}")
        return component

    def _unnamed(self, node: BlueprintNode, given: ContractText | None) -> Component | None:
        """Return a known component of a container's image, or onboard the image."""
        given = given or self._contracts.find_by_operations(node)
        if given is None:
            known = self._of_image(node)
            if known is not None:
                return known
            similar = self._similar(node)
            if similar is None:
                return None
            if not node.image:
                self._warn(node, f"it has no image; it is {similar.reference} by its operations")
                return similar
            words = f"its .proto is missing; the contract is that of {similar.reference}"
            self._warn(node, f"{words}, which has the same operations")
            text = similar.source.text if similar.source else flatten(similar).text
            given = self._contracts.read(node, text)
        return self._alike(node, given.contract) or self._onboard(node, given)

    def _alike(self, node: BlueprintNode, contract: Contract) -> Component | None:
        """Return a known component of the same image and contract."""
        if not node.image:
            return None
        known = (*self.onboarded, *self._registry.components)
        return next((c for c in known if _is_image(c, node.image, contract)), None)

    def _of_image(self, node: BlueprintNode) -> Component | None:
        """Return a known component of the same image, whose contract is therefore known."""
        known = (*self.onboarded, *self._registry.components)
        return next(
            (c for c in known if node.image in _images(c) and offers(c.contract, node)), None
        )

    def _similar(self, node: BlueprintNode) -> Component | None:
        """Return a known component with the operations of a node, first one of its name."""
        if not node.operation_signature_list:
            return None
        names = {_name_and_version(node)[0]}
        if node.image:
            names.add(as_dns_label(name_of_image(node.image)))
        known = [c for c in self._registry.components if _can_be_flat(c)]
        fitting = [c for c in known if offers(c.contract, node)]
        called = [c for c in fitting if c.manifest.name in names]
        if called:
            return called[0]
        if not fitting or not _is_described(node):
            return None
        first, *others = fitting
        is_clear = all(is_alike(first.contract, other.contract) for other in others)
        return first if is_clear else None

    def _onboard(self, node: BlueprintNode, given: ContractText) -> Component:
        name, version = _name_and_version(node)
        image = node.image or _UNKNOWN_IMAGE
        if not node.image:
            self._warn(node, "it has no image and cannot be started here")
        try:
            component = describe_image(
                image,
                Source(given.text, given.descriptors),
                name=self._free_name(name),
                version=version,
                service=given.contract.service,
                title=node.container_name[:200],
                description=f"Container {node.container_name} of an AI4EU solution.",
                node_type=node.type or NodeType.MODEL,
            )
        except ComposerError as error:
            raise SolutionError(f"container {node.container_name}: {error}") from error
        self.onboarded.append(component)
        return component

    def _free_name(self, name: str) -> str:
        """Return a name that no component has: a solution must not take one that is known."""
        taken = {component.manifest.name for component in self.onboarded}
        free, number = name, 1
        while free in taken or self._registry.versions(free):
            number += 1
            free = f"{name[:58]}-{number}"
        return free

    def _warn(self, node: BlueprintNode, words: str) -> None:
        self._warnings.append(f"container {node.container_name}: {words}")


def _name_and_version(node: BlueprintNode) -> tuple[str, str]:
    """Return what a component was called where it came from, as far as it can be seen."""
    parts = proto_uri_parts(node)
    if parts is None:
        name = name_of_image(node.image) if node.image else node.container_name
        return as_dns_label(name), FIRST_VERSION
    name, version = parts
    return as_dns_label(name), version if re.match(VERSION, version) else FIRST_VERSION


def _without_tag(image: str) -> str:
    """Return the name of an image with its registry, without tag and digest."""
    folder, slash, name = image.partition("@")[0].rpartition("/")
    return f"{folder}{slash}{name.partition(':')[0]}"


def _images(component: Component) -> Iterator[str]:
    """Yield what the image of a component is called."""
    manifest = component.manifest
    yield manifest.image or f"{IMAGE_PREFIX}{manifest.name}:{manifest.version}"


def _is_image(component: Component, image: str, contract: Contract) -> bool:
    is_same = component.manifest.image == image and component.contract.service == contract.service
    return is_same and is_alike(component.contract, contract)


def _can_be_flat(component: Component) -> bool:
    """Say whether the contract of a component can be one file."""
    return component.is_onboarded or len(component.contract.services) == 1


def _is_described(node: BlueprintNode) -> bool:
    """Say whether a blueprint names the messages of all operations of a node."""
    return all(
        line.operation_signature.input_message_name and line.operation_signature.output_message_name
        for line in node.operation_signature_list
    )
