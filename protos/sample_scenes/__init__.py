"""Contracts of the component sample-scenes."""
