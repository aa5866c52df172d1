"""Pipelines on a Kubernetes cluster: apply objects, wait for them, look into them, remove them.

Here belongs everything that talks to a cluster, with the official client (the extra `k8s`). It
takes objects as plain dicts; of which a pipeline is made, `orchestrator.render` decides.

Everything is synchronous: the client is. What runs beside an event loop goes into threads.
"""
