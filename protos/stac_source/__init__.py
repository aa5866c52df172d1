"""Contracts of the component stac-source."""
