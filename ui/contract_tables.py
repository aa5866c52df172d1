"""The messages of a component's contract in words, and a node of it. Knows no Streamlit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

from composer.contract import Role
from composer.names import as_dns_label
from ui.component_view import parameter_views, short_name

if TYPE_CHECKING:
    from composer.component import Component
    from composer.contract import Contract, Field, Message


@dataclass(frozen=True)
class MessageView:
    """A message with its fields: number, name, type and what else is said of it."""

    name: str
    fields: tuple[tuple[int, str, str, str], ...]


def message_views(contract: Contract) -> tuple[MessageView, ...]:
    """Return the messages that have fields: those of the ports first, then what is in them."""
    ports = [
        message.name
        for operation in contract.operations.values()
        for message in (operation.input, operation.output)
    ]
    names = dict.fromkeys([*ports, *contract.messages])
    messages = (contract.messages[name] for name in names if name in contract.messages)
    return tuple(_view(message, contract) for message in messages if message.fields)


def _view(message: Message, contract: Contract) -> MessageView:
    fields = tuple(
        (field.number, field.name, type_words(field), _more(field, contract))
        for field in message.fields
    )
    return MessageView(short_name(message.name), fields)


def type_words(field: Field) -> str:
    """Return the type of a field as a .proto file says it, without packages."""
    name = short_name(field.message or field.enum or field.type)
    if field.role is Role.MAP:
        return f"map<{field.key}, {name}>"
    return f"repeated {name}" if field.role is Role.REPEATED else name


def _more(field: Field, contract: Contract) -> str:
    if field.enum:
        return "one of " + ", ".join(contract.enums.get(field.enum, {}))
    return f"one of {field.oneof}" if field.oneof else ""


def example_node(component: Component) -> str:
    """Return a node of a pipeline file: with the parameters that it needs, or its first ones."""
    views = [view for view in parameter_views(component.schema.schema) if "." not in view.name]
    needed = [view for view in views if view.is_required]
    params = {}
    properties = component.schema.schema.get("properties", {})
    for view in needed or views[:2]:
        schema = properties.get(view.name, {})
        examples = schema.get("examples")
        if isinstance(examples, list) and examples:
            params[view.name] = examples[0]
        else:
            params[view.name] = schema.get("default", "...")
    node: dict[str, object] = {"component": component.reference}
    if params:
        node["params"] = params
    return yaml.safe_dump(
        {"nodes": {node_name(component): node}}, sort_keys=False, allow_unicode=True
    )


def node_name(component: Component) -> str:
    """Return the name that a first node of a component gets."""
    return as_dns_label(component.manifest.name)
