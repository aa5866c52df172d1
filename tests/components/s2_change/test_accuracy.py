"""Changes implanted into a real pair are found, and little else."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.s2_change.algorithm import Method, Settings, detect
from tests.components.s2_change.implants import COMMON_NAMES, implant, read_real_pair, score


@pytest.mark.data
@pytest.mark.parametrize("method", ["cva", "irmad"])
@pytest.mark.parametrize("share", [0.01, 0.05])
def test_implanted_changes_are_found(eoloom_data: Path, method: Method, share: float) -> None:
    before, after = read_real_pair(eoloom_data)
    pair = implant(before, after, share, seed=1)
    found = detect(pair.before, pair.after, Settings(method=method), COMMON_NAMES)
    f1, false_alarms = score(found.changed, pair)
    assert f1 >= 0.9
    assert false_alarms <= 0.02


@pytest.mark.data
@pytest.mark.parametrize("method", ["cva", "irmad"])
def test_where_nothing_changed_nothing_is_marked(eoloom_data: Path, method: Method) -> None:
    before, after = read_real_pair(eoloom_data)
    found = detect(before, after, Settings(method=method), COMMON_NAMES)
    assert found.changed.mean() < 0.005
