"""A browser that loses what it loads."""

from __future__ import annotations

import re
from collections import Counter

from playwright.sync_api import BrowserContext, Route


def losing(context: BrowserContext, files: re.Pattern[str], times: int) -> Counter[str]:
    """Drop the first requests for each file that fits; return how many were."""
    lost: Counter[str] = Counter()

    def drop(route: Route) -> None:
        address = route.request.url
        if lost[address] == times:
            route.fallback()
        else:
            lost[address] += 1
            route.abort("failed")

    context.route(files, drop)
    return lost
