import pytest

from composer.contract import Kind
from composer.errors import ContractError, ManifestError, PipelineError, ProtoError
from composer.flatten import flatten
from composer.graph import compose
from composer.manifest import NodeType
from composer.onboarding import onboard
from composer.parameters import ParameterSchema
from composer.pipeline_file import parse_pipeline
from composer.registry import Registry

GREETER = """
syntax = "proto3";
import "google/protobuf/empty.proto";
package demo.greet;
enum Mood { CALM = 0; GLAD = 1; }
message Person { optional string name = 1; Mood mood = 2; Person friend = 3; map<string, Person> kin = 4; }
message Greeting { string text = 1; }
service Source { rpc people(google.protobuf.Empty) returns (stream Person); }
service Greeter { rpc greet(Person) returns (Greeting); }
"""  # noqa: E501
OTHER = """
syntax = "proto3";
message Person { optional string full_name = 1; Temper temper = 2; Person mate = 3; map<string, Person> all = 4; }
enum Temper { COLD = 0; }
message Nothing {}
service Reader { rpc read(Person) returns (Nothing); }
"""  # noqa: E501


def test_operations_and_ports_follow_from_the_contract() -> None:
    component = onboard("registry.example:5000/team/greeter:2.1", GREETER, service="Source")
    manifest, contract = component.manifest, component.contract
    assert component.reference == "greeter@1.0.0"
    assert component.is_onboarded
    assert manifest.image == "registry.example:5000/team/greeter:2.1"
    assert manifest.command == ()
    assert manifest.service == contract.service == "demo.greet.Source"
    assert manifest.node_type is NodeType.MODEL
    assert [str(o) for o in contract.operations.values()] == [
        "people(google.protobuf.Empty) returns (stream demo.greet.Person)"
    ]
    assert contract.operations["people"].kind is Kind.SOURCE
    assert contract.enums["demo.greet.Mood"] == {"CALM": 0, "GLAD": 1}
    assert component.proto_text == GREETER


def test_several_services_are_one_component() -> None:
    component = onboard("a", GREETER)
    services = ("demo.greet.Source", "demo.greet.Greeter")
    assert component.contract.services == services
    operations = component.contract.operations
    assert {name: operation.service for name, operation in operations.items()} == {
        "people": services[0],
        "greet": services[1],
    }
    assert list(component.manifest.operations) == ["people", "greet"]


def test_what_several_services_cannot_be() -> None:
    text = 'syntax = "proto3"; message M {} service %s { rpc f(M) returns (M); }'
    both = text % "A" + " service B { rpc f(M) returns (M); }"
    with pytest.raises(ContractError, match="A and B both have the rpc f; choose one"):
        onboard("a", both)
    assert onboard("a", both, service="B").contract.services == ("B",)
    with pytest.raises(ContractError, match=r"a@1\.0\.0 has the services .*more than one"):
        flatten(onboard("a", GREETER))


def test_one_of_several_services_is_chosen_by_name() -> None:
    assert onboard("a", GREETER, service="demo.greet.Greeter").contract.operations.keys() == {
        "greet"
    }
    with pytest.raises(ContractError, match=r"did you mean 'demo\.greet\.Greeter'"):
        onboard("a", GREETER, service="demo.greet.Greter")


def test_what_is_known_of_it_is_kept() -> None:
    schema = ParameterSchema({"type": "object", "properties": {"loud": {"type": "boolean"}}})
    component = onboard(
        "a/b",
        GREETER,
        name="hello",
        version="2.0.0",
        service="Greeter",
        title="Says hello",
        licence="MIT",
        keywords=["greeting"],
        node_type=NodeType.DATA_BROKER,
        schema=schema,
    )
    assert component.reference == "hello@2.0.0"
    assert component.manifest.licence == "MIT"
    assert component.manifest.keywords == ("greeting",)
    assert component.schema.names == ("loud",)


@pytest.mark.parametrize(
    ("image", "options", "words"),
    [
        ("a b", {}, "image: 'a b' is not the name of an image"),
        ("a;rm -rf", {"name": "a"}, "is not the name of an image"),
        ("--privileged", {"name": "a"}, "is not the name of an image"),
        ("a/../b", {"name": "b"}, "is not the name of an image"),
        ("a", {"name": "Not_A_Label"}, "name: 'Not_A_Label' must be lower-case"),
        ("a", {"version": "one"}, "version: 'one' is not a version"),
    ],
)
def test_names_that_cannot_be_are_refused(image: str, options: dict[str, str], words: str) -> None:
    with pytest.raises(ManifestError, match=words):
        onboard(image, OTHER, **options)  # type: ignore[arg-type]  # table of keywords


def test_files_without_anything_to_call_are_refused() -> None:
    with pytest.raises(ContractError, match="the file has no service"):
        onboard("a", 'syntax = "proto3"; message A {}')
    with pytest.raises(ContractError, match="no service of the file has an rpc: S"):
        onboard("a", 'syntax = "proto3"; service S {}')
    with pytest.raises(ContractError, match="the service S has no rpc"):
        onboard("a", 'syntax = "proto3"; service S {}', service="S")
    with pytest.raises(ProtoError, match="line 1"):
        onboard("a", 'syntax = "proto3"; service S { rpc f(A) returns (A); }')


def test_equal_names_with_different_contents_live_in_one_pipeline() -> None:
    """Person has other names of fields, and enums of other values, in each contract."""
    registry = Registry(
        [onboard("a", GREETER, name="people", service="Source"), onboard("b", OTHER, name="reader")]
    )
    pipeline = parse_pipeline(
        "name: demo\nnodes: {a: {component: people}, b: {component: reader}}\n"
        "links: [a.people -> b.read]"
    )
    graph = compose(pipeline, registry)
    sent, taken = (operation.node.component.contract for operation in graph.operations)
    assert sent.messages["demo.greet.Person"] != taken.messages["Person"]


def test_equal_names_that_do_not_match_are_told_apart() -> None:
    text = (
        'syntax = "proto3"; message M { %s v = 1; } message E {} '
        "service %s { rpc f(%s) returns (%s); }"
    )
    registry = Registry(
        [
            onboard("a", text % ("int32", "A", "E", "M"), name="one"),
            onboard("b", text % ("string", "B", "M", "E"), name="two"),
            onboard("c", text % ("int32", "C", "M", "E"), name="three"),
        ]
    )
    pipeline = "name: demo\nnodes: {a: {component: one}, b: {component: %s}}\nlinks: [a.f -> b.f]"
    assert compose(parse_pipeline(pipeline % "three"), registry)
    with pytest.raises(PipelineError, match=r"int32.* is sent, .*string.* is expected"):
        compose(parse_pipeline(pipeline % "two"), registry)
