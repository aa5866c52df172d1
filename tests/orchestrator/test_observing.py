"""Observers that fail harm neither the run nor each other."""

from __future__ import annotations

import logging

import pytest

from orchestrator.errors import SettingsError
from orchestrator.events import Event, Kind
from orchestrator.observing import Observers


def test_one_that_fails_is_told_of_once_and_the_others_hear_everything(
    caplog: pytest.LogCaptureFixture,
) -> None:
    heard: list[Kind] = []

    def deaf(_: Event) -> None:
        raise ZeroDivisionError("deaf")

    observers = Observers((deaf, lambda event: heard.append(event.kind)))
    with caplog.at_level(logging.ERROR):
        for kind in (Kind.RUN_STARTED, Kind.NOTICE, Kind.RUN_CLOSED):
            observers(Event("r1", kind))
    assert heard == [Kind.RUN_STARTED, Kind.NOTICE, Kind.RUN_CLOSED]
    (record,) = caplog.records
    assert "r1" in record.getMessage()
    assert record.exc_info is not None


def test_an_end_that_could_not_be_kept_is_raised_when_all_have_heard_of_it() -> None:
    heard: list[Kind] = []

    def full(_: Event) -> None:
        raise SettingsError("disk full")

    observers = Observers((full, lambda event: heard.append(event.kind)))
    observers(Event("r1", Kind.NOTICE))
    with pytest.raises(SettingsError, match="disk full"):
        observers(Event("r1", Kind.RUN_CLOSED))
    assert heard == [Kind.NOTICE, Kind.RUN_CLOSED]
