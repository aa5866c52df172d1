"""The service as a process that a test can stop or kill.

    python -m tests.orchestrator.service.service_process COMPONENTS RUNS

Says its address on standard output.
"""

from __future__ import annotations

import sys
from pathlib import Path

from composer.registry import Registry
from orchestrator.service.server import serve
from orchestrator.service.settings import ServiceSettings
from orchestrator.settings import OrchestratorSettings

if __name__ == "__main__":
    components, runs = map(Path, sys.argv[1:])
    registry = Registry.discover([components], built_in=False)
    serve(
        ServiceSettings(address="127.0.0.1:0"),
        OrchestratorSettings(runs_folder=runs, stop_grace_s=2),
        registry_of=lambda _: registry,
        listening=lambda address: print(address, flush=True),
    )
