"""How well s2-change finds changes that were implanted into a real pair without change.

    EOLOOM_DATA=../shared/data python benchmarks/s2_change_accuracy.py

Prints F1 and false alarms per method with its default threshold, for several shares of change, and
what the methods mark where nothing was implanted.
"""

from __future__ import annotations

import itertools

from components.s2_change.algorithm import METHODS, Settings, detect
from tests.components.s2_change.implants import COMMON_NAMES, implant, read_real_pair, score
from tests.data import data_folder

SHARES = (0.003, 0.01, 0.03, 0.05, 0.1)
SEEDS = (1, 2)


def main() -> None:
    """Print the table."""
    before, after = read_real_pair(data_folder())
    for method in METHODS:
        nothing = detect(before, after, Settings(method=method), COMMON_NAMES)
        print(f"{method:6} nothing implanted: {nothing.changed.mean():.2%} marked", flush=True)
        for share, seed in itertools.product(SHARES, SEEDS):
            pair = implant(before, after, share, seed)
            found = detect(pair.before, pair.after, Settings(method=method), COMMON_NAMES)
            f1, false = score(found.changed, pair)
            print(
                f"{method:6} {share:5.1%} changed, seed {seed}: F1 {f1:.3f}, "
                f"false alarms {false:.2%}, threshold {found.model.threshold.value:.3g} "
                f"({found.model.threshold.rule})",
                flush=True,
            )


if __name__ == "__main__":
    main()
