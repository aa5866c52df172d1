"""Names of objects: readable, DNS labels, and never the same for two things.

Several pipelines of several users may lie in one namespace. A hyphen joins words in names of
pipelines and nodes already, so that `a-b` and `c` would become what `a` and `b-c` become: two
hyphens join the parts here.
"""

from __future__ import annotations

import hashlib
from typing import Final

MAX_LENGTH: Final = 63
"""Of a DNS label (RFC 1123), and so of a Service, a label's value and a pod's host name."""

_HASH_LENGTH: Final = 8


def object_name(*parts: str, limit: int = MAX_LENGTH) -> str:
    """Return `parts` joined to a DNS label of at most `limit` characters.

    A hash of the parts ends it where it would be too long, could be read in two ways, or would
    have the two hyphens at the place that internationalised names reserve (RFC 5890).
    """
    text = "--".join(parts)
    is_plain = not any("--" in part for part in parts) and text[2:4] != "--"
    if len(text) <= limit and (is_plain or len(parts) == 1):
        return text
    return f"{text[: limit - _HASH_LENGTH - 1].rstrip('-')}-{short_hash(*parts)}"


def short_hash(*parts: str) -> str:
    """Return eight hexadecimal digits that stand for the parts."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:_HASH_LENGTH]
