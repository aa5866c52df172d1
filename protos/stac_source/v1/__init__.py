"""Version 1 of the contract of stac-source; generated."""
