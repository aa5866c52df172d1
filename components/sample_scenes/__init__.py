"""Simulated Sentinel-2 scenes: a landscape, its seasons and changes, and how a satellite sees it.

Here belongs what makes scenes up. Reading, correcting or analysing scenes does not.
"""
