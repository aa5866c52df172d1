"""The contract by which AI4EU Experiments starts and watches its orchestrator; generated."""
