"""How long it takes from `eoloom deploy` to the first message, on a cluster.

    python benchmarks/deploy.py examples/demo.yaml --profile FILE --namespace NAME [--context NAME]

It deploys the pipeline under a name of its own, follows the log of the orchestrator until the
first count of answers, prints the seconds of each part, and removes what it has deployed, the claim
too. Images have to be in the registry. Run it twice: the first time nodes pull the images.
"""

from __future__ import annotations

import argparse
import json
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from composer.graph import compose
from composer.pipeline_file import load_pipeline
from composer.registry import Registry
from orchestrator.backends.kubernetes.apply import Deployer
from orchestrator.backends.kubernetes.connection import connect
from orchestrator.backends.kubernetes.deployments import undeploy
from orchestrator.backends.kubernetes.logs import LogLine, follow_logs
from orchestrator.backends.kubernetes.readiness import wait_until_ready
from orchestrator.component_files import component_files
from orchestrator.profiles import load_profile
from orchestrator.render import RenderOptions, render


def main() -> None:
    """Deploy, wait for a message, undeploy, and print how long each took."""
    arguments = _arguments()
    graph = compose(load_pipeline(arguments.pipeline), Registry.discover())
    profile = load_profile(arguments.profile, arguments.profile_set)
    name = f"benchmark-{uuid.uuid4().hex[:6]}"
    with closing(connect(arguments.context, arguments.namespace)) as cluster:
        options = RenderOptions(
            name=name, namespace=cluster.namespace, files=component_files(graph)
        )
        deployer = Deployer(cluster, render(graph, profile, options))
        started = time.monotonic()
        deployer.preview()
        _print("checked by dry run", started)
        try:
            deployer.apply()
            _print("applied", started)
            readiness = wait_until_ready(cluster, name, timeout_s=arguments.timeout)
            if not readiness.is_ready:
                raise SystemExit("\n".join(map(str, readiness.reasons)) or "not ready in time")
            _print("all components ready", started)
            _wait_for_message(follow_logs(cluster, name, "orchestrator"), arguments.timeout)
            _print("first message", started)
        finally:
            removing = time.monotonic()
            undeploy(cluster, name, delete_results=True)
            _print("removed (from its beginning)", removing)


def _wait_for_message(lines: Iterator[LogLine], timeout_s: float) -> None:
    """Read the orchestrator's events until an operation has answered."""
    deadline = time.monotonic() + timeout_s
    for line in lines:
        try:
            record = json.loads(line.text)
        except ValueError:
            continue
        detail = record.get("detail") if isinstance(record, dict) else None
        if isinstance(detail, dict) and detail.get("answered"):
            return
        if time.monotonic() > deadline:
            raise SystemExit("no message in time")


def _print(what: str, since: float) -> None:
    print(f"{what:32} {time.monotonic() - since:8.2f} s", flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("pipeline", type=Path)
    parser.add_argument("--profile", default="plain")
    parser.add_argument("--profile-set", action="append", default=[], metavar="FIELD=VALUE")
    parser.add_argument("--namespace", default="")
    parser.add_argument("--context", default="")
    parser.add_argument("--timeout", type=float, default=900)
    return parser.parse_args()


if __name__ == "__main__":
    main()
