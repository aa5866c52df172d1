"""Contracts of the component s2-change."""
