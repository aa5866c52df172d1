import json
from typing import Any

import pytest

from composer.blueprint import MAX_NODES, parse_blueprint, parse_dockerinfo
from composer.errors import SolutionError
from composer.manifest import NodeType
from tests.composer.solutions import blueprint, game, node, operation


def test_a_blueprint_of_the_design_studio_is_read() -> None:
    found = parse_blueprint(game()[0])
    assert found.name == "Game Of Boards"
    board = found.nodes[0]
    assert board.type is NodeType.MODEL
    request = board.operation_signature_list[0]
    assert request.operation_signature.output_message_stream
    assert not request.operation_signature.input_message_stream, "absent is false"
    assert request.connected_to[0].container_name == "Judge1"


def test_what_older_tools_leave_out_or_write_otherwise() -> None:
    text = json.dumps(
        {
            "name": None,
            "version": 2,
            "nodes": [
                {
                    "container_name": "A",
                    "node_type": "mlmodel",
                    "image": None,
                    "operation_signature_list": None,
                    "something_new": {"deep": [1]},
                }
            ],
        }
    )
    found = parse_blueprint(text)
    assert (found.name, found.version) == ("", "2")
    assert found.nodes[0].type is NodeType.MODEL
    assert (
        parse_blueprint('{"nodes": [{"container_name": "A", "node_type": "New"}]}').nodes[0].type
        is None
    )


def test_ports_are_numbers_or_text() -> None:
    entries = [
        {"container_name": "a", "ip_address": "10.0.0.1", "port": 8061},
        {"container_name": "b", "ip_address": "host.example", "port": "30002"},
        {"container_name": "c", "ip_address": "fe80::1", "port": 1},
    ]
    found = parse_dockerinfo(json.dumps({"docker_info_list": entries}))
    assert [(e.ip_address, e.port) for e in found] == [
        ("10.0.0.1", 8061),
        ("host.example", 30002),
        ("fe80::1", 1),
    ]


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"ip_address": "unix:/run/docker.sock"}, "is not the name or address of a host"),
        ({"ip_address": "/run/docker.sock"}, "is not the name or address of a host"),
        ({"ip_address": "a b"}, "is not the name or address of a host"),
        ({"ip_address": "fe80::1%eth0"}, "without a zone"),
        ({"port": 0}, "port: 0 should be greater than or equal to 1"),
        ({"port": 65_536}, "port"),
        ({"port": "eighty"}, "port: 'eighty' should be a valid integer"),
        ({"container_name": ""}, "container_name"),
    ],
)
def test_addresses_that_are_none(entry: dict[str, Any], words: str) -> None:
    good = {"container_name": "a", "ip_address": "a", "port": 1}
    with pytest.raises(SolutionError, match=r"^dockerinfo\.json: ") as caught:
        parse_dockerinfo(json.dumps({"docker_info_list": [good | entry]}))
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not JSON"),
        ("[]", "not a JSON object"),
        ('{"nodes": NaN}', "not JSON: NaN is not a number"),
        ("[" * 100_000, "not JSON"),
        ('{"nodes": 1' + "0" * 5_000 + "}", "not JSON"),
        (b"\xff\xfe\xff", "not JSON"),
        ('{"nodes": [{}]}', "container_name is missing"),
        ('{"nodes": [{"container_name": ["a"]}]}', "nodes.0.container_name"),
        (blueprint(node("A", operation("f; rm -rf /", "A", "B"))), "operation_name"),
        (blueprint(node("A", operation("f", "A", "B", ("B", "../g")))), "operation_name"),
        (" " * (5 << 20), "larger than"),
    ],
)
def test_what_is_no_blueprint_is_one_sentence(text: str | bytes, words: str) -> None:
    with pytest.raises(SolutionError, match=r"^blueprint\.json: ") as caught:
        parse_blueprint(text)
    assert words in str(caught.value)
    assert len(str(caught.value)) < 2_000


def test_the_number_of_nodes_and_links_is_bounded() -> None:
    many = [{"container_name": f"n{i}"} for i in range(10_000)]
    with pytest.raises(SolutionError, match=f"it has 10000 nodes; at most {MAX_NODES} can be"):
        parse_blueprint(json.dumps({"nodes": many}))
    targets = [("b", "g")] * 10_001
    with pytest.raises(SolutionError, match="it has 10001 links"):
        parse_blueprint(blueprint(node("a", operation("f", "A", "B", *targets))))
    entries = {"docker_info_list": [{}] * 3_000}
    with pytest.raises(SolutionError, match="3000 containers"):
        parse_dockerinfo(json.dumps(entries))
