"""The orchestrator as a gRPC service: many runs at once, of users who do not see each other's.

Here belong the two contracts that it answers (`v1` is ours, `ai4eu` that of AI4EU Experiments), who
may call it, whose runs are whose, and who watches. How one run works does not (`engine`,
`embedded`), nor does what starts components (`backends`).

    server.py          listening, health, reflection, orderly stop; `serve`
    v1.py, ai4eu.py    the two services          messages.py, ai4eu_messages.py  what they answer
    runs.py            the runs of this process  ownership.py  whose they are, durably
    observers.py       bounded fan-out of events patterns.py   safe regular expressions
    authentication.py  who calls                 tokens.py     whose a bearer token is
    solutions.py       a blueprint as a plan     remote.py     runs of components elsewhere
    files.py           files of a run            texts.py      texts and values of bounded size
    listening.py       whether an address is free            settings.py, errors.py
"""
