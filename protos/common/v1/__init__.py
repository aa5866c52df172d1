"""Version 1 of the shared messages; generated from `item.proto`."""
