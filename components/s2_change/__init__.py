"""Change between consecutive Sentinel-2 scenes.

Here belong change vector analysis, MAD and IR-MAD, their thresholds, and what is made of a change:
classes, patches, statistics, a picture. Cloud masking and alignment belong to s2-preprocess.
"""
