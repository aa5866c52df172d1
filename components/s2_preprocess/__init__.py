"""Sentinel-2 Level-1C and Level-2A to masked surface or top-of-atmosphere reflectance.

Here belongs what turns one delivered scene into reflectance on a grid, and what registers a series
of such scenes. Comparing, compositing or classifying scenes does not belong here.
"""
