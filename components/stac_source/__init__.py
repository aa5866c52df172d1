"""Items from STAC catalogues on disk, over HTTP and behind STAC APIs, and from product folders.

Here belongs finding items and bringing their local files within reach of a run. Opening rasters
does not, nor does anything that knows what a sensor's values mean.
"""
