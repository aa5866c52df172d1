"""Whether the job of a run is at work."""

from __future__ import annotations

from orchestrator.backends.kubernetes.cluster import Cluster
from orchestrator.backends.kubernetes.objects import Object, is_finished

_JOB_NAME = "job-name"  # a label of every pod of a job


def is_at_work(cluster: Cluster, job: Object) -> bool:
    """Return whether a job has begun and not ended; one whose pods only wait has computed nothing.

    Pods that were lost count: what they did is on the volume, and the next one goes on with it.
    """
    if is_finished(job):
        return False
    if (job.get("status") or {}).get("failed"):
        return True
    selector = f"{_JOB_NAME}={job['metadata']['name']}"
    pods, _ = cluster.list(cluster.resource("v1", "Pod"), labels=selector)
    return any((pod.get("status") or {}).get("phase") != "Pending" for pod in pods)
