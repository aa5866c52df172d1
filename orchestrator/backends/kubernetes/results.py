"""Bring the runs of a deployment, with their results, from its volume to this machine."""

from __future__ import annotations

import tarfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TextIO

from orchestrator.backends.kubernetes.channels import run_in_pod
from orchestrator.backends.kubernetes.cluster import Cluster
from orchestrator.backends.kubernetes.deployments import find
from orchestrator.backends.kubernetes.errors import ClusterError
from orchestrator.backends.kubernetes.logs import read_logs
from orchestrator.backends.kubernetes.objects import Object, ObjectKey, selector_of
from orchestrator.backends.kubernetes.reasons import pod_reasons
from orchestrator.errors import OrchestratorError, SettingsError
from orchestrator.render import labels

_START_TIMEOUT_S: Final = 300.0
_ATTEMPTS: Final = 5
_READER: Final = "reader"

# Writes a tar of all files behind a name, in the order of names, so that it can go on.
_SEND: Final = """
import os, sys, tarfile
folder, after = sys.argv[1:]
names = []
for parent, _, files in os.walk(folder):
    names += [os.path.relpath(os.path.join(parent, name), folder) for name in files]
with tarfile.open(fileobj=sys.stdout.buffer, mode="w|") as archive:
    for name in sorted(name for name in names if name > after):
        path = os.path.join(folder, name)
        if os.path.isfile(path) and not os.path.islink(path):
            archive.add(path, name, recursive=False)
"""


@dataclass(frozen=True)
class Fetched:
    """What has been brought: files and their bytes."""

    files: int
    bytes: int


def fetch_runs(
    cluster: Cluster,
    name: str,
    folder: Path,
    tell: Callable[[str, int], None] = lambda *_: None,
) -> Fetched:
    """Copy all runs of a deployment into a folder, to be read as a runs folder.

    A pod that only reads mounts the volume, sends the files and is removed. Where the connection
    breaks, it goes on behind the last whole file. tell: called with name and size of each file.
    Raises ClusterError where the deployment has no run or the pod cannot start, SettingsError
    where the folder cannot be written.
    """
    job = _job_of(cluster, name)
    _, root = find(cluster, name)
    with _reader(cluster, job, root) as (pod, path):
        after, files, size, attempts = "", 0, 0, 0
        while True:
            try:
                command = ["python", "-c", _SEND, path, after]
                for file, length in _unpack(run_in_pod(cluster, pod, _READER, command), folder):
                    after, files, size, attempts = file, files + 1, size + length, 0
                    tell(file, length)
                return Fetched(files, size)
            except (ConnectionError, tarfile.ReadError) as error:
                attempts += 1
                if attempts >= _ATTEMPTS:
                    raise ClusterError(
                        f"the connection broke {attempts} times behind {after or 'the start'}: "
                        f"{error}; what has come is in {folder}"
                    ) from error
                time.sleep(attempts)


def fetch_logs(cluster: Cluster, name: str, folder: Path) -> tuple[str, ...]:
    """Write what the pods have said beside the run, as `<run>/logs/<node>.log`; return the nodes.

    Of pods that have been replaced there is nothing left to read. Raises SettingsError where the
    folder cannot be written.
    """
    run = (_job_of(cluster, name)["metadata"].get("annotations") or {}).get(labels.RUN) or "."
    logs = folder / run / "logs"
    nodes: dict[str, TextIO] = {}
    try:
        with ExitStack() as files:
            for line in read_logs(cluster, name):
                if line.node not in nodes:
                    logs.mkdir(parents=True, exist_ok=True)
                    path = logs / f"{line.node}.log"
                    nodes[line.node] = files.enter_context(path.open("w", encoding="utf-8"))
                nodes[line.node].write(f"{line.text}\n")
    except (ConnectionError, TimeoutError) as error:
        raise ClusterError(f"the logs of {name} broke off: {error}") from error
    except OSError as error:
        raise SettingsError(f"cannot write into {logs}: {error.strerror}") from error
    return tuple(sorted(nodes))


def _job_of(cluster: Cluster, name: str) -> dict[str, Any]:
    selector = selector_of(name, labels.ORCHESTRATOR_ROLE)
    jobs, _ = cluster.list(cluster.resource("batch/v1", "Job"), labels=selector)
    if not jobs:
        raise ClusterError(f"the deployment {name} has no run whose results could be brought")
    return max(jobs, key=lambda job: str(job["metadata"].get("creationTimestamp")))


