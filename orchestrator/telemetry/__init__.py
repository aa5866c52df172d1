"""What operators see of runs: metrics for Prometheus, traces for OpenTelemetry, live lineage.

Here belongs what turns events and calls into measurements and sends them. It only watches: a slow
or absent receiver never slows or fails a run. What is wanted is said by settings and by the
standard variables; nothing is loaded where nothing is wanted.
"""
