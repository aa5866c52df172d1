"""Contracts of the orchestrator itself."""
