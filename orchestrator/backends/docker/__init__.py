"""Components as containers of a Docker engine, one network and one set of labels per run.

Everything that this package makes carries the run's labels, so that it can be removed by anybody
who knows them: the backend when the run ends, the reaper when the orchestrator was killed,
`eoloom stop` when both are gone. Building and pushing images belongs to `orchestrator.images`.
"""
