"""Where components are started: as local processes, in containers, on a cluster.

A backend starts components, says where they answer and when they die, and stops what it started.
It knows nothing of messages, links or pipelines.
"""
