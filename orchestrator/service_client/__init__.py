"""Runs at an orchestrator service (`eoloom serve`), as a client of it.

A run there is mirrored: it is entered under its id into the journal here, every event is written
down here, and what it leaves is copied into a folder like that of a run of this machine. Whatever
shows runs then needs to know nothing of services. What answers these calls is in
`orchestrator.service`, and how a run works in `orchestrator.embedded`.

    settings.py      where the service is, and the token  client.py    its calls
    mirrored_run.py  a run begun, resumed, stopped        mirror.py    followed to its end
    events.py        its events as ours                   copies.py    what it leaves, copied here
    paths.py         where a copy may lie                 errors.py
"""
