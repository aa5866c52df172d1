"""A run of scripted components with a message log, as a process that a test can kill.

    python -m tests.fakes.resumable_run FOLDER

Ends with code 0 when the run has succeeded, and leaves what was emitted in FOLDER/emitted.json.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from orchestrator.backends.local import LocalBackend
from orchestrator.engine.message_log import MessageLog
from orchestrator.engine.plan import Plan
from orchestrator.engine.run import Run, State
from orchestrator.settings import OrchestratorSettings
from tests.orchestrator.conftest import make_plan, step


def plan(folder: Path) -> Plan:
    """Two sources of every kind, fan-in, all forms of operation, concurrency, a unary sink."""
    notes = str(folder / "notes.txt")
    slow = {"delays_s": [0.02, 0.005, 0.03], "notes": notes}
    steps = [
        step("stream", "produce", count=12, delays_s=[0.01]),
        step("poll", "poll", count=8, delays_s=[0.015]),
        step("work", "relay", {"concurrency": 3, "idempotent": True}, **slow),
        step("twice", "split", times=2, pause_s=0.01, **slow),
        step("pairs", "pair", delays_s=[0.01]),
        step("all", "gather"),
        step("end", "sink", file=str(folder / "sink.txt")),
    ]
    links = [
        "stream.produce -> work.relay",
        "poll.poll -> work.relay",
        "work.relay -> twice.split",
        "work.relay -> pairs.pair",
        "twice.split -> all.gather",
        "work.relay -> end.sink",
    ]
    return make_plan(steps, links)


async def main(folder: Path) -> int:
    """Run or go on."""
    emitted: dict[str, dict[str, str]] = {}
    settings = OrchestratorSettings(stop_grace_s=2, attempts=1)
    backend = LocalBackend(folder, settings, lambda *_: None)
    made = plan(folder)
    with MessageLog(folder / "messages.log", made) as log:
        outcome = await Run(
            "resumable",
            made,
            backend,
            record=lambda s, m: emitted.setdefault(s.key, {}).update({m.id: m.payload.decode()}),
            observer=lambda _: None,
            settings=settings,
            log=log,
        ).execute()
    if outcome.state is not State.SUCCEEDED:
        print(outcome.message, file=sys.stderr)
        return 1
    (folder / "emitted.json").write_text(json.dumps(emitted))
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(Path(sys.argv[1]))))
