"""Version 1 of the contract of s2-preprocess; generated."""
