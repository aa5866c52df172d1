"""Serves the component: `python -m components.s2_preprocess`."""

from components.kit import serve
from components.s2_preprocess.params import Parameters
from components.s2_preprocess.service import S2Preprocess
from protos.s2_preprocess.v1 import s2_preprocess_pb2

if __name__ == "__main__":
    serve(s2_preprocess_pb2.DESCRIPTOR.services_by_name["S2Preprocess"], S2Preprocess(), Parameters)
