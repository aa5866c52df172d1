"""Contracts: what components, composer and orchestrator say to each other.

The path of a .proto is its Python import path. Here belong .proto files, the code that
`scripts/gen_protos.py` makes of them, and `common/stac.py`, which says what an Item means in STAC.
Nothing that opens a file, a socket or a raster belongs here.
"""
