"""Our contracts as AI4EU Experiments takes them: self-contained, without a package, no enums.

The text describes the same bytes on the wire: enums become int32, `optional` and oneofs become
plain fields, messages from other packages and Google's types are written out, nested messages
move to the top. Components that are flattened together agree on names, because the original
orchestrator merges all contracts of a pipeline: what is the same message has one name in all of
them, and different messages have different names. It also knows a source by its input being
called `Empty`, so messages without fields are called so.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from composer.contract import Role
from composer.errors import ContractError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from composer.component import Component
    from composer.contract import Contract, Field, Message, Operation
    from composer.manifest import Manifest

EMPTY: Final = "Empty"
MAX_MESSAGES: Final = 500
LICENCE_SCHEMA: Final = (
    "https://raw.githubusercontent.com/acumos/license-manager/master/"
    "license-manager-client-library/src/main/resources/schema/1.0.0/license-profile.json"
)


@dataclass(frozen=True)
class FlatContract:
    """One contract without packages, and what its messages are called there."""

    text: str
    """Of the whole .proto file."""
    service: str
    """Name of the service, without a package."""
    names: Mapping[str, str]
    """Flat name of each message, by its full name in the contract."""


def flatten(component: Component) -> FlatContract:
    """Return the contract of one component, as it belongs into its image as /model.proto."""
    return flatten_all([component])[0]


def flatten_all(components: Sequence[Component]) -> list[FlatContract]:
    """Return the contracts of all components of a pipeline, with names that agree.

    Raises ContractError for a contract with too many messages, and where two different services
    have one name, which cannot be changed: it is part of the address at which operations are
    called.
    """
    names = _Names(c.contract.service.rpartition(".")[2] for c in components)
    flat = []
    services: dict[str, tuple[str, str]] = {}
    for component in components:
        contract = component.contract
        if len(contract.services) > 1:
            raise ContractError(
                f"{component.reference} has the services {', '.join(contract.services)}; "
                "AI4EU Experiments cannot have more than one of a component"
            )
        chosen = names.of(contract, component.manifest.name)
        service = contract.service.rpartition(".")[2]
        block = _service(service, contract.operations.values(), chosen)
        reference, known = services.setdefault(service, (component.reference, block))
        if known != block:
            raise ContractError(
                f"{reference} and {component.reference} have different services of one name, "
                f"{service}; AI4EU Experiments cannot have both in one pipeline"
            )
        messages = [
            _message(contract.messages[name], chosen) for name in _in_order(contract, chosen)
        ]
        text = "\n".join(['syntax = "proto3";\n', *messages, block])
        flat.append(FlatContract(text, service, chosen))
    return flat


def licence_json(manifest: Manifest) -> str:
    """Return the licence of a component as an Acumos licence profile: /license.json."""
    profile = {
        "$schema": LICENCE_SCHEMA,
        "keyword": manifest.licence,
        "licenseName": manifest.licence,
        "softwareType": "Machine Learning Model",
        "rtuRequired": False,
    }
    return json.dumps(profile, indent=2) + "\n"


class _Names:
    """Flat names of messages, over several contracts."""

    def __init__(self, services: Iterable[str]) -> None:
        # What a name stands for: the fingerprint of a message. Services share the name space.
        self._owners = dict.fromkeys(services, "service") | {EMPTY: _digest([[EMPTY]])}
        self._given: dict[tuple[str, str], str] = {}

    def of(self, contract: Contract, component: str) -> dict[str, str]:
        """Return the name of every message of a contract."""
        if len(contract.messages) > MAX_MESSAGES:
            raise ContractError(f"{component} has more than {MAX_MESSAGES} messages")
        return {
            name: self._name(contract.messages[name], _fingerprint(contract, name), component)
            for name in sorted(contract.messages)
        }

    def _name(self, message: Message, fingerprint: str, component: str) -> str:
        short = _short(message)
        if (short, fingerprint) not in self._given:
            owner = re.sub(r"[^A-Za-z0-9]", "", component.title())
            for candidate in _candidates(short, message.name, owner):
                if self._owners.setdefault(candidate, fingerprint) == fingerprint:
                    self._given[short, fingerprint] = candidate
                    break
        return self._given[short, fingerprint]


def _candidates(short: str, full: str, owner: str) -> Iterator[str]:
    yield short
    yield full.replace(".", "_")
    number = 1
    while True:
        yield f"{owner}{short}{number if number > 1 else ''}"
        number += 1


def _short(message: Message) -> str:
    return message.name.rpartition(".")[2] if message.fields else EMPTY


def _fingerprint(contract: Contract, name: str) -> str:
    """Return a text that messages share if they and all that they contain read alike.

    It lists all messages that can be reached, in the order in which they are.
    """
    places = {name: 0}
    waiting = deque([name])
    words: list[Any] = []
    while waiting:
        message = contract.messages[waiting.popleft()]
        words.append([_short(message), *_own(message)])
        for inner in (field.message for field in message.fields if field.message):
            if inner not in places:
                places[inner] = len(places)
                waiting.append(inner)
            words.append(places[inner])
    return _digest(words)


def _own(message: Message) -> list[str]:
    """Return what a message says itself, without the names of the messages inside it."""
    return [f"{f.number} {f.name} {f.role} {f.key} {_scalar(f)}" for f in message.fields]


def _digest(words: Iterable[Any]) -> str:
    return hashlib.sha256(json.dumps(list(words)).encode()).hexdigest()


def _scalar(field: Field) -> str:
    """Return the type of a field that is no message; an enum's values are int32 on the wire."""
    return "int32" if field.type == "enum" else field.type


def _in_order(contract: Contract, names: Mapping[str, str]) -> list[str]:
    """Return one full name for each flat name, in the order in which operations reach them."""
    operations = contract.operations.values()
    waiting = deque(m.name for o in operations for m in (o.input, o.output))
    found: dict[str, str] = {}
    while waiting:
        name = waiting.popleft()
        if names[name] not in found:
            found[names[name]] = name
            waiting.extend(f.message for f in contract.messages[name].fields if f.message)
    return list(found.values())


def _message(message: Message, names: Mapping[str, str]) -> str:
    lines = [f"message {names[message.name]} {{"]
    lines += [f"  {_field(field, names)};" for field in message.fields]
    return "\n".join([*lines, "}\n"]) if message.fields else f"{lines[0]}}}\n"


def _field(field: Field, names: Mapping[str, str]) -> str:
    type_ = names[field.message] if field.message else _scalar(field)
    if field.role is Role.MAP:
        type_ = f"map<{field.key}, {type_}>"
    elif field.role is Role.REPEATED:
        type_ = f"repeated {type_}"
    is_unpacked = field.role is Role.REPEATED and _can_be_packed(field) and not field.is_packed
    options = " [packed = false]" if is_unpacked else ""
    return f"{type_} {field.name} = {field.number}{options}"


def _can_be_packed(field: Field) -> bool:
    return field.type not in {"string", "bytes", "message"}


def _service(name: str, operations: Iterable[Operation], names: Mapping[str, str]) -> str:
    # `service` begins a line: the original looks for it there.
    lines = [f"service {name} {{"]
    for operation in operations:
        sides = [
            f"{'stream ' if stream else ''}{names[message.name]}"
            for message, stream in (
                (operation.input, operation.input_stream),
                (operation.output, operation.output_stream),
            )
        ]
        lines.append(f"  rpc {operation.name}({sides[0]}) returns ({sides[1]});")
    return "\n".join([*lines, "}\n"])
