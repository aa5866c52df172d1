"""Licences as SPDX writes them, or by their URL."""

from __future__ import annotations

import re
from typing import Final

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

_URL: Final = re.compile(r"https?://[^\s/<>\"]+[^\s<>\"]*")


class LicenceError(ValueError):
    """A text is no licence."""


def is_licence_url(text: str) -> bool:
    """Say whether a licence is given by its URL."""
    return _URL.fullmatch(text) is not None


def spdx_page(licence: str) -> str | None:
    """Return a licence's page in SPDX's list; None where there is none, or several are meant."""
    try:
        identifier = str(canonicalize_license_expression(licence))
    except InvalidLicenseExpression:
        return None
    if " " in identifier or identifier.startswith("LicenseRef-"):
        return None
    return f"https://spdx.org/licenses/{identifier}"


def canonical_licence(text: str) -> str:
    """Return an SPDX expression with identifiers as SPDX writes them, or a URL as it is.

    Such as `CC-BY-4.0`, `MIT OR Apache-2.0` and, for what is in no list, `LicenseRef-Own`
    (https://spdx.github.io/spdx-spec/v2.3/SPDX-license-expressions/). Raises LicenceError.
    """
    if is_licence_url(text):
        return text
    try:
        return str(canonicalize_license_expression(text))
    except InvalidLicenseExpression as error:
        raise LicenceError(
            f"{text[:200]!r} is neither an SPDX expression, such as CC-BY-4.0 or "
            "LicenseRef-Our-Terms, nor a URL"
        ) from error
