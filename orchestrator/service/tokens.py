"""Whose a bearer token is: from a file, or by asking an identity provider."""

from __future__ import annotations

import base64
import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import quote_plus

from composer.document import read_document
from composer.errors import DocumentError
from composer.extras import install_command
from orchestrator.errors import SettingsError
from orchestrator.service.errors import IdentityProviderError, UnauthenticatedError
from orchestrator.service.settings import ServiceSettings

logger = logging.getLogger(__name__)

MIN_TOKEN: Final = 16
MAX_TOKEN: Final = 8192
"""Characters of a bearer token that are read."""
MAX_USER: Final = 200

_CACHED_TOKENS: Final = 10_000


class Tokens(Protocol):
    """Knows whose a bearer token is."""

    async def user(self, token: str) -> str:
        """Return the user. Raises UnauthenticatedError or IdentityProviderError."""
        ...

    async def close(self) -> None:
        """Give connections back."""
        ...


class TokenFile:
    """Static tokens: a YAML or JSON mapping of each token to its user.

    Raises SettingsError naming the file.
    """

    def __init__(self, path: Path) -> None:
        try:
            document = read_document(path)
        except DocumentError as error:
            raise SettingsError(f"tokens file {path}: {error}") from error
        values = document.value
        if not isinstance(values, dict) or not values:
            raise SettingsError(f"tokens file {path}: it must map each token to its user")
        for token, user in values.items():
            # The message must not show the token.
            if not isinstance(user, str) or not is_user(user):
                raise SettingsError(f"tokens file {path}: {user!r} cannot be the name of a user")
            if not MIN_TOKEN <= len(token) <= MAX_TOKEN:
                raise SettingsError(f"tokens file {path}: the token of {user} is too short or long")
        # Looked up by digest, so that the time it takes tells nothing of a token.
        self._users: dict[bytes, str] = {_digest(token): user for token, user in values.items()}

    async def user(self, token: str) -> str:
        """Return the user of a token."""
        user = self._users.get(_digest(token))
        if user is None:
            raise UnauthenticatedError("the bearer token is not valid")
        return user

    async def close(self) -> None:
        """Nothing is open."""


class Introspection:
    """Asks an identity provider whose a token is (RFC 7662), and remembers the answers a while.

    Source: https://www.rfc-editor.org/rfc/rfc7662. Raises SettingsError where aiohttp is missing.
    """

    def __init__(self, settings: ServiceSettings) -> None:
        try:
            import aiohttp
        except ImportError as error:
            message = f"introspection of tokens needs aiohttp: {install_command('serve')}"
            raise SettingsError(message) from error
        self._settings = settings
        client = settings.introspection_client
        secret = settings.introspection_secret.get_secret_value()
        self._session = aiohttp.ClientSession(
            headers={"Authorization": _basic(client, secret)} if client else None,
            timeout=aiohttp.ClientTimeout(total=settings.introspection_timeout_s),
        )
        self._errors = (aiohttp.ClientError, TimeoutError, ValueError)
        # By digest of the token: until when the answer is believed, and the user, if there is one.
        self._known: OrderedDict[bytes, tuple[float, str | None]] = OrderedDict()

    async def user(self, token: str) -> str:
        """Return the user of a token that the identity provider calls active."""
        key = _digest(token)
        until, user = self._known.get(key, (0.0, None))
        if until <= time.time():
            answer = await self._ask(token)
            user, until = self._judge(answer)
            self._known[key] = (until, user)
            self._known.move_to_end(key)
            if len(self._known) > _CACHED_TOKENS:
                self._known.popitem(last=False)
        if user is None:
            raise UnauthenticatedError("the bearer token is not valid")
        return user

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def _ask(self, token: str) -> Mapping[str, Any]:
        form = {"token": token, "token_type_hint": "access_token"}
        url = self._settings.introspection_url
        try:
            async with self._session.post(url, data=form, allow_redirects=False) as response:
                if response.status != 200:
                    raise ValueError(f"it answered with status {response.status}")
                answer = await response.json(content_type=None)
                if not isinstance(answer, dict):
                    raise ValueError("its answer is no JSON object")
        except self._errors as error:
            logger.warning("introspection of a token: %s", error or type(error).__name__)
            message = "the identity provider does not answer as it should; try again later"
            raise IdentityProviderError(message) from error
        return answer

    def _judge(self, answer: Mapping[str, Any]) -> tuple[str | None, float]:
        """Return the user that an answer names, if any, and until when it is believed."""
        now = time.time()
        until = now + self._settings.introspection_cache_s
        if answer.get("active") is not True:
            return None, until
        expires = answer.get("exp")
        if isinstance(expires, int | float):
            until = min(until, float(expires))
            if expires <= now:
                return None, until
        wanted, given = self._settings.introspection_audience, answer.get("aud")
        if wanted and wanted != given and not (isinstance(given, list) and wanted in given):
            return None, until
        user = answer.get(self._settings.introspection_user_claim)
        return (user if isinstance(user, str) and is_user(user) else None), until


def _basic(client: str, secret: str) -> str:
    """Return the credentials of a client (https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1)."""
    pair = f"{quote_plus(client)}:{quote_plus(secret)}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="surrogateescape")).digest()


def is_user(name: str) -> bool:
    """Whether a text can be the name of a user."""
    return 0 < len(name) <= MAX_USER and name.isprintable()
