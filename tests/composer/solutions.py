"""Solutions as the Design Studio of AI4EU Experiments and its deployer write them."""

import json
from typing import Any

BOARD = """\
syntax = "proto3";

message Empty {
}

message Job { repeated int32 field = 1; }
message Verdict { int32 status = 1; repeated int32 field = 2; }

service Board {
  rpc requestEvaluation(Empty) returns (stream Job);
  rpc showVerdict(stream Verdict) returns (Empty);
}
"""
JUDGE = """\
syntax = "proto3";
message Empty {}
message Job { repeated int32 field = 1; }
message Verdict { int32 status = 1; repeated int32 field = 2; }
message Task { string program = 1; Options options = 2; }
message Options { int32 number = 1; }
message Answers { repeated string answers = 1; }
service Judge {
  rpc evaluate(Job) returns (Verdict);
  rpc callSolver(Empty) returns (stream Task);
  rpc takeAnswers(stream Answers) returns (Empty);
}
"""
SOLVER = """\
syntax = "proto3";
message Task { string program = 1; Options options = 2; }
message Options { int32 number = 1; }
message Answers { repeated string answers = 1; }
service Solver { rpc solve(Task) returns (Answers); }
"""


def operation(
    name: str, taken: str, given: str, *targets: tuple[str, str], **streams: bool
) -> dict[str, Any]:
    return {
        "operation_signature": {
            "operation_name": name,
            "input_message_name": taken,
            "output_message_name": given,
            **streams,
        },
        "connected_to": [
            {"container_name": container, "operation_signature": {"operation_name": other}}
            for container, other in targets
        ],
    }


def node(name: str, *operations: dict[str, Any], **fields: Any) -> dict[str, Any]:
    plain = name.rstrip("0123456789_").lower()
    return {
        "container_name": name,
        "node_type": "MLModel",
        "image": f"registry.example:7444/games/{plain}:1.5",
        "proto_uri": f"org/acumos/5e97198e/{plain}/1.5.0/{plain}-1.5.0.proto",
        "operation_signature_list": list(operations),
        **fields,
    }


def blueprint(*nodes: dict[str, Any], **fields: Any) -> str:
    values = {
        "name": "Game Of Boards",
        "version": "1",
        "input_ports": [],
        "nodes": list(nodes),
        "probeIndicator": [{"value": "false"}],
        **fields,
    }
    return json.dumps(values)


def dockerinfo(*names: str) -> str:
    """Names lowered and ports as text, as the deploy script leaves them."""
    entries = [
        {"container_name": name.lower(), "ip_address": name.lower(), "port": str(30_000 + n)}
        for n, name in enumerate((*names, "orchestrator"))
    ]
    return json.dumps({"docker_info_list": entries})


def game() -> tuple[str, str, dict[str, str]]:
    """Two operations of the board, three of the judge, and a solver; a cycle of containers."""
    text = blueprint(
        node(
            "Board1",
            operation(
                "requestEvaluation",
                "Empty",
                "Job",
                ("Judge1", "evaluate"),
                output_message_stream=True,
            ),
            operation("showVerdict", "Verdict", "Empty", input_message_stream=True),
        ),
        node(
            "Judge1",
            operation("evaluate", "Job", "Verdict", ("Board1", "showVerdict")),
            operation("callSolver", "Empty", "Task", ("Solver1", "solve")),
            operation("takeAnswers", "Answers", "Empty"),
        ),
        node("Solver1", operation("solve", "Task", "Answers", ("Judge1", "takeAnswers"))),
    )
    protos = {"Board1.proto": BOARD, "judge1.proto": JUDGE, "Solver1.proto": SOLVER}
    return text, dockerinfo("Board1", "Judge1", "Solver1"), protos
