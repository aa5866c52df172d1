"""Who uses the page: the user of this process, or whom a proxy in front of it has signed in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from composer.store import MAX_USER, own_user
from ui.errors import EnvironmentFaultError

if TYPE_CHECKING:
    from collections.abc import Mapping

HEADERS: Final = ("X-Forwarded-User", "X-Auth-Request-User")
"""In which proxies tell the user, such as oauth2-proxy; the first that is there counts."""


def user_of(headers: Mapping[str, str], *, behind_proxy: bool) -> str:
    """Return the name of the user.

    Headers count only behind a proxy, which has to set them itself: anybody can send them. Raises
    EnvironmentFaultError where the proxy does not tell who it is.
    """
    if not behind_proxy:
        return own_user()
    told = {name.lower(): value for name, value in headers.items()}
    name = next((told[h.lower()] for h in HEADERS if told.get(h.lower())), "").strip()
    if not name:
        raise EnvironmentFaultError(
            "the proxy before this page has not told who you are: it has to set the header "
            f"{HEADERS[0]}, or unset EOLOOM_PAGE_BEHIND_PROXY where there is no proxy"
        )
    if len(name) > MAX_USER or not name.isprintable():
        raise EnvironmentFaultError("the proxy before this page has told a name that is no name")
    return name
