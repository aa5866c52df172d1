"""Names: which are allowed, and which one was probably meant."""

from __future__ import annotations

import difflib
import itertools
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_LABEL = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")

IDENTIFIER = r"^[A-Za-z_][A-Za-z0-9_]*$"
"""Names of operations and fields (https://protobuf.dev/reference/protobuf/proto3-spec/)."""

VERSION = r"^\d{1,6}\.\d{1,6}\.\d{1,6}(-[0-9A-Za-z.-]{1,40})?$"
"""MAJOR.MINOR.PATCH with an optional pre-release (https://semver.org/spec/v2.0.0.html)."""

_MAX_ALTERNATIVES: Final = 20


def dns_label(name: str) -> str:
    """Return `name` if it is a DNS label that is also a valid name of a Service.

    Raises ValueError.
    https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#rfc-1035-label-names
    """
    if not _LABEL.fullmatch(name):
        raise ValueError(
            "must be lower-case letters, digits and inner hyphens, begin with a letter, and have "
            "at most 63 characters"
        )
    return name


def as_dns_label(text: str) -> str:
    """Return a DNS label that reads like `text`: lower case, hyphens for what is not allowed."""
    label = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:63].rstrip("-")
    if not label:
        return "node"
    return label if label[0].isalpha() else f"n-{label}"[:63].rstrip("-")


def nearest(name: str, valid: Iterable[str]) -> str | None:
    """Return the valid name that is most like `name`, or None if none is much like it."""
    by_lower = {candidate.lower(): candidate for candidate in valid}
    found = difflib.get_close_matches(name.lower(), by_lower, n=1)
    return by_lower[found[0]] if found else None


def alternatives(valid: Iterable[str]) -> str:
    """Return what a message about an unknown name adds where none is like it: those there are."""
    names = list(itertools.islice(valid, _MAX_ALTERNATIVES + 1))
    more = ", ..." if len(names) > _MAX_ALTERNATIVES else ""
    listed = ", ".join(names[:_MAX_ALTERNATIVES])
    return f"; there are: {listed}{more}" if names else "; there are none"


def version_key(version: str) -> tuple[tuple[int, ...], bool, str]:
    """Return a sort key in the order of versions: a pre-release comes before its release."""
    numbers, _, pre_release = version.partition("-")
    return tuple(map(int, numbers.split("."))), not pre_release, pre_release
