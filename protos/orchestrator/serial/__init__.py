"""The older, serial orchestrator of AI4EU Experiments as its clients call it."""
