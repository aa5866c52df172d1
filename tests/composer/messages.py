"""Message classes of contracts that tests make up: protobuf's own library, to compare with."""

from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

from composer.contract import Contract, read_contract
from composer.protoc import compile_proto

EVERYTHING = """
syntax = "proto3";
enum Colour { NONE = 0; RED = 1; GREEN = -2; }
message Leaf { string text = 1; sint32 value = 2; repeated Leaf more = 3; }
message Everything {
  double f_double = 1; float f_float = 2; int32 f_int32 = 3; int64 f_int64 = 4;
  uint32 f_uint32 = 5; uint64 f_uint64 = 6; sint32 f_sint32 = 7; sint64 f_sint64 = 8;
  fixed32 f_fixed32 = 9; fixed64 f_fixed64 = 10; sfixed32 f_sfixed32 = 11;
  sfixed64 f_sfixed64 = 12; bool f_bool = 13; string f_string = 14; bytes f_bytes = 15;
  Colour f_colour = 16; Leaf f_leaf = 17;
  repeated double r_double = 101; repeated int32 r_int32 = 103; repeated sint64 r_sint64 = 108;
  repeated fixed32 r_fixed32 = 109; repeated bool r_bool = 113; repeated string r_string = 114;
  repeated bytes r_bytes = 115; repeated Colour r_colour = 116; repeated Leaf r_leaf = 117;
  repeated int32 r_unpacked = 118 [packed = false];
  map<string, int32> m_int32 = 201; map<sint64, Leaf> m_leaf = 202; map<bool, Colour> m_bool = 203;
  optional int32 o_int32 = 301;
  oneof choice { string c_string = 401; Leaf c_leaf = 402; }
}
message Empty {}
service Model {
  rpc begin(Empty) returns (Everything);
  rpc change(Everything) returns (Everything);
  rpc look(Leaf) returns (Leaf);
}
"""


class Messages:
    """One compiled contract: as the composer reads it, and as protobuf's message classes."""

    def __init__(self, text: str, service: str) -> None:
        descriptors = compile_proto(text)
        self.contract: Contract = read_contract(descriptors, service)
        self._pool = DescriptorPool()
        for file in FileDescriptorSet.FromString(descriptors).file:
            self._pool.Add(file)

    def make(self, name: str, **fields: Any) -> Any:
        return GetMessageClass(self._pool.FindMessageTypeByName(name))(**fields)

    def parse(self, name: str, payload: bytes) -> Any:
        return GetMessageClass(self._pool.FindMessageTypeByName(name)).FromString(payload)
