"""The JSON files of AI4EU Experiments: blueprint.json and dockerinfo.json, as data.

They may come from anybody: size, depth, and numbers of nodes and links are bounded. What the
format has and we do not know is left aside, as its own tools do; what we need beside it stands
under the key `eoloom`, which they leave aside in turn.
"""

from __future__ import annotations

import ipaddress
import json
import re
from typing import Annotated, Any, Final, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
)

from composer.errors import SolutionError
from composer.manifest import NodeType
from composer.names import IDENTIFIER
from composer.validation import explain

MAX_BYTES: Final = 4 << 20
MAX_NODES: Final = 1_000
MAX_LINKS: Final = 10_000
MAX_FINDINGS: Final = 10
ORCHESTRATOR: Final = "orchestrator"
"""Name of the orchestrator's own entry in dockerinfo.json."""
PORT: Final = 8061
"""Where a container serves gRPC; its web pages, if it has some, are on the next port."""

_HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")


def _text(value: Any) -> Any:
    """Read null as no text, and a number as the text that it would be."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if abs(value) < 1 << 63 else value
    return "" if value is None else value


def _false(value: Any) -> Any:
    return False if value is None or value == "" else value


def _nothing(value: Any) -> Any:
    return () if value is None else value


def _host(value: str) -> str:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        if not _HOST.fullmatch(value):
            raise ValueError("is not the name or address of a host") from None
    if "%" in value:  # the zone of an address, which may be any text
        raise ValueError("is not the address of a host without a zone")
    return value


Text = Annotated[str, BeforeValidator(_text), Field(max_length=100_000)]
Name = Annotated[str, Field(min_length=1, max_length=300)]
OperationName = Annotated[str, Field(pattern=IDENTIFIER, max_length=100)]
Flag = Annotated[bool, BeforeValidator(_false)]
ItemT = TypeVar("ItemT")
Items = Annotated[tuple[ItemT, ...], BeforeValidator(_nothing)]


class _Json(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)


class OperationReference(_Json):
    """An operation by its name."""

    operation_name: OperationName


class OperationSignature(OperationReference):
    """An operation with its messages."""

    input_message_name: Text = ""
    input_message_stream: Flag = False
    output_message_name: Text = ""
    output_message_stream: Flag = False


class Connection(_Json):
    """Where what an operation gives goes."""

    container_name: Name
    operation_signature: OperationReference


class BlueprintOperation(_Json):
    """One operation of a node and its links."""

    operation_signature: OperationSignature
    connected_to: Items[Connection] = ()


class MappedField(_Json):
    """One line of a Collator's inputs, or of a Splitter's outputs.

    Tags are field numbers; none is the whole message.
    """

    source_name: Text = ""
    target_name: Text = ""
    operation_name: Text = ""
    """Of the source or target; ours, because a container may have several."""
    message_signature: Text = ""
    """JSON text with the key `messageName`."""
    parameter_tag: Text = ""
    parameter_name: Text = ""
    parameter_type: Text = ""
    parameter_role: Text = ""
    mapped_to_field: Text = ""
    other_attributes: Text = ""
    """JSON text of a literal, where a Collator's input has no source."""


class CollatorInput(_Json):
    """Wraps one input of a Collator."""

    input_field: MappedField


class CollatorMap(_Json):
    """How a Collator joins messages: `Parameter-based` fields, or `Array-based` whole messages."""

    collator_type: Text = ""
    map_inputs: Items[CollatorInput] = ()


class SplitterOutput(_Json):
    """Wraps one output of a Splitter."""

    output_field: MappedField


class SplitterMap(_Json):
    """How a Splitter parts messages: `Copy-based`, or `Parameter-based` by field."""

    splitter_type: Text = ""
    map_outputs: Items[SplitterOutput] = ()


class DataMapField(_Json):
    """One field of a DataMapper's input."""

    tag: Text = ""
    mapped_to_message: Text = ""
    mapped_to_field: Text = ""


