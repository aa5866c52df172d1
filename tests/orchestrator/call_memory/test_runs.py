"""A run does not repeat what an earlier run has computed from equal input."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.engine import request_streams
from orchestrator.engine.plan import Plan, PlanLink
from orchestrator.engine.run import State
from tests.orchestrator.call_memory.conftest import (
    Laboratory,
    chain,
    make_plan,
    skipping,
    step,
    with_version,
)

ALL_OF_CHAIN = {"source.make": 1, "work.shape": 3, "pairs.pair": 1}


def all_forms() -> Plan:
    steps = [
        step("source", "make", count=3, text="t"),
        step("work", "shape", mark="s"),
        step("twice", "both"),
        step("pairs", "pair"),
        step("all", "total"),
    ]
    links = [
        "source.make -> work.shape",
        "work.shape -> twice.both",
        "work.shape -> pairs.pair",
        "twice.both -> all.total",
    ]
    return make_plan(steps, links)


async def test_a_second_run_calls_nobody_and_leaves_the_same(laboratory: Laboratory) -> None:
    first = await laboratory.run("first", all_forms())
    second = await laboratory.run("second", all_forms())
    assert first.outcome.state is State.SUCCEEDED, first.outcome.message
    assert first.cached == {}
    assert second.calls == Counter()
    assert second.cached == {
        "source.make": 1,
        "work.shape": 3,
        "twice.both": 3,
        "pairs.pair": 1,
        "all.total": 1,
    }
    assert second.emitted == first.emitted
    assert second.parents == first.parents
    assert second.files() == first.files()
    assert len(first.files()) == 3 + 3 + 3 + 2 + 1
    name = "pairs/data/pi2s.txt"
    assert (first.shared / name).samefile(second.shared / name)


async def test_what_parameters_change_is_computed_anew(laboratory: Laboratory) -> None:
    await laboratory.run("first", chain(mark="s"))
    second = await laboratory.run("second", chain(mark="z"))
    assert second.cached == {"source.make": 1}
    assert second.calls["shape i1"] == second.calls["pair i1s"] == 1
    assert second.files()["pairs/data/pi2s.txt"] == "t1z+t2z"


async def test_another_version_is_called(laboratory: Laboratory) -> None:
    await laboratory.run("first", chain())
    second = await laboratory.run("second", with_version(chain(), "work", "2"))
    # It gives the same files, so that what is behind it need not be called.
    assert second.cached == {"source.make": 1, "pairs.pair": 1}
    assert second.calls["shape i1"] == 1


async def test_equal_names_of_other_content_are_computed_anew(laboratory: Laboratory) -> None:
    await laboratory.run("first", chain(text="t"))
    second = await laboratory.run("second", chain(text="u"))
    assert second.cached == {}
    assert second.files()["pairs/data/pi2s.txt"] == "u1s+u2s"


async def test_nodes_may_have_other_names(laboratory: Laboratory) -> None:
    await laboratory.run("first", all_forms())
    renamed = make_plan(
        [
            step("origin", "make", count=3, text="t"),
            step("shaper", "shape", mark="s"),
            step("doubler", "both"),
        ],
        ["origin.make -> shaper.shape", "shaper.shape -> doubler.both"],
    )
    second = await laboratory.run("second", renamed)
    assert second.calls == Counter()
    assert set(second.files()) == {
        *(f"origin/data/i{n}.txt" for n in (1, 2, 3)),
        *(f"shaper/data/i{n}s.txt" for n in (1, 2, 3)),
        *(f"doubler/data/i{n}sb.txt" for n in (1, 2, 3)),
    }
    # The first answer passes the input on, the second is its own.
    assert b"shaper/data/i1s.txt" in second.emitted["doubler.both#1"]
    assert b"doubler/data/i1sb.txt" in second.emitted["doubler.both#2"]


@pytest.mark.parametrize("count", [2, 4])
async def test_a_stream_that_only_begins_alike_is_given_whole(
    laboratory: Laboratory, count: int
) -> None:
    await laboratory.run("first", chain(count=3))
    second = await laboratory.run("second", chain(count=count))
    assert second.cached == {"work.shape": min(count, 3)}
    assert [second.calls[f"pair i{n}s"] for n in range(1, count + 1)] == [1] * count
    pairs = [name for name in second.files() if name.startswith("pairs/")]
    assert len(pairs) == count - 1
    third = await laboratory.run("third", chain(count=count))
    assert third.calls == Counter()
    assert third.parents == second.parents


async def test_a_stream_on_whose_answers_its_sender_waits_is_called(
    laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What takes a message and an answer together holds the source back until answers come."""

    def whole(payload: bytes) -> list[bytes]:
        return [payload]

    steps = [
        step("source", "make", count=20, text="t"),
        step("pairs", "pair"),
        step("join", "both"),
    ]
    links = (
        PlanLink("source.make", "pairs.pair"),
        PlanLink("source.make", "join.both", whole, "1"),
        PlanLink("pairs.pair", "join.both", whole, "2"),
    )
    plan = replace(make_plan(steps, []), links=links)
    monkeypatch.setattr(request_streams, "_HOLD_S", 0.5)
    first = await laboratory.run("first", plan, queue_messages=3)
    second = await asyncio.wait_for(laboratory.run("second", plan, queue_messages=3), 30)
    assert second.outcome.state is State.SUCCEEDED
    assert second.calls["pair -"] == 1
    assert second.emitted == first.emitted


