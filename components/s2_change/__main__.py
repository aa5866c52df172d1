"""Serve s2-change."""

from components.kit import serve
from components.s2_change.params import Parameters
from components.s2_change.service import S2Change
from protos.s2_change.v1 import s2_change_pb2

serve(s2_change_pb2.DESCRIPTOR.services_by_name["S2Change"], S2Change(), Parameters)