class DataMapInput(_Json):
    """The fields of one message that a DataMapper takes."""

    message_name: Text = ""
    input_fields: Items[DataMapField] = ()


class DataMap(_Json):
    """Which field a DataMapper writes to which."""

    map_inputs: Items[DataMapInput] = ()


class BlueprintNode(_Json):
    """One container of a solution, or what Acumos has instead of one."""

    container_name: Name
    node_type: Text = NodeType.MODEL.value
    image: Text = ""
    proto_uri: Text = ""
    operation_signature_list: Items[BlueprintOperation] = ()
    data_broker_map: Any = None
    splitter_map: SplitterMap | None = None
    collator_map: CollatorMap | None = None
    data_map: DataMap | None = None
    eoloom: Any = None
    """The node of our pipeline file."""

    @property
    def type(self) -> NodeType | None:
        """The type, in whatever case it is written; None if it is none that is known."""
        known = {type_.value.lower(): type_ for type_ in NodeType}
        return known.get(self.node_type.lower() or NodeType.MODEL.value.lower())


class ProbeIndicator(_Json):
    """Whether a probe is wanted, as text."""

    value: Text = ""


class Blueprint(_Json):
    """The content of blueprint.json."""

    name: Text = ""
    version: Text = ""
    nodes: Items[BlueprintNode] = ()
    probe_indicator: Items[ProbeIndicator] = Field(default=(), alias="probeIndicator")
    eoloom: Any = None
    """Of our pipeline file what belongs to no node."""


class DockerInfo(_Json):
    """Where one container serves."""

    container_name: Name
    ip_address: Annotated[str, AfterValidator(_host)]
    port: int = Field(ge=1, le=65_535)


class DockerInfos(_Json):
    """The content of dockerinfo.json."""

    docker_info_list: Items[DockerInfo]


ModelT = TypeVar("ModelT", bound=_Json)


def parse_blueprint(text: str | bytes) -> Blueprint:
    """Read the text of a blueprint.json. Raises SolutionError."""
    values = _load(text, "blueprint.json")
    nodes = values.get("nodes")
    if isinstance(nodes, list) and len(nodes) > MAX_NODES:
        raise SolutionError(
            f"blueprint.json: it has {len(nodes)} nodes; at most {MAX_NODES} can be"
        )
    blueprint = _validate(Blueprint, values, "blueprint.json")
    links = sum(len(o.connected_to) for n in blueprint.nodes for o in n.operation_signature_list)
    if links > MAX_LINKS:
        raise SolutionError(f"blueprint.json: it has {links} links; at most {MAX_LINKS} can be")
    return blueprint


def parse_dockerinfo(text: str | bytes) -> tuple[DockerInfo, ...]:
    """Read the text of a dockerinfo.json. Raises SolutionError."""
    values = _load(text, "dockerinfo.json")
    entries = values.get("docker_info_list")
    if isinstance(entries, list) and len(entries) > 2 * MAX_NODES:
        raise SolutionError(f"dockerinfo.json: it has {len(entries)} containers; that is too many")
    return _validate(DockerInfos, values, "dockerinfo.json").docker_info_list


def _load(text: str | bytes, name: str) -> dict[str, Any]:
    if len(text) > MAX_BYTES:
        raise SolutionError(f"{name}: larger than {MAX_BYTES} bytes")
    try:
        values = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise SolutionError(f"{name}: not JSON: {error}") from error
    if not isinstance(values, dict):
        raise SolutionError(f"{name}: not a JSON object")
    return values


def _refuse_constant(constant: str) -> None:
    raise ValueError(f"{constant} is not a number of JSON")


def _validate(model: type[ModelT], values: dict[str, Any], name: str) -> ModelT:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        findings = explain(error, model, values)
        shown = "; ".join(map(str, findings[:MAX_FINDINGS]))
        hidden = len(findings) - MAX_FINDINGS
        more = f"; and {hidden} more" if hidden > 0 else ""
        raise SolutionError(f"{name}: {shown}{more}") from error
