import os
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_tools import protoc as installed

from composer.errors import ProtoError
from composer.protoc import MAX_PROTO_BYTES, Limits, compile_proto

HEAD = 'syntax = "proto3";\n'
EVERYTHING = (
    HEAD
    + """
package deep.down;
import "google/protobuf/timestamp.proto";
import "google/protobuf/empty.proto";
enum Level { LOW = 0; HIGH = 1; }
message Outer {
  message Inner { optional int32 count = 1; }
  map<string, Inner> inner = 1;
  oneof choice { Level level = 2; google.protobuf.Timestamp at = 3; }
  repeated Outer more = 4;
}
service First { rpc begin(google.protobuf.Empty) returns (stream Outer); }
service Second { rpc change(stream Outer) returns (Outer); }
"""
)


def error_of(text: str, limits: Limits | None = None) -> ProtoError:
    with pytest.raises(ProtoError) as caught:
        compile_proto(text, limits or Limits())
    return caught.value


def test_a_whole_language_compiles_as_protoc_does_itself(tmp_path: Path) -> None:
    found = FileDescriptorSet.FromString(compile_proto(EVERYTHING))
    (tmp_path / "contract.proto").write_text(EVERYTHING)
    well_known = Path(installed.__file__).with_name("_proto")
    arguments = [f"-I{tmp_path}", f"-I{well_known}", "--include_imports"]
    target = tmp_path / "expected"
    command = ["protoc", *arguments, f"--descriptor_set_out={target}", "contract.proto"]
    assert installed.main(command) == 0
    assert found == FileDescriptorSet.FromString(target.read_bytes())
    pool = DescriptorPool()
    for file in found.file:
        pool.Add(file)
    assert [s.name for s in found.file[-1].service] == ["First", "Second"]
    assert pool.FindMessageTypeByName("deep.down.Outer.Inner")


def test_the_same_text_gives_the_same_bytes() -> None:
    assert compile_proto(EVERYTHING) == compile_proto(EVERYTHING)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (HEAD + "message A {\n  Unknown x = 1;\n}", 3, 'line 3: "Unknown" is not defined.'),
        (HEAD + "message A {}\nmessage A {}", 3, 'line 3: "A" is already defined.'),
        (HEAD + "message A { int32 x = 1 }", 2, "line 2: "),
        (HEAD + 'import "other.proto";', 2, 'line 2: Import "other.proto" was not found'),
        (HEAD + 'import "contract.proto";', 2, "recursively"),
        (HEAD + 'import "/etc/passwd";', 2, "was not found"),
        (HEAD + 'import "google/protobuf/../../../../etc/passwd";', 2, "was not found"),
        (HEAD + 'import "../said";', 2, "was not found"),
        ('syntax = "proto2"; message A {}', None, "it is not proto3"),
        ('edition = "2023"; message A {}', None, "it is not proto3"),
        ("", None, "it is not proto3"),
        (HEAD + "message \0 {}", None, "NUL"),
        (HEAD + "// \ud800", None, "not Unicode"),
        (HEAD + "message A {" * 5_000 + "}" * 5_000, 2, "recursion"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, line: int | None, words: str) -> None:
    error = error_of(text)
    assert error.line == line
    assert words in str(error)
    assert "contract.proto:" not in str(error)
    assert "\n" not in str(error)


def test_no_path_of_this_computer_is_in_the_message() -> None:
    assert "/" not in str(error_of(HEAD + "message A { B b = 1; }"))


def test_of_many_mistakes_the_first_are_named_and_the_rest_counted() -> None:
    fields = "".join(f"Unknown{i} f{i} = {i + 1};" for i in range(40))
    assert str(error_of(HEAD + f"message A {{ {fields} }}")).endswith("; and 35 more")


def test_the_size_of_the_text_is_bounded() -> None:
    assert "larger than" in str(error_of(HEAD + "/" * MAX_PROTO_BYTES))
    assert "larger than" in str(error_of(HEAD + "//" + "é" * (MAX_PROTO_BYTES // 2)))


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(time_s=0.001), "more than 0.001 s"),
        (Limits(output_bytes=8), "needs too much"),
        (Limits(memory_bytes=24 << 20), "needs too much"),
    ],
)
def test_protoc_may_use_so_much_and_no_more(limits: Limits, words: str) -> None:
    text = HEAD + "".join(f"message M{i} {{ string a = 1; }}" for i in range(2_000))
    assert words in str(error_of(text, limits))


def test_the_process_sees_neither_environment_nor_our_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of protoc's name in the current folder or on PYTHONPATH is not what runs."""
    (tmp_path / "grpc_tools.py").write_text("raise SystemExit('wrong program')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.fspath(tmp_path))
    assert compile_proto(HEAD + "message A {}")
