"""Container images of components: their names, building, pushing, pulling.

Starting containers of them belongs to the backends.
"""
