"""Serves the component: `python -m components.stac_source`."""

from components.kit import serve
from components.stac_source.params import Parameters
from components.stac_source.service import StacSource
from protos.stac_source.v1 import stac_source_pb2

if __name__ == "__main__":
    serve(stac_source_pb2.DESCRIPTOR.services_by_name["StacSource"], StacSource(), Parameters)
