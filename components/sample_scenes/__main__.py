"""Serves the component: `python -m components.sample_scenes`."""

import os

# Blocks are rendered in as many threads as there are processors, and their matrix products are
# small: a second layer of threads in the linear algebra would only get in the way.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from components.kit import serve
from components.sample_scenes.params import Parameters
from components.sample_scenes.service import SampleScenes
from protos.sample_scenes.v1 import sample_scenes_pb2

if __name__ == "__main__":
    serve(sample_scenes_pb2.DESCRIPTOR.services_by_name["SampleScenes"], SampleScenes(), Parameters)