@contextmanager
def _reader(cluster: Cluster, job: Object, root: Object) -> Iterator[tuple[ObjectKey, str]]:
    """Run a pod that reads the volume of a run; yield its key and where the runs are in it."""
    pod, path = _reader_of(job, root)
    key = ObjectKey("v1", "Pod", cluster.namespace, pod["metadata"]["name"])
    cluster.apply(pod)
    try:
        _wait_until_running(cluster, key)
        yield key, path
    finally:
        with suppress(OrchestratorError):
            cluster.delete(key)


def _reader_of(job: Object, root: Object) -> tuple[dict[str, Any], str]:
    """Return a pod that mounts what the run's orchestrator writes, to read, and where it is.

    root: its owner, so that it goes with the deployment.
    """
    name = root["metadata"]["name"]
    owner = {"apiVersion": root["apiVersion"], "kind": root["kind"], "name": name}
    spec = job["spec"]["template"]["spec"]
    container = spec["containers"][0]
    claims = {each["name"] for each in spec.get("volumes") or [] if "persistentVolumeClaim" in each}
    mounts = [each for each in container.get("volumeMounts") or [] if each["name"] in claims]
    if not mounts:
        raise ClusterError(f"the run of {name} keeps its results on no volume")
    mount = {**mounts[0], "readOnly": True}
    copied = ("securityContext", "imagePullSecrets", "nodeSelector", "tolerations")
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{name[:40].rstrip('-')}-{_READER}-{uuid.uuid4().hex[:8]}",
            "namespace": root["metadata"]["namespace"],
            "ownerReferences": [owner | {"uid": root["metadata"]["uid"]}],
            "labels": {
                labels.INSTANCE: name,
                labels.MANAGED_BY: labels.MANAGER,
                labels.ROLE: _READER,
            },
        },
        "spec": {
            **{field: spec[field] for field in copied if field in spec},
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "restartPolicy": "Never",
            # It ends by itself, should nobody be left to remove it.
            "activeDeadlineSeconds": 24 * 3600,
            "containers": [
                {
                    "name": _READER,
                    "image": container["image"],
                    "command": ["python", "-c", "import signal; signal.pause()"],
                    "resources": {
                        "requests": {"cpu": "50m", "memory": "64Mi"},
                        "limits": {"memory": "256Mi"},
                    },
                    "securityContext": container.get("securityContext") or {},
                    "volumeMounts": [mount],
                }
            ],
            "volumes": [
                each for each in spec.get("volumes") or [] if each["name"] == mount["name"]
            ],
            "terminationGracePeriodSeconds": 0,
        },
    }
    return pod, str(mount["mountPath"])


def _wait_until_running(cluster: Cluster, key: ObjectKey) -> None:
    """Wait for the reader. Raises ClusterError with the reason where it does not start."""
    deadline = time.monotonic() + _START_TIMEOUT_S
    pause = threading.Event()
    while True:
        pod = cluster.get(key) or {}
        phase = (pod.get("status") or {}).get("phase")
        if phase == "Running":
            return
        reasons = pod_reasons(pod) if phase in {"Pending", "Failed"} else []
        if time.monotonic() > deadline or any(not reason.may_pass for reason in reasons):
            why = "; ".join(reason.text for reason in reasons) or f"it is {phase or 'gone'}"
            raise ClusterError(f"the pod that reads the results does not start: {why}")
        pause.wait(0.5)


class _Stream:
    """The chunks of a generator as a file that can be read once."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = b""

    def read(self, size: int) -> bytes:
        """Return up to so many bytes; fewer only at the end."""
        parts = [self._rest]
        length = len(self._rest)
        while length < size:
            chunk = next(self._chunks, b"")
            if not chunk:
                break
            parts.append(chunk)
            length += len(chunk)
        found = b"".join(parts)
        self._rest = found[size:]
        return found[:size]


def _unpack(chunks: Iterator[bytes], folder: Path) -> Iterator[tuple[str, int]]:
    """Unpack a tar as it comes; yield name and size of each file once it is whole.

    What would leave the folder, and what is no plain file, is refused (tarfile's `data` filter).
    """
    stream: Any = _Stream(chunks)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for entry in archive:
                archive.extract(entry, folder, filter="data")
                yield entry.name, entry.size
    except tarfile.FilterError as error:
        raise ClusterError(f"the volume holds what cannot be brought: {error}") from error
    except (ConnectionError, tarfile.ReadError):
        raise
    except OSError as error:
        raise SettingsError(f"cannot write into {folder}: {error.strerror}") from error
    for _ in chunks:  # the end of the command tells whether it succeeded
        pass
