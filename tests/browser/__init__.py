"""A real browser at a real page."""
