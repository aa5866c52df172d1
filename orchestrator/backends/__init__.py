"""Where components are started: as local processes now; containers and clusters have their place.

A backend starts components, says where they answer and when they die, and stops what it started.
It knows nothing of messages, links or pipelines.
"""
