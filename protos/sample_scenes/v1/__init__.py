"""Version 1 of the contract of sample-scenes; generated."""