async def test_files_that_are_gone_are_computed_anew(laboratory: Laboratory) -> None:
    first = await laboratory.run("first", chain())
    shutil.rmtree(first.shared / "work")
    second = await laboratory.run("second", chain())
    assert second.cached == {"source.make": 1, "pairs.pair": 1}
    assert second.files()["work/data/i1s.txt"] == "t1s"
    third = await laboratory.run("third", chain())
    assert third.calls == Counter()


async def test_the_first_run_may_be_deleted_after_the_second(laboratory: Laboratory) -> None:
    first = await laboratory.run("first", chain())
    second = await laboratory.run("second", chain())
    shutil.rmtree(first.shared)
    third = await laboratory.run("third", chain())
    assert third.calls == Counter()
    assert third.files() == second.files()


@pytest.mark.parametrize("content", ["other", "t1S"])
async def test_files_that_have_changed_are_computed_anew(
    laboratory: Laboratory, content: str
) -> None:
    first = await laboratory.run("first", chain())
    changed = first.shared / "work" / "data" / "i1s.txt"
    changed.write_text(content)
    second = await laboratory.run("second", chain())
    assert second.calls == Counter({"shape i1": 1})
    assert second.files()["work/data/i1s.txt"] == "t1s"


async def test_another_time_of_a_file_is_no_change(laboratory: Laboratory) -> None:
    first = await laboratory.run("first", chain())
    for path in first.shared.rglob("*.txt"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    second = await laboratory.run("second", chain())
    assert second.calls == Counter()


async def test_files_are_copied_where_links_are_not_possible(
    laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    first = await laboratory.run("first", chain())
    monkeypatch.setattr(os, "link", refuse)
    second = await laboratory.run("second", chain())
    assert second.calls == Counter()
    assert second.files() == first.files()
    shutil.rmtree(first.shared)
    assert (await laboratory.run("third", chain())).calls == Counter()


async def test_warnings_come_again(laboratory: Laboratory) -> None:
    """Those of the first run are in its components' logs, which the tests do not follow."""
    steps = [
        step("source", "make", count=2, text="t"),
        step("work", "shape", warn=True),
        step("twice", "both", warn=True),
        step("pairs", "pair", warn=True),
    ]
    links = [
        "source.make -> work.shape",
        "work.shape -> twice.both",
        "work.shape -> pairs.pair",
    ]
    first = await laboratory.run("first", make_plan(steps, links))
    assert first.notices == []
    second = await laboratory.run("second", make_plan(steps, links))
    assert second.calls == Counter()
    assert sorted(second.notices) == [
        "few pairs",
        "i1 is dark",
        "i1s is double",
        "i2 is dark",
        "i2s is double",
    ]


async def test_a_failed_call_is_not_remembered(laboratory: Laboratory) -> None:
    laboratory.fail.write_text("i3s")
    first = await laboratory.run("first", chain())
    assert first.outcome.state is State.FAILED
    laboratory.fail.unlink()
    second = await laboratory.run("second", chain())
    # The stream that failed had given an answer already; the source had come to its end, or not.
    assert second.cached in ({"source.make": 1, "work.shape": 3}, {"work.shape": 3})
    assert second.outcome.state is State.SUCCEEDED
    assert len([name for name in second.files() if name.startswith("pairs/")]) == 2


async def test_dead_letters_are_not_remembered(laboratory: Laboratory) -> None:
    plan = skipping(all_forms())
    laboratory.fail.write_text("i2")
    first = await laboratory.run("first", plan)
    assert first.outcome.counts["work.shape"].failed == 1
    again = await laboratory.run("again", plan)
    assert again.outcome.counts["work.shape"].failed == 1
    assert again.calls == Counter({"shape i2": 1})
    laboratory.fail.write_text("i2s")
    second = await laboratory.run("second", plan)
    # Its call had given two answers before it failed, which went on all the same.
    assert second.outcome.counts["twice.both"].failed == 1
    assert second.cached["work.shape"] == 2
    laboratory.fail.unlink()
    third = await laboratory.run("third", plan)
    assert third.cached == {"source.make": 1, "work.shape": 3, "twice.both": 2, "all.total": 1}


async def test_what_is_not_deterministic_is_always_called(laboratory: Laboratory) -> None:
    plan = chain()
    steps = tuple(replace(s, deterministic=s.operation != "shape") for s in plan.steps)
    plan = replace(plan, steps=steps)
    await laboratory.run("first", plan)
    second = await laboratory.run("second", plan)
    assert second.cached == {"source.make": 1, "pairs.pair": 1}
    assert second.calls == Counter({f"shape i{n}": 1 for n in (1, 2, 3)})


async def test_without_cache_everything_is_called_and_nothing_kept(laboratory: Laboratory) -> None:
    for name in ("first", "second"):
        done = await laboratory.run(name, chain(), cache=False)
        assert done.cached == {}
        assert done.calls["shape i1"] == 1
    assert not (laboratory.folder / "calls.sqlite").exists()


async def test_messages_that_are_no_items_count_as_bytes(laboratory: Laboratory) -> None:
    def plan(*words: str) -> Plan:
        steps = [step("source", "words", words=words), step("work", "shout")]
        return make_plan(steps, ["source.words -> work.shout"])

    await laboratory.run("first", plan("one", "two"))
    second = await laboratory.run("second", plan("two", "three"))
    assert second.calls == Counter({"words -": 1, "shout three": 1})
    assert second.emitted["work.shout#1"] == b"TWO"


async def test_a_damaged_index_is_told_once_and_ends_no_run(laboratory: Laboratory) -> None:
    (laboratory.folder / "calls.sqlite").write_bytes(b"no database" * 1000)
    done = await laboratory.run("first", chain())
    assert done.outcome.state is State.SUCCEEDED
    [notice] = done.notices
    assert "calls.sqlite" in notice
    assert "every operation is called" in notice


async def test_an_index_that_is_damaged_meanwhile_ends_no_run(laboratory: Laboratory) -> None:
    await laboratory.run("first", chain())
    index = laboratory.folder / "calls.sqlite"
    content = bytearray(index.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    index.write_bytes(content)
    done = await laboratory.run("second", chain())
    assert done.outcome.state is State.SUCCEEDED
    assert len(done.notices) == 1
    assert done.calls["shape i1"] == 1


async def test_two_runs_at_once_disturb_neither(laboratory: Laboratory) -> None:
    done = await asyncio.gather(*(laboratory.run(f"run{n}", chain()) for n in range(3)))
    assert {d.outcome.state for d in done} == {State.SUCCEEDED}
    assert all(d.notices == [] for d in done)
    assert done[0].files() == done[1].files() == done[2].files()
    assert (await laboratory.run("last", chain())).cached == ALL_OF_CHAIN


async def test_a_run_that_goes_on_takes_what_others_have_computed(laboratory: Laboratory) -> None:
    laboratory.fail.write_text("i2")
    failed = await laboratory.run("first", chain())
    assert failed.outcome.state is State.FAILED
    laboratory.fail.unlink()
    other = await laboratory.run("other", chain())
    resumed = await laboratory.run("first", chain())
    assert resumed.outcome.state is State.SUCCEEDED
    assert resumed.calls == Counter()
    assert resumed.emitted == other.emitted
    assert resumed.files() == other.files()


async def test_answers_that_are_kept_are_bounded(laboratory: Laboratory) -> None:
    await laboratory.run("first", chain(), cache_bytes=0)
    assert (await laboratory.run("second", chain())).cached == {}


async def test_a_component_cannot_lead_files_out_of_the_folder(laboratory: Laboratory) -> None:
    await laboratory.run("first", chain())
    outside = laboratory.folder / "outside"
    outside.mkdir()
    shared = laboratory.folder / "second" / "shared"
    (shared / "work").mkdir(parents=True)
    (shared / "work" / "data").symlink_to(outside)
    second = await laboratory.run("second", chain())
    assert second.calls["shape i1"] == 1
    assert [path.name for path in Path(outside).glob(".*")] == []
