"""A pipeline as Kubernetes objects: plain dictionaries, made without asking anybody.

Here belong what the objects look like, their names and labels, and checks of them without a
cluster. Nothing here reads a file, opens a connection or knows a Kubernetes client; what applies
objects and watches them is a backend.

    objects.py      all objects of a pipeline: `render`
    project.py      namespace, quota and limits of a project: `render_project`
    options.py      what may be asked for           context.py  what the parts below share
    names.py, labels.py, quantities.py
    components.py   Deployment, Service, disruption budget and autoscaler of a node
    pods.py         security, probes, volumes and placement of a pod
    data.py         which nodes read data from outside, and with which keys
    network.py      who may talk to whom
    outside.py      URLs that this would keep pods from
    tls.py          certificates for it
    storage.py      the claim for what is computed, and the volume behind it
    run_job.py      the run: its Job and what it reads
    ownership.py    one root collects the rest
    kustomize.py    a folder for `kubectl apply -k`
    checks/         what can be known to be wrong before a cluster says so
"""

from orchestrator.render.objects import certificate_hosts, images_of, render
from orchestrator.render.options import Orchestrator, RenderOptions
from orchestrator.render.project import render_project

__all__ = [
    "Orchestrator",
    "RenderOptions",
    "certificate_hosts",
    "images_of",
    "render",
    "render_project",
]
