"""A person's sign-in at the orchestrator service where a page makes its runs. Knows no Streamlit.

The token is kept in the memory of this process only; the command line gets it by its environment.
"""

from __future__ import annotations

import asyncio
import functools
import os
import threading
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from pydantic import SecretStr

from orchestrator.errors import OrchestratorError, SettingsError
from orchestrator.service_client.client import check_sign_in
from orchestrator.service_client.errors import ServiceUnreachableError, SignInNeededError
from orchestrator.service_client.settings import PREFIX, ServerSettings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Future

ANSWER_S: Final = 5.0
"""How long the service has for an answer; whoever waits for it waits for a page."""

AGAIN_S: Final = 10.0
"""After so long it is asked again whether it is still there."""

TOKEN_HEADER: Final = "X-Forwarded-Access-Token"  # noqa: S105 - the name of a header
"""In which proxies pass the token of whom they have signed in, such as oauth2-proxy."""

TOKEN_VARIABLE: Final = f"{PREFIX}SERVER_TOKEN"
_TOKEN_FILE_VARIABLE: Final = f"{PREFIX}SERVER_TOKEN_FILE"


class Standing(StrEnum):
    """How a person stands with the service."""

    SIGNED_IN = "signed in"
    TOKEN_NEEDED = "token needed"  # noqa: S105 - a state
    TOKEN_REFUSED = "token refused"  # noqa: S105 - a state
    UNREACHABLE = "unreachable"
    FAULT = "fault"
    """It answers, but refuses for another reason; or a setting is wrong."""


@dataclass(frozen=True)
class Answer:
    """What the service has said. message: what is wrong and what to do; empty if nothing is."""

    standing: Standing
    message: str = ""
    details: str = ""

    @property
    def can_run(self) -> bool:
        """Whether runs can be started there."""
        return self.standing is Standing.SIGNED_IN

    @property
    def needs_token(self) -> bool:
        """Whether another token could help."""
        return self.standing in {Standing.TOKEN_NEEDED, Standing.TOKEN_REFUSED}


def token_of_proxy(headers: Mapping[str, str], *, behind_proxy: bool) -> str:
    """Return the token that the proxy passes on, else nothing; headers of others do not count."""
    if not behind_proxy:
        return ""
    told = {name.lower(): value for name, value in headers.items()}
    return told.get(TOKEN_HEADER.lower(), "").strip()


class SignIn:
    """One person's, in one tab. settings: with the token of the environment, if there is one.

    contact: whom people ask for a token.
    """

    def __init__(self, settings: ServerSettings, contact: str = "") -> None:
        self.address = settings.server
        self.is_by_proxy = False
        self._own_settings = settings
        self._contact = contact or "whoever runs it"
        self._token = SecretStr("")
        self._answer: Answer | None = None
        self._answered_at = 0.0
        self._asked: Future[Answer] | None = None

    @property
    def has_token(self) -> bool:
        """Whether a token was typed in, which can be forgotten."""
        return bool(self._token.get_secret_value()) and not self.is_by_proxy

    @property
    def advice(self) -> str:
        """Where a token comes from."""
        return f"Ask {self._contact} for a token."

    def take(self, token: str, *, by_proxy: bool = False) -> None:
        """Use another token from now on; an empty one forgets the one before."""
        token = token.strip()
        if token == self._token.get_secret_value() and by_proxy == self.is_by_proxy:
            return
        self._token = SecretStr(token)
        self.is_by_proxy = by_proxy and bool(token)
        self.ask_anew()

    def forget(self) -> None:
        """Sign out."""
        self.take("")

    def ask_anew(self) -> None:
        """Believe nothing of what the service has said."""
        self._answer = self._asked = None

    def poll(self) -> Answer | None:
        """Return the latest answer without waiting; None before the first. Asks now and then."""
        if self._asked is not None and self._asked.done():
            self._take_in(self._asked)
        is_old = self._answer is None or time.monotonic() - self._answered_at > AGAIN_S
        if self._asked is None and is_old:
            self._asked = self._begin()
        return self._answer

    def answer(self) -> Answer:
        """Return the latest answer; waits for the first."""
        return self.poll() or self._take_in(self._asked or self._begin())

    def confirm(self) -> Answer:
        """Ask, and wait for the answer: before a run is started."""
        self.ask_anew()
        return self.answer()

    def _begin(self) -> Future[Answer]:
        return asyncio.run_coroutine_threadsafe(self._ask(), _loop())

    def _take_in(self, asked: Future[Answer]) -> Answer:
        self._asked = None
        self._answer, self._answered_at = asked.result(), time.monotonic()
        return self._answer

    def environment(self) -> dict[str, str]:
        """Return the environment of a process that makes runs for this person."""
        environment = {**os.environ, f"{PREFIX}SERVER": self.address}
        if token := self._token.get_secret_value():
            # Whatever the page itself may call with is not this person's.
            environment.pop(_TOKEN_FILE_VARIABLE, None)
            environment[TOKEN_VARIABLE] = token
        return environment

    def _settings(self) -> ServerSettings:
        changed: dict[str, object] = {"server_timeout_s": ANSWER_S}
        if self._token.get_secret_value():
            changed |= {"server_token": self._token, "server_token_file": None}
        return self._own_settings.model_copy(update=changed)

    async def _ask(self) -> Answer:
        settings = self._settings()
        has_token = False
        try:
            has_token = bool(settings.read_token())
            async with asyncio.timeout(ANSWER_S):
                await check_sign_in(settings)
        except SignInNeededError as error:
            return self._not_signed_in(has_token=has_token, details=str(error))
        except (TimeoutError, ServiceUnreachableError) as error:
            return self._unreachable(error)
        except SettingsError as error:
            if self._token.get_secret_value():
                return Answer(
                    Standing.TOKEN_REFUSED,
                    "That is no token: it has to be one line without blanks. " + self.advice,
                )
            return Answer(Standing.FAULT, str(error))
        except OrchestratorError as error:
            return Answer(Standing.FAULT, str(error))
        return Answer(Standing.SIGNED_IN)

    def _not_signed_in(self, *, has_token: bool, details: str) -> Answer:
        if not has_token:
            message = f"The orchestrator at {self.address} wants to know who you are."
            return Answer(Standing.TOKEN_NEEDED, message)
        source = "which your sign-in has given" if self.is_by_proxy else "that it was given"
        message = (
            f"The orchestrator at {self.address} does not take the token {source}: it is wrong, or "
            "has expired."
        )
        if self.is_by_proxy:
            message += " Reload this page to sign in anew."
        return Answer(Standing.TOKEN_REFUSED, message, details)

    def _unreachable(self, error: Exception) -> Answer:
        how = (
            f"has not answered within {ANSWER_S:g} s"
            if isinstance(error, TimeoutError)
            else "cannot be reached"
        )
        message = (
            f"The orchestrator at {self.address} {how}. No run can be started; "
            "those that it has begun are followed again when it answers."
        )
        return Answer(Standing.UNREACHABLE, message, str(error))


@functools.cache
def _loop() -> asyncio.AbstractEventLoop:
    """Return one event loop for all calls of this process: gRPC suffers no others beside it."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="sign-in", daemon=True).start()
    return loop
