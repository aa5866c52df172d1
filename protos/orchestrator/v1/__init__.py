"""Version 1 of the orchestrator's own contract; generated."""
